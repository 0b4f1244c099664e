"""The text of a decision: its rule and its voters, in the headers of its opening; and the vote an answer holds."""

from ai_bridge import address
from ai_bridge.errors import Malformed
from ai_bridge.message import Message

MAJORITY, UNANIMOUS = RULES = ("majority", "unanimous")
# Not a rule: what the request to judge has in the place of one.
JUDGE = "judge"
RULE_HEADER, VOTERS_HEADER = "Decide", "Voters"
APPROVE, OBJECT = "[LGTM]", "[CONTINUE]"
# Marks of Markdown that may stand before a tag.
_DECORATION = " \t*_#-`"
_FENCES = ("```", "~~~")


class BadDecision(Malformed):
    sentence = "this opens no decision: {why}"


def voters_of(opening: Message) -> list[str]:
    """Return who votes besides the sender, as the header `Voters` has it; what is no address is left out."""
    named = address.split_list(opening.get(VOTERS_HEADER) or "")
    return [voter for voter in named if address.is_address(voter) and voter != opening.sender]


def check_opening(opening: Message, agents: "set[str]") -> None:
    """Raise `BadDecision` if the message would open a decision that `agents` cannot come to."""
    rule = opening.get(RULE_HEADER)
    if rule is None or rule == JUDGE:
        return
    if rule not in RULES:
        raise BadDecision(why=f"{RULE_HEADER} is {rule[:80]!r}, but must be majority or unanimous")
    for entry in address.split_list(opening.get(VOTERS_HEADER) or ""):
        if entry not in agents:
            hint = address.hint(entry, agents)
            raise BadDecision(why=f"{VOTERS_HEADER} names {entry[:80]!r}, and there is no such agent{hint}")
    fewest = 2 if rule == UNANIMOUS else 1
    if len(voters_of(opening)) < fewest:
        raise BadDecision(why=f"{VOTERS_HEADER} must name {fewest} or more besides the sender, with commas between")


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
