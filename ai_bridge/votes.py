"""The vote an answer holds: a tag that begins one of its lines."""

APPROVE, OBJECT = "[LGTM]", "[CONTINUE]"
# Marks of Markdown that may stand before a tag.
_DECORATION = " \t*_#-`"
_FENCES = ("```", "~~~")


def vote_of(body: str) -> str | None:
    """Return the tag an answer votes with, or None; an objection counts before an approval.

    A tag counts where it begins a line; not in a quotation, nor in a block of code.
    """
    if APPROVE not in (upper := body.upper()) and OBJECT not in upper:
        return None
    found, in_code = set(), False
    for line in upper.split("\n"):
        if line.lstrip().startswith(_FENCES):
            in_code = not in_code
        elif not in_code:
            bare = line.lstrip(_DECORATION)
            found |= {tag for tag in (APPROVE, OBJECT) if bare.startswith(tag)}
    return OBJECT if OBJECT in found else APPROVE if found else None
