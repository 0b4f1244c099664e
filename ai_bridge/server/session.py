"""One client's session: who it is, known at its first use, and the messages whose reply it has not taken yet."""

from __future__ import annotations

import os
import sys
import threading
from typing import Any

import anyio

from ai_bridge import fetch, identity, inbox, mailboxes, settings
from ai_bridge.errors import NoMailboxes
from ai_bridge.identity import Identity
from ai_bridge.inbox import Waiting
from ai_bridge.locks import Lock
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.server import framing
from ai_bridge.settings import Settings
from ai_bridge.text import printable

_DEFAULT_LIMIT = 100


class Hand:
    """Messages shown in a reply that is on its way; until it is settled no other session reads this agent's mail."""

    __slots__ = ("is_settled", "lock", "shown")

    def __init__(self, lock: Lock, shown: list[Waiting]) -> None:
        self.lock = lock
        self.shown = shown
        self.is_settled = False

    def settle(self, taken: bool) -> None:
        """Acknowledge the messages if the reply was taken; then let others read."""
        try:
            for one in self.shown if taken else []:
                _acknowledge(one)
        finally:
            self.lock.release()


def _acknowledge(one: Waiting) -> None:
    """Acknowledge a message that was shown; where the disk refuses, it is shown again."""
    try:
        one.acknowledge()
    except OSError as error:
        print(f"not acknowledged: {printable(one.path)}: {error.strerror}", file=sys.stderr)


class Session:
    """What the tools of one server act on; `where` and `agent` are its options."""

    def __init__(self, where: str | None, agent: str | None) -> None:
        self._where = where
        self._agent = agent
        self._hands: dict[str, Hand] = {}
        self._mutex = threading.Lock()
        self.turn = anyio.Lock()  # reads asked for at once are answered one after the other

    # --- who and where ----------------------------------------------------------------------------------

    @property
    def mailboxes(self) -> Mailboxes:
        """The mailboxes, found anew at each use: a share may be mounted later. The user's own need not exist."""
        try:
            return mailboxes.find(self._where)
        except NoMailboxes:
            return Mailboxes(mailboxes.user_wide())

    @property
    def settings(self) -> Settings:
        return settings.load(self.mailboxes.path)

    def who(self, client: str | None) -> Identity:
        """Return who the session is, with an outbox to send from; raises `BridgeError`."""
        where = self.mailboxes
        found = identity.who(where, self._agent, client)
        where.make([found.address])
        return found

    def peers(self, client: str | None) -> list[str]:
        """Return the agents whose mail may be read here: all but the session's own; none where none is known."""
        where = self.mailboxes
        if not mailboxes.is_mailboxes(where.path):
            return []
        agents = where.agents()
        if self._agent is None and client not in identity.CLIENTS and not _named_by_environment():
            return agents
        own = identity.who(where, self._agent, client).address
        return [agent for agent in agents if agent != own]

    # --- reading ----------------------------------------------------------------------------------------

    def read(self, request: str | int, client: str | None, sender: str | None, words: dict[str, Any]) -> str:
        """Return the reply to a read; what it shows is acknowledged by `settle`, once the client has it."""
        me, where = self.who(client).address, self.mailboxes
        loaded = settings.load(where.path)
        if sender is not None:
            where.known_writer(sender)
        mode = framing.PEEK if words.get("peek") else str(words.get("acknowledge", framing.AUTO))
        lock = inbox.hold(where, me)
        try:
            waiting = fetch.fetch(where, me, loaded, sender)
            limit, budget = words.get("limit", _DEFAULT_LIMIT), words.get("max_chars", loaded.max_chars)
            reply = framing.reply(me, waiting, int(limit), int(budget), mode)
        except BaseException:
            lock.release()
            raise
        hand = Hand(lock, reply.shown)
        if mode == framing.AUTO and hand.shown:
            with self._mutex:
                self._hands[str(request)] = hand
        else:
            hand.settle(taken=False)
        return reply.text

    @property
    def waiting(self) -> bool:
        """Whether any messages wait for their reply to be taken."""
        return bool(self._hands)

    def awaits(self, request: str | int) -> bool:
        """Tell whether messages wait for the reply to this request to be taken."""
        return str(request) in self._hands

    def settle(self, request: str | int | None, taken: bool) -> None:
        """Acknowledge what a reply showed, if the client took it; harmless for any other request."""
        with self._mutex:
            hand = self._hands.get(str(request))
            if hand is None or hand.is_settled:
                return
            hand.is_settled = True
        try:
            hand.settle(taken)
        finally:
            with self._mutex:
                del self._hands[str(request)]

    def close(self) -> None:
        """Give everything back unread."""
        for request in list(self._hands):
            self.settle(request, taken=False)


def _named_by_environment() -> bool:
    return any(os.environ.get(variable) for variable in identity.VARIABLES)
