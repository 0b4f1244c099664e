"""Reads from a card where its agent lives: asked of every agent, by commands that have no time for YAML."""

from ai_bridge.machines.this_machine import is_home

FIRST = 1
# The most digits of an epoch: no agent moves more often.
_DIGITS = 18
_BORDER = b"---"


class Residence:
    """Where an agent lives: the machine's ID `home` and the `epoch`, '' and 0 if nothing says so.

    `next` is the machine to which it is to move, and `link` the link that carries its mail; each is '' if there is
    none.
    """

    __slots__ = ("epoch", "home", "link", "next")

    def __init__(self, home: str = "", epoch: int = 0, link: str = "", next_: str = "") -> None:
        self.home = home
        self.epoch = epoch
        self.link = link
        self.next = next_


def parsed(card: bytes) -> Residence:
    """Return the claim in a card: `home`, `epoch`, `link` and `next`, each on a line of its own."""
    said = said_by(card)
    named = said.get("home", "")
    if not is_home(named):
        return Residence(next_=said.get("next", ""))
    return Residence(named, number(said.get("epoch", "")), said.get("link", ""), said.get("next", ""))


def said_by(card: bytes) -> dict[str, str]:
    """Return the fields of a card that each have a line of their own; {} if it does not begin with a border.

    The card is not parsed as YAML: this is asked of every agent, by commands that have no time for that. Other forms
    that a person may write (blank lines before it, blanks around a name, quotes, a comment) are understood.
    """
    said: dict[str, str] = {}
    lines = card.strip().split(b"\n")
    if not _is_border(lines[0]):
        return said
    for line in lines[1:]:
        if _is_border(line):
            break
        name, colon, value = line.partition(b":")
        if colon and not name[:1].isspace():
            said[_text(name)] = _text(value.partition(b" #")[0])
    return said


def _is_border(line: bytes) -> bool:
    return line.startswith(_BORDER) and not line.rstrip().strip(b"-")


def _text(raw: bytes) -> str:
    return raw.strip().strip(b"'\"").decode("utf-8", "replace")


def number(text: str) -> int:
    """Return the epoch in a text, the first epoch if the text holds none."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= _DIGITS else FIRST


def fields(said: Residence) -> dict[str, str]:
    """Return the fields of a card for this claim; '' stands for a field that is left out."""
    epoch = str(said.epoch) if said.epoch > FIRST else ""
    return {"home": said.home, "epoch": epoch, "next": said.next, "link": said.link}
