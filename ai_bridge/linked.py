"""Agents of other teams: those whose card names the link that carries their mail, and no router here serves."""

from ai_bridge import cards
from ai_bridge.cards import Card
from ai_bridge.mailboxes import Mailboxes

LINK, REMOTE, GONE = "link", "remote", "gone"


def linked(mailboxes: Mailboxes) -> dict[str, Card]:
    """Return the cards of the agents that are reached by a link, by their addresses here."""
    return {name: card for name, card in cards.load_all(mailboxes).items() if card.get(LINK)}
