"""Whether an agent was removed: its card says so. `retirement` removes agents, and brings them back."""

from ai_bridge.machines.home_lines import said_by
from ai_bridge.mailboxes.card_files import CardFile, CardFiles
from ai_bridge.mailboxes.tree import Tree

RETIRED = "retired"
# How the field begins if a session's name retired by itself. Else it is the time when a person removed the agent.
UNUSED = "unused since "


def says_retired(card: CardFile) -> str:
    """Return since when a card says that its agent is removed, and if by itself; '' if it does not."""
    return said_by(card.raw).get(RETIRED, "") if RETIRED.encode() in card.raw else ""


def retired_since(mailboxes: Tree, address: str) -> str:
    """Return since when an agent is removed; '' if it is not, or if its card is missing or cannot be read now."""
    try:
        return mailboxes.part(CardFiles).card_of(address).meaning(says_retired)
    except OSError:
        return ""
