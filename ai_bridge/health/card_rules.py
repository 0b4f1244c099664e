"""The rules and the groups of the cards, checked: an entry that is no address, or names nobody, guards nobody."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from ai_bridge.agents import cards, policy
from ai_bridge.agents.cards import Card
from ai_bridge.agents.several import groups
from ai_bridge.errors import BridgeError
from ai_bridge.health.finding import NOTE, Finding
from ai_bridge.machines import this_machine
from ai_bridge.mailboxes.tree import Tree


def examine(where: Tree) -> Iterator[Finding]:
    """Yield a finding for each such entry in a card that is changed on this machine; skips damaged cards."""
    agents = where.agents()
    for agent in agents:
        with suppress(BridgeError):
            card = cards.load(where, agent)
            if _is_ours(card):
                yield from _findings(card, agents)


def _is_ours(card: Card) -> bool:
    return card.get("home") in ("", this_machine.here()) and not card.get("link")


def _findings(card: Card, agents: list[str]) -> Iterator[Finding]:
    said = card.fields | card.rest
    for doubt in policy.doubts(said, agents) + groups.wrong_entries(said):
        yield Finding("card", NOTE, f"the card of {card.address}: {doubt}", f"ai-bridge card edit {card.address}")
