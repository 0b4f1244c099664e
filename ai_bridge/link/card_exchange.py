"""Exchanges cards: learns the cards of other teams' agents, and publishes those of ours that changed."""

from __future__ import annotations

import logging
from collections.abc import Callable

from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.link import config, wire
from ai_bridge.link.broker.connection import Connection
from ai_bridge.link.broker.publishing import Item
from ai_bridge.link.config import Trouble
from ai_bridge.link.remote_agents import NameTakenHere, RemoteAgents, TooManyAgents
from ai_bridge.router.log import LOGGER


class Roster:
    """The exchange of cards over one connection; `note` logs a sentence once."""

    def __init__(self, book: RemoteAgents, note: Callable[[int, str], None]) -> None:
        self._book = book
        self._note = note
        self._first = 1
        self._ours: dict[str, bytes] = {}

    def begin(self) -> None:
        """Forget what the server had, because the next connection may lead to another server."""
        self._first = 1
        self._ours.clear()

    async def learn(self, server: Connection) -> bool:
        """Write the new cards into the mailboxes; True if an agent came, changed or left. Raises `Trouble`."""
        changed = False
        while cards := await server.cards_since(self._first):
            for number, subject, raw in cards:
                self._first = number + 1
                changed |= self._learn(subject, raw)
        return changed

    def _learn(self, subject: str, raw: bytes) -> bool:
        team = self._book.link.team
        try:
            writer, agent = wire.parse_card_subject(subject)
            if writer == team:
                self._ours[subject] = raw
            elif called := self._book.learn(writer, agent, raw):
                LOGGER.info("the link %s: %s %s", team, called, "is known" if raw else "left")
                return True
        except (NameTakenHere, TooManyAgents) as refusal:
            self._note(logging.WARNING, f"the link {team}: {refusal}")
        except BridgeError as refusal:
            self._note(logging.WARNING, f"the link {team}: a card was refused: {refusal}")
        except OSError as error:
            self._note(logging.ERROR, f"the link {team}: {disk_error(self._book.mailboxes.path, error)}")
        return False

    async def publish(self, server: Connection) -> None:
        """Publish those of our cards that changed, and an empty one for an agent that is gone; raises `Trouble`.

        Once the link was removed or changed, it publishes nothing: `joining.end` has taken the cards back.
        """
        wanted = self._book.cards()
        for agent in self._book.unnamed:
            self._note(logging.WARNING, f"other teams cannot reach {agent}: another agent has its name there")
        gone = {subject: b"" for subject, raw in self._ours.items() if raw and subject not in wanted}
        changed = {subject: raw for subject, raw in (wanted | gone).items() if self._ours.get(subject) != raw}
        if changed and not self._is_linked():
            return
        items: list[Item] = [(subject, raw, {}) for subject, raw in changed.items()]
        troubles = await server.publish(wire.CARDS, items)
        if any(troubles):
            raise Trouble(what=f"the stream takes no cards: {next(filter(None, troubles))}")
        self._ours |= changed

    def _is_linked(self) -> bool:
        found = config.load(self._book.mailboxes)
        return found is not None and found.is_same(self._book.link)
