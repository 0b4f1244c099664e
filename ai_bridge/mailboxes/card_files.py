"""The cards as files, `agents/<address>.md`: this module alone reads them, and it has the only cache.

Other modules interpret a card: `machines/home_lines` where its agent lives, `agents/policy` whose mail it accepts,
and `agents/cards` all of it.
"""

import os

from ai_bridge.errors import TooLarge
from ai_bridge.mailboxes.tree import AGENTS, Tree
from ai_bridge.system import untrusted
from ai_bridge.system.untrusted import NotAFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    from ai_bridge.system.state_files import Mark

    Meaning = TypeVar("Meaning")

ENDING = ".md"
CARD_BYTES = 16_384
_BORDER = "---"


class CardFile:
    """A card as it was read: its bytes `raw`, at most `CARD_BYTES`, and why it is no card (`wrong`), or ''."""

    __slots__ = ("_meanings", "raw", "wrong")

    def __init__(self, raw: bytes, wrong: str = "") -> None:
        self.raw = raw
        self.wrong = wrong
        self._meanings: dict[object, object] = {}

    def meaning(self, parse: "Callable[[CardFile], Meaning]") -> "Meaning":
        """Return `parse(self)`, which is called once for each `parse`."""
        if parse not in self._meanings:
            self._meanings[parse] = parse(self)
        return self._meanings[parse]  # type: ignore[return-value]

    def damage(self) -> str:
        """Return a sentence that says why the card is damaged, '' if it is whole."""
        if self.wrong or self.is_plain():
            return self.wrong
        from ai_bridge.system import front_matter  # a send asks only whether a card refuses its sender

        try:
            front_matter.parse(self.raw)
        except ValueError as trouble:
            return str(trouble)
        return ""

    def is_plain(self) -> bool:
        """Tell, without a parser of YAML, that the card is whole: lines `name: value` between two lines `---`.

        Any other card must be parsed. Source of the allowed characters: YAML 1.2, 7.3.3, plain scalars.
        """
        try:
            lines = self.raw.decode("utf-8").split("\n")
        except UnicodeDecodeError:
            return False
        if lines[0] != _BORDER or _BORDER not in lines[1:]:
            return False
        fields = lines[1 : lines.index(_BORDER, 1)]
        return bool(fields) and all(_is_plain_line(line) for line in fields)


def _is_plain_line(line: str) -> bool:
    name, colon, value = line.partition(": ")
    is_scalar = value[:1].isalnum() and value.isprintable() and not value.endswith((":", " "))
    return bool(colon) and name.isidentifier() and is_scalar and ": " not in value and " #" not in value


class CardFiles:
    """The cards of some mailboxes; each is read again only if its file has changed."""

    __slots__ = ("_kept", "_mailboxes", "_once")

    def __init__(self, mailboxes: Tree) -> None:
        self._mailboxes = mailboxes
        self._kept: dict[str, tuple[Mark, CardFile]] = {}
        self._once: dict[str, CardFile | OSError] = {}

    def card_of(self, agent: str) -> CardFile:
        """Return the agent's card; raises OSError (FileNotFoundError if there is none)."""
        if self._mailboxes.is_snapshot:
            return self._read_once(agent)
        from ai_bridge.system import state_files  # a send reads a card once

        path = path_of(self._mailboxes, agent)
        mark = state_files.mark(path, follow=False)
        kept = self._kept.get(agent)
        if kept is None or kept[0] != mark:
            kept = self._kept[agent] = (mark, read(path))
        return kept[1]

    def _read_once(self, agent: str) -> CardFile:
        if agent not in self._once:
            try:
                self._once[agent] = read(path_of(self._mailboxes, agent))
            except OSError as error:
                self._once[agent] = error
        found = self._once[agent]
        if isinstance(found, OSError):
            raise found
        return found


def path_of(mailboxes: Tree, agent: str) -> str:
    """Return the path of an agent's card, which may not exist."""
    return os.path.join(mailboxes.path, AGENTS, agent + ENDING)


def read(path: str) -> CardFile:
    """Return the card at `path`; raises OSError.

    If the file is too large, only its beginning is read; if it is no regular file, nothing is.
    """
    try:
        return CardFile(untrusted.read_file(path, CARD_BYTES))
    except TooLarge as refusal:
        why = f"it has {refusal.facts['size']} bytes, and may have {CARD_BYTES}"
        return CardFile(untrusted.read_start(path, CARD_BYTES), why)
    except NotAFile as refusal:
        return CardFile(b"", f"it is {refusal.facts['kind']}, not a regular file")
