"""Addresses: `name` or `name@project`; the postmaster's; and what stands for several agents: `*` and `#group`."""

from ai_bridge.errors import BridgeError

POSTMASTER = "postmaster"
EVERYONE = "*"
# How the name of a group begins: `#backend`.
GROUP = "#"

_FIRST = frozenset("abcdefghijklmnopqrstuvwxyz")
_REST = _FIRST | frozenset("0123456789_-")
# The most characters of a name, and of a project.
MAX_PART = 32
# The most digits of the number of a further session.
_DIGITS = 4


class BadAddress(BridgeError):
    sentence = (
        "{address!r} is not an address: an address is name or name@project, "
        "each a lower-case letter followed by at most 31 of a-z, 0-9, _ and -"
    )


def is_address(text: str) -> bool:
    """Tell whether `text` is `name` or `name@project`, each `[a-z][a-z0-9_-]{0,31}`."""
    parts = text.split("@")
    return len(parts) <= 2 and all(_is_part(part) for part in parts)


def _is_part(text: str) -> bool:
    return 0 < len(text) <= MAX_PART and text[0] in _FIRST and _REST.issuperset(text)


def is_group(text: str) -> bool:
    """Tell whether `text` is the name of a group: `#` and the letters of an agent's name."""
    return text.startswith(GROUP) and _is_part(text[len(GROUP) :])


def is_several(text: str) -> bool:
    """Tell whether an entry of `To` stands for several agents: `*`, or a group."""
    return text == EVERYONE or is_group(text)


def checked(text: str) -> str:
    """Return `text` if it is an address; raises `BadAddress`."""
    if not is_address(text):
        raise BadAddress(address=text)
    return text


def split_list(text: str) -> list[str]:
    """Return the entries of `a, b` in their order, each once; empty entries are left out."""
    entries = (entry.strip() for entry in text.split(","))
    return list(dict.fromkeys(entry for entry in entries if entry))


def project_of(address: str) -> str:
    """Return the project in an address, '' if it has none."""
    return address.partition("@")[2]


def numbered(wanted: str, number: int) -> str:
    """Return an address, or a part of one, with a number: `claude-2`, `claude-2@project`."""
    name, at, project = wanted.partition("@")
    ending = f"-{number}"
    return f"{name[: MAX_PART - len(ending)]}{ending}{at}{project}"


def number_of(address: str, wanted: str) -> int:
    """Return the number with which `numbered` makes the address of `wanted`; 0 if it does not."""
    digits = address.partition("@")[0].rpartition("-")[2]
    number = int(digits) if digits.isascii() and digits.isdigit() and len(digits) <= _DIGITS else 0
    return number if number > 1 and is_address(wanted) and numbered(wanted, number) == address else 0


def is_numbered(address: str) -> bool:
    """Tell whether an address has the form of a further session's, as `numbered` gives it."""
    number = address.partition("@")[0].rpartition("-")[2]
    return is_address(address) and number.isdigit() and int(number) > 1


def tool_part(address: str) -> str:
    """Return the address in the form for a tool's name: `claude@web` becomes `claude_web`."""
    return address.replace("@", "_")


def name_from(text: str) -> str:
    """Return the legal name nearest to any text (a folder's name, a client's name), '' if nothing of it is legal."""
    cleaned = "".join(ch if ch in _REST else "-" for ch in text.lower()).lstrip("-_0123456789").rstrip("-_")
    return cleaned[:MAX_PART]


def is_notice(sender: str) -> bool:
    """Tell whether mail from `sender` is an automatic notice, which nobody answers."""
    return sender == POSTMASTER
