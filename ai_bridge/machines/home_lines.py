"""What the lines of a card say of its agent's home: asked of every agent, by commands with no time for YAML."""

from ai_bridge.machines import this_machine as home

FIRST = 1
# No agent moves that often.
_DIGITS = 18
_BORDER = b"---"


class Claim:
    """Where an agent lives: a machine's ID and the epoch; `next`: where it is to move; `link`: what carries it."""

    __slots__ = ("epoch", "home", "link", "next")

    def __init__(self, home: str = "", epoch: int = 0, link: str = "", next_: str = "") -> None:
        self.home = home
        self.epoch = epoch
        self.link = link
        self.next = next_


def parsed(card: bytes) -> Claim:
    """Return what a card says: `home`, `epoch`, `link` and `next` each stand on a line of their own, as written here.

    The card is not parsed as YAML: this is asked of every agent, by commands that have no time for that. What a
    person may write otherwise (blank lines before it, blanks around a name, quotes, a comment) is understood.
    """
    lines = card.strip().split(b"\n")
    if not _is_border(lines[0]):
        return Claim()
    said: dict[str, str] = {}
    for line in lines[1:]:
        if _is_border(line):
            break
        name, colon, value = line.partition(b":")
        if colon and not name[:1].isspace():
            said[_text(name)] = _text(value.partition(b" #")[0])
    named = said.get("home", "")
    if not home.is_home(named):
        return Claim(next_=said.get("next", ""))
    return Claim(named, number(said.get("epoch", "")), said.get("link", ""), said.get("next", ""))


def _is_border(line: bytes) -> bool:
    return line.startswith(_BORDER) and not line.rstrip().strip(b"-")


def _text(raw: bytes) -> str:
    return raw.strip().strip(b"'\"").decode("utf-8", "replace")


def number(text: str) -> int:
    """Return an epoch, the first one if the text is none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else FIRST


def fields(said: Claim) -> dict[str, str]:
    """Return the fields of a card that say this; an empty one is none."""
    epoch = str(said.epoch) if said.epoch > FIRST else ""
    return {"home": said.home, "epoch": epoch, "next": said.next, "link": said.link}
