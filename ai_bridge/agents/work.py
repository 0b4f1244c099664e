"""The line of a card that says what its agent works on now: the agent sets it, and everybody sees it."""

from ai_bridge.agents import cards
from ai_bridge.agents.cards import Card
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.text import printable, shorten

FIELD = "working_on"
_LENGTH = 120


def work_of(card: Card) -> str:
    """Return what the agent of the card works on, in one line that is safe to show; '' if it does not say."""
    return shorten(printable(card.get(FIELD)), _LENGTH)


def set_work(mailboxes: Tree, address: str, work: str) -> str:
    """Set what an agent works on, as one line of at most 120 characters; '' removes the line. Returns the line.

    Blanks and control characters become one blank each. Writes the card; raises what `cards.change` does.
    """
    line = shorten(" ".join("".join(ch if ch.isprintable() else " " for ch in work).split()), _LENGTH)
    cards.change(mailboxes, address, {FIELD: line})
    return line
