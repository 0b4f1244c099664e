"""Agents of other teams: their card names the link that carries their mail, and no router here serves them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ai_bridge.errors import DiskError
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.tree import Tree

if TYPE_CHECKING:
    from ai_bridge.agents.cards import Card

LINK, REMOTE, GONE = "link", "remote", "gone"


def linked_agents(mailboxes: Tree) -> dict[str, Card]:
    """Return the cards of the agents that a link reaches, by their addresses here."""
    from ai_bridge.agents import address_book  # a caller that asks only about some agents needs no parser of cards

    return {name: card for name, card in address_book.load_all(mailboxes).items() if card.get(LINK)}


def of_own_team(mailboxes: Tree, agents: list[str]) -> list[str]:
    """Return those of `agents` that no link reaches."""
    homes = mailboxes.part(Homes)
    return [agent for agent in agents if not _is_linked(mailboxes, homes, agent)]


def _is_linked(mailboxes: Tree, homes: Homes, agent: str) -> bool:
    """Tell whether a link reaches the agent; if its card cannot be read now, by the last reading of the card.

    The last reading is reliable, because an agent never changes its team.
    """
    try:
        return homes.residence_of(agent).link != ""
    except DiskError:
        from ai_bridge.agents import address_book

        return bool(address_book.last_read(mailboxes, agent).get(LINK))
