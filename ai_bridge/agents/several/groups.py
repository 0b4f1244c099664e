"""Groups: `#backend` means the agents whose cards name `backend` in the field `groups`.

A missing or damaged card names no group.
"""

from ai_bridge.agents import policy
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.card_files import CardFile, CardFiles
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import GROUP, is_group
from ai_bridge.text import hint

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

FIELD = "groups"


class NobodyInGroup(BridgeError):
    sentence = (
        "nobody else in the project of {sender} is in the group {group}{hint}: groups here are {known} "
        "(`ai-bridge card set groups=NAME ADDRESS` puts an agent into one)"
    )
    for_model = (
        "nobody else in the project of {sender} is in the group {group}{hint}: groups here are {known}; tell your "
        "user that `ai-bridge card set groups=NAME ADDRESS` puts an agent into one"
    )


def said_by(fields: "Mapping[str, object]") -> list[str]:
    """Return the groups that the fields of a card name, each as `#backend`; entries that are no group are left out.

    The field is a text with commas or blanks between the names, or a list of such texts.
    """
    named = [_marked(entry) for entry in policy.entries(fields.get(FIELD))]
    return list(dict.fromkeys(filter(is_group, named)))


def wrong_entries(fields: "Mapping[str, object]") -> list[str]:
    """Return a sentence for each value in the field `groups` of a card that is no name of a group."""
    value = fields.get(FIELD)
    values = value if isinstance(value, list) else [] if value is None else [value]
    wrong: list[object] = [one for one in values if not isinstance(one, str)]
    wrong += [entry for entry in policy.entries(value) if not is_group(_marked(entry))]
    return [
        f"{FIELD} holds names such as backend, in the letters of an address, and {one!r} is none" for one in wrong
    ]


def groups_of(mailboxes: Tree, agent: str) -> list[str]:
    """Return the groups that an agent's card names, each as `#backend`; reads the card once in one look.

    Raises OSError if the card cannot be read now.
    """
    try:
        return mailboxes.part(CardFiles).card_of(agent).meaning(_parsed)
    except FileNotFoundError:
        return []


def members(groups: "Mapping[str, list[str]]", group: str, sender: str) -> list[str]:
    """Return the agents in `group`, by the `groups` of each agent that `sender` may mean; raises `NobodyInGroup`."""
    found = [agent for agent, named in groups.items() if group in named]
    if not found:
        known = sorted({one for named in groups.values() for one in named})
        said = ", ".join(known) or "none yet"
        raise NobodyInGroup(sender=sender, group=group[:80], hint=hint(group, known), known=said)
    return found


def _marked(entry: str) -> str:
    return entry if entry.startswith(GROUP) else GROUP + entry


def _parsed(card: CardFile) -> list[str]:
    if card.wrong or FIELD.encode() not in card.raw:
        return []
    from ai_bridge.system import front_matter  # most cards name no group

    try:
        return said_by(front_matter.parse(card.raw)[0])
    except ValueError:
        return []
