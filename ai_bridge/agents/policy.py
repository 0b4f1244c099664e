"""What an agent's card says of mail from others: fields `accept`, `hold` and `refuse`, each naming senders or `*`.

A sender that is named goes before `*`; said twice, the stricter counts; who is not spoken of is accepted. A card that
is missing accepts. A damaged one holds everybody's mail, for it may have said so. One that cannot be read now says
nothing yet. Cards as this program writes them are not parsed as YAML where they speak of nothing.
"""

import os

from ai_bridge.errors import Malformed, NotAFile, TooLarge
from ai_bridge.mailboxes.tree import AGENTS, Mailboxes
from ai_bridge.message.address import EVERYONE, is_address
from ai_bridge.system import state_files, untrusted

FIELDS = ACCEPT, HOLD, REFUSE = ("accept", "hold", "refuse")
ENDING = ".md"
CARD_BYTES = 16_384
_BORDER = "---"

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
    """Tell whether the recipient's card refuses mail from `sender`; a router asks again what cannot be read now."""
    try:
        found = _policy(_card(mailboxes, recipient), (REFUSE,), is_quick=True)
    except OSError:
        return False
    return bool(found.rules) and verdict(found.rules, sender) == REFUSE


class Policy:
    """What one card says: its `rules`, and the `damage` that keeps it from saying more, '' where there is none."""

    __slots__ = ("damage", "rules")

    def __init__(self, rules: "Rules", damage: str = "") -> None:
        self.rules = rules
        self.damage = damage


class Policies:
    """The policies of all recipients; a card is looked at once until `look_again`, and read when it has changed."""

    __slots__ = ("_known", "_looked", "_mailboxes")

    def __init__(self, mailboxes: Mailboxes) -> None:
        self._mailboxes = mailboxes
        self._known: dict[str, tuple[Mark, Policy]] = {}
        self._looked: dict[str, Policy] = {}

    def verdict(self, recipient: str, sender: str) -> str:
        """Return the field of the recipient's card that decides on mail from `sender`; raises OSError."""
        found = self._of(recipient)
        if found.damage:
            return HOLD
        return verdict(found.rules, sender) if found.rules else ACCEPT

    def damage(self, recipient: str) -> str:
        """Return what is wrong with the recipient's card, '' where nothing is or there is none; raises OSError."""
        return self._of(recipient).damage

    def look_again(self) -> None:
        """Look at the cards again from now on."""
        self._looked.clear()

    def _of(self, recipient: str) -> Policy:
        found = self._looked.get(recipient)
        if found is None:
            found = self._looked[recipient] = self._look(recipient)
        return found

    def _look(self, recipient: str) -> Policy:
        path = _card(self._mailboxes, recipient)
        try:
            mark = state_files.mark(path, follow=False)
        except FileNotFoundError:
            return Policy({})
        known = self._known.get(recipient)
        if known is None or known[0] != mark:
            known = self._known[recipient] = (mark, _policy(path, (HOLD, REFUSE)))
        return known[1]


def _card(mailboxes: Mailboxes, agent: str) -> str:
    return os.path.join(mailboxes.path, AGENTS, agent + ENDING)


def _policy(path: str, words: tuple[str, ...], is_quick: bool = False) -> Policy:
    """Return what a card says, nothing where none of the words stands in it; raises OSError.

    A quick look does not ask whether such a card is damaged.
    """
    try:
        raw = untrusted.read_file(path, CARD_BYTES)
    except FileNotFoundError:
        return Policy({})
    except (TooLarge, NotAFile) as trouble:
        return Policy({}, wrong_with(trouble))
    if not any(word.encode() in raw for word in words) and (is_quick or _is_plain(raw)):
        return Policy({})
    from ai_bridge.system import front_matter

    try:
        fields, _ = front_matter.parse(raw)
    except ValueError as trouble:
        return Policy({}, str(trouble))
    return Policy({field: entries(fields.get(field)) for field in FIELDS})


def wrong_with(refusal: TooLarge | NotAFile) -> str:
    """Return, in words about a card, why `reading` refuses its file."""
    if isinstance(refusal, TooLarge):
        return f"it has {refusal.facts['size']} bytes, and may have {CARD_BYTES}"
    return f"it is {refusal.facts['kind']}, not a regular file"


def _is_plain(raw: bytes) -> bool:
    """Tell, without a parser of YAML, that a card is whole: lines `name: value` between two lines `---`.

    Any other card is parsed. Source of the signs: YAML 1.2, 7.3.3, plain scalars.
    """
    try:
        lines = raw.decode("utf-8").split("\n")
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
