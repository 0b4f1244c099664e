r"""The header block of a message: lines `Name: value`, split on line feeds only, each name once.

Only `\n` ends a line. `str.splitlines()` would also split on eight other characters, with which a subject could
smuggle in a second `From:`. The grammar is in docs/format.md.
"""

from ai_bridge.errors import Malformed

REQUIRED = ("ID", "From", "To", "Subject")
# Until when a message may be shown: see `expiry`.
EXPIRES = "Expires"
# How hard the recipient's session is rung: see `urgency`.
URGENCY = "Urgency"
# Says that the router completed a file that somebody dropped by hand.
COMPLETED = "Completed-By"
OPTIONAL = (
    "Date",
    "In-Reply-To",
    "Thread",
    "Context",
    "Hops",
    "Composed-By",
    "Decide",
    "Voters",
    "Auto-Submitted",
    EXPIRES,
    URGENCY,
    COMPLETED,
)
OURS = (*REQUIRED, *OPTIONAL)

_NAME_CHARACTERS = frozenset(chr(code) for code in range(33, 127) if chr(code) != ":")


class NoBlankLine(Malformed):
    sentence = "no blank line ends the headers: put an empty line between the headers and the body"


class BadHeaderLine(Malformed):
    sentence = "header line {number} is not `Name: value`: {line!r}"


class CrlfHeaders(Malformed):
    sentence = "the header lines end in CR LF: save the headers with plain line feeds (the body may hold any)"


class ControlCharacter(Malformed):
    sentence = "header {name} holds the control character {code}: remove it"


class DuplicateHeader(Malformed):
    sentence = "header {name} stands there twice: keep one"


def split(text: str) -> tuple[str, str]:
    """Return the header block and the body of a message, parted at the first blank line; raises `NoBlankLine`."""
    block, blank_line, body = text.partition("\n\n")
    if blank_line:
        return block, body
    load(text.rstrip("\n"))  # if a line is wrong too, its sentence is the better one
    raise NoBlankLine()


def load(block: str) -> dict[str, str]:
    """Return the headers of `block`, in their order and with their names as written.

    Raises a `Malformed` for the first line that is no header, is a duplicate or holds a control character. Names are
    compared without regard to case.
    """
    headers: dict[str, str] = {}
    seen: set[str] = set()
    for number, line in enumerate(block.split("\n"), 1):
        name, colon, value = line.partition(":")
        if not (colon and is_name(name)):
            raise BadHeaderLine(number=number, line=line[:80])
        if name.lower() in seen:
            raise DuplicateHeader(name=name)
        seen.add(name.lower())
        headers[name] = check_value(name, value.strip(" \t") if not value.endswith("\r") else value)
    return headers


def export(headers: dict[str, str]) -> str:
    """Return the header lines without their last line feed; raises `Malformed` for what `load` would refuse."""
    for name, value in headers.items():
        if not is_name(name):
            raise BadHeaderLine(number=0, line=name)
        check_value(name, value)
    return "\n".join(f"{name}: {value}" for name, value in headers.items())


def is_name(name: str) -> bool:
    """Tell whether `name` is a header name: printable ASCII without a colon or a space."""
    return bool(name) and _NAME_CHARACTERS.issuperset(name)


def check_value(name: str, value: str) -> str:
    """Return `value` if a header may hold it; raises `ControlCharacter` or `CrlfHeaders`."""
    if value.isprintable():
        return value
    if value.endswith("\r"):
        raise CrlfHeaders()
    if code := control_character(value):
        raise ControlCharacter(name=name, code=code)
    return value


def control_character(text: str) -> str:
    """Return the first control character, line or paragraph separator or surrogate as `U+XXXX`, else ''."""
    for ch in text:
        point = ord(ch)
        if point < 32 or 127 <= point < 160 or point in (0x2028, 0x2029) or 0xD800 <= point < 0xE000:
            return f"U+{point:04X}"
    return ""
