"""What an agent's card says of mail from others: fields `accept`, `hold` and `refuse`, each naming senders or `*`.

A sender that is named goes before `*`; said twice, the stricter counts; who is not spoken of is accepted. A card that
is missing accepts. A damaged one holds everybody's mail, for it may have said so. One that cannot be read now says
nothing yet. Cards as this program writes them are not parsed as YAML where they speak of nothing.
"""

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes import card_files
from ai_bridge.mailboxes.card_files import CardFile, CardFiles
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message.address import EVERYONE, is_address
from ai_bridge.system import front_matter

FIELDS = ACCEPT, HOLD, REFUSE = ("accept", "hold", "refuse")

TYPE_CHECKING = False
if TYPE_CHECKING:
    # By field the senders it names.
    Rules = dict[str, list[str]]


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
        card = card_files.read(card_files.path_of(mailboxes, recipient))
    except OSError:
        return False
    found = _policy(card) if REFUSE.encode() in card.raw else Policy({})
    return bool(found.rules) and verdict(found.rules, sender) == REFUSE


class Policy:
    """What one card says: its `rules`, and the `damage` that keeps it from saying more, '' where there is none."""

    __slots__ = ("damage", "rules")

    def __init__(self, rules: "Rules", damage: str = "") -> None:
        self.rules = rules
        self.damage = damage


class Policies:
    """The policies of all recipients; a card is looked at once until `look_again`."""

    __slots__ = ("_cards", "_looked")

    def __init__(self, cards: CardFiles) -> None:
        self._cards = cards
        self._looked: dict[str, Policy] = {}

    def verdict(self, recipient: str, sender: str) -> str:
        """Return the field of the recipient's card that decides on mail from `sender`; raises OSError."""
        found = self._of(recipient)
        if found.damage:
            return HOLD
        return verdict(found.rules, sender) if found.rules else ACCEPT

    def damage(self, recipient: str) -> str:
        """Return what is wrong with the recipient's card, '' if nothing is or there is none; raises OSError."""
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
        try:
            return self._cards.card_of(recipient).meaning(_policy)
        except FileNotFoundError:
            return Policy({})


def _policy(card: CardFile) -> Policy:
    """Return what a card says of mail: nothing if it is whole and neither holds nor refuses."""
    if card.wrong or (not any(word.encode() in card.raw for word in (HOLD, REFUSE)) and card.is_plain()):
        return Policy({}, card.wrong)
    try:
        fields, _ = front_matter.parse(card.raw)
    except ValueError as trouble:
        return Policy({}, str(trouble))
    return Policy({field: entries(fields.get(field)) for field in FIELDS})
