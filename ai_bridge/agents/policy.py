"""The rules of an agent's card for mail: its fields `accept`, `hold` and `refuse` name senders, or `*` for everybody.

A sender's own name counts before `*`. If several fields name a sender, the strictest counts. A sender that no field
names is accepted. A missing card accepts all mail. A damaged card holds all mail, because it may have said so. A card
that cannot be read now decides nothing yet. A card that this program wrote without such fields is not parsed as YAML.
"""

from ai_bridge.agents.retired import RETIRED, says_retired
from ai_bridge.errors import Malformed
from ai_bridge.mailboxes.card_files import CardFile, CardFiles
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import EVERYONE, is_address
from ai_bridge.text import hint

FIELDS = ACCEPT, HOLD, REFUSE = ("accept", "hold", "refuse")

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    # The senders that each field names, by field.
    Rules = dict[str, list[str]]


class RefusedByCard(Malformed):
    sentence = "{recipient} takes no mail from {sender}: its card says so (`ai-bridge card show {recipient}`)"
    for_model = "{recipient} takes no mail from {sender}: its card says so; tell your user"


class RecipientRemoved(RefusedByCard):
    sentence = "{recipient} was removed and takes no mail: `ai-bridge init {recipient}` brings it back"
    for_model = (
        "{recipient} was removed and takes no mail: tell your user that `ai-bridge init {recipient}` brings it back"
    )


def entries(value: object) -> list[str]:
    """Return the entries of a field: of a text with commas or blanks between them, or of a list of such texts."""
    texts = value if isinstance(value, list) else [value]
    return [entry for text in texts if isinstance(text, str) for entry in text.replace(",", " ").split()]


def is_entry(text: str) -> bool:
    """Tell whether `text` is a valid entry of a field: an address or `*`."""
    return text == EVERYONE or is_address(text)


def wrong_entries(fields: "Mapping[str, object]") -> list[str]:
    """Return a sentence for each value in the rules of a card that is neither an address nor `*`."""
    found = []
    for field in FIELDS:
        value = fields.get(field)
        values = value if isinstance(value, list) else [] if value is None else [value]
        wrong = [one for one in values if not isinstance(one, str)]
        wrong += [entry for entry in entries(value) if not is_entry(entry)]
        found += [f"{field} names addresses, or * for everybody, and {one!r} is neither" for one in wrong]
    return found


def doubts(fields: "Mapping[str, object]", agents: "Collection[str]") -> list[str]:
    """Return a sentence for each entry in the rules of a card that is no address, or not one of the `agents` yet."""
    unknown = [
        (field, entry)
        for field in FIELDS
        for entry in entries(fields.get(field))
        if entry != EVERYONE and is_entry(entry) and entry not in agents
    ]
    named = [f"{field} names {entry}; there is no agent {entry} yet{hint(entry, agents)}" for field, entry in unknown]
    return wrong_entries(fields) + named


def verdict(rules: "Rules", sender: str) -> str:
    """Return the field that decides on mail from `sender`: `accept`, `hold` or `refuse`."""
    for entry in (sender, EVERYONE):
        for field in (REFUSE, HOLD, ACCEPT):
            if entry in rules.get(field, ()):
                return field
    return ACCEPT


def refusal(mailboxes: Tree, recipient: str, sender: str) -> RefusedByCard | None:
    """Return why a recipient's card refuses mail from `sender`; None if it does not, or cannot be read now."""
    try:
        card = mailboxes.part(CardFiles).card_of(recipient)
    except OSError:
        return None
    may_refuse = any(word.encode() in card.raw for word in (REFUSE, RETIRED))
    return _refusal(_policy(card), recipient, sender) if may_refuse else None


def _refusal(found: "Policy", recipient: str, sender: str) -> RefusedByCard | None:
    if found.is_retired:
        return RecipientRemoved(recipient=recipient, sender=sender)
    refused = bool(found.rules) and verdict(found.rules, sender) == REFUSE
    return RefusedByCard(recipient=recipient, sender=sender) if refused else None


class Policy:
    """The policy of one card: its `rules`, and its `damage`, which hides other rules; '' if it has none.

    An agent that `is_retired` takes no mail at all.
    """

    __slots__ = ("damage", "is_retired", "rules")

    def __init__(self, rules: "Rules", damage: str = "", is_retired: bool = False) -> None:
        self.rules = rules
        self.damage = damage
        self.is_retired = is_retired


class Policies:
    """The policies of all recipients; reads each card only once until `look_again`."""

    __slots__ = ("_cards", "_looked")

    def __init__(self, cards: CardFiles) -> None:
        self._cards = cards
        self._looked: dict[str, Policy] = {}

    def verdict(self, recipient: str, sender: str) -> str:
        """Return the field of the recipient's card that decides on mail from `sender`; `hold` if the card is damaged.

        Raises OSError.
        """
        found = self._of(recipient)
        if found.is_retired:
            return REFUSE
        if found.damage:
            return HOLD
        return verdict(found.rules, sender) if found.rules else ACCEPT

    def refusal(self, recipient: str, sender: str) -> RefusedByCard | None:
        """Return why the recipient's card refuses mail from `sender`, None if it does not; raises OSError."""
        return _refusal(self._of(recipient), recipient, sender)

    def damage(self, recipient: str) -> str:
        """Return what is wrong with the recipient's card, '' if it is whole or missing; raises OSError."""
        return self._of(recipient).damage

    def look_again(self) -> None:
        """Forget all policies, so that the cards are read again."""
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
    """Return the policy of a card; it is empty if the card is whole, and neither holds nor refuses mail."""
    if card.meaning(says_retired):
        return Policy({}, is_retired=True)
    if card.wrong or (not any(word.encode() in card.raw for word in (HOLD, REFUSE)) and card.is_plain()):
        return Policy({}, card.wrong)
    from ai_bridge.system import front_matter  # a send asks only whether a card refuses its sender

    try:
        fields, _ = front_matter.parse(card.raw)
    except ValueError as trouble:
        return Policy({}, str(trouble))
    return Policy({field: entries(fields.get(field)) for field in FIELDS})
