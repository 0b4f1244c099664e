"""What an agent's card says of mail from others: fields `accept`, `hold` and `refuse`, each naming senders or `*`.

A sender that is named goes before `*`; said twice, the stricter counts; who is not spoken of is accepted. A card that
cannot be read, or is missing, accepts: no damaged file stops the mail. Cards that speak of nothing are not parsed.
"""

import os

from ai_bridge import reading
from ai_bridge.address import EVERYONE, is_address
from ai_bridge.errors import Malformed
from ai_bridge.mailboxes import AGENTS, Mailboxes

FIELDS = ACCEPT, HOLD, REFUSE = ("accept", "hold", "refuse")
ENDING = ".md"
CARD_BYTES = 16_384

TYPE_CHECKING = False
if TYPE_CHECKING:
    # By field the senders it names.
    Rules = dict[str, list[str]]
    Mark = tuple[int, int, int]


class RefusedByCard(Malformed):
    sentence = "{recipient} takes no mail from {sender}: its card says so (`ai-bridge card show {recipient}`)"
    for_model = "{recipient} takes no mail from {sender}: its card says so; tell your user"


def entries(value: object) -> list[str]:
    """Return what a field names: a text with commas or blanks between, or a list of such."""
    texts = value if isinstance(value, list) else [value]
    return [entry for text in texts if isinstance(text, str) for entry in text.replace(",", " ").split()]


def is_entry(text: str) -> bool:
    """Tell whether a field may name that."""
    return text == EVERYONE or is_address(text)


def verdict(rules: "Rules", sender: str) -> str:
    """Return the field that decides on mail from `sender`."""
    for entry in (sender, EVERYONE):
        for field in (REFUSE, HOLD, ACCEPT):
            if entry in rules.get(field, ()):
                return field
    return ACCEPT


def refuses(mailboxes: Mailboxes, recipient: str, sender: str) -> bool:
    """Tell whether the recipient's card refuses mail from `sender`."""
    rules = _rules(_card(mailboxes, recipient), (REFUSE,))
    return bool(rules) and verdict(rules, sender) == REFUSE


class Policies:
    """The rules of all recipients; a card is looked at once until `look_again`, and read when it has changed."""

    __slots__ = ("_known", "_looked", "_mailboxes")

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes
        self._known: dict[str, tuple[Mark, Rules]] = {}
        self._looked: dict[str, Rules] = {}

    def verdict(self, recipient: str, sender: str) -> str:
        """Return the field of the recipient's card that decides on mail from `sender`."""
        rules = self._looked.get(recipient)
        if rules is None:
            rules = self._looked[recipient] = self._look(recipient)
        return verdict(rules, sender) if rules else ACCEPT

    def look_again(self) -> None:
        """Look at the cards again from now on."""
        self._looked.clear()

    def _look(self, recipient: str) -> "Rules":
        path = _card(self._mailboxes, recipient)
        try:
            found = os.lstat(path)
        except OSError:
            return {}
        mark = (found.st_ino, found.st_size, found.st_mtime_ns)
        known = self._known.get(recipient)
        if known is None or known[0] != mark:
            known = self._known[recipient] = (mark, _rules(path, (HOLD, REFUSE)))
        return known[1]


def _card(mailboxes: Mailboxes, agent: str) -> str:
    return os.path.join(mailboxes.path, AGENTS, agent + ENDING)


def _rules(path: str, words: tuple[str, ...]) -> "Rules":
    """Return what a card says; nothing where none of the words stands in it, or it cannot be read."""
    try:
        raw = reading.read_file(path, CARD_BYTES)
        if not any(word.encode() in raw for word in words):
            return {}
        from ai_bridge import page

        fields, _ = page.parse(raw)
    except (OSError, Malformed, ValueError):
        return {}
    return {field: entries(fields.get(field)) for field in FIELDS}
