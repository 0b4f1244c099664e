"""Cards are published while the link is there, and not by a router that has yet to see that it was removed."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import pytest

from ai_bridge.link import config, wire
from ai_bridge.link.broker.connection import Connection
from ai_bridge.link.card_exchange import Roster
from ai_bridge.link.config import Link
from ai_bridge.link.remote_agents import RemoteAgents
from ai_bridge.mailboxes.tree import Tree


class Stream:
    """A stand-in for the server's stream of cards: keeps what is published, as the server would hand it on."""

    def __init__(self) -> None:
        self.cards: list[tuple[int, str, bytes]] = []

    async def cards_since(self, first: int) -> list[tuple[int, str, bytes]]:
        return [card for card in self.cards if card[0] >= first]

    async def publish(self, stream: str, items: list[tuple[str, bytes, dict[str, Any]]]) -> list[None]:
        assert stream == wire.CARDS
        for subject, raw, _ in items:
            self.cards.append((len(self.cards) + 1, subject, raw))
        return [None] * len(items)


@pytest.fixture
def link(where: Tree) -> Link:
    link = Link("north", "nats://127.0.0.1:4")
    config.store(where, link)
    return link


@pytest.fixture
def roster(where: Tree, link: Link) -> Roster:
    book = RemoteAgents(where, link, 10)
    book.refresh()
    return Roster(book, lambda level, sentence: None)


def _turn(roster: Roster, stream: Stream) -> None:
    async def turn() -> None:
        await roster.learn(cast(Connection, stream))
        await roster.publish(cast(Connection, stream))

    asyncio.run(turn())


def test_what_changed_is_published_once(roster: Roster) -> None:
    stream = Stream()
    _turn(roster, stream)
    assert len(stream.cards) == 2
    _turn(roster, stream)
    assert len(stream.cards) == 2


def test_a_router_that_has_not_seen_that_its_link_was_removed_does_not_bring_the_agents_back(
    where: Tree, link: Link, roster: Roster
) -> None:
    stream = Stream()
    _turn(roster, stream)
    config.remove(where, link)
    asyncio.run(stream.publish(wire.CARDS, [(subject, b"", {}) for _, subject, _ in stream.cards]))
    _turn(roster, stream)
    last = {subject: raw for _, subject, raw in stream.cards}
    assert len(last) == 2
    assert set(last.values()) == {b""}
