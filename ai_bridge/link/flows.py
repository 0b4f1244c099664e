"""The flows over one connection: mail and receipts both ways, and cards. An error ends it; the next one goes on.

The event loop's own thread changes the files, because a batch takes only some hundredths of a second.
"""

from __future__ import annotations

import asyncio
import logging
import os
from collections.abc import Coroutine
from typing import Any

from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.link import receipts, wire
from ai_bridge.link.broker.connection import Connection
from ai_bridge.link.broker.publishing import Item
from ai_bridge.link.broker.streams import Pull
from ai_bridge.link.card_exchange import Roster
from ai_bridge.link.config import Link, Trouble
from ai_bridge.link.incoming import DROP, TERMINATE, Arrival, Incoming
from ai_bridge.link.outgoing import Outgoing, Parcel
from ai_bridge.link.owed_receipts import Journal
from ai_bridge.link.refused import Refused
from ai_bridge.link.remote_agents import RemoteAgents
from ai_bridge.link.upkeep import Upkeep
from ai_bridge.mailboxes.outbox import DIRECTORIES, DROPPED, MALFORMED, READ, Outbox
from ai_bridge.mailboxes.tree import AGENTS, Tree
from ai_bridge.router.log import LOGGER, log_step
from ai_bridge.router.step import Step
from ai_bridge.settings import Settings

# Pauses: after the disk refused something, and before a receipt that came too early is looked at again.
_RETRY_S, _EARLY_S = 0.5, 0.25
# The number of sweeps between two checks of the messages that the stream took.
_UPKEEP_SWEEPS = 12
_ENDED = (DIRECTORIES[READ], DIRECTORIES[MALFORMED])


class Flows:
    """The flows of one link; `woken` makes the flows look again that a wake may concern."""

    def __init__(self, mailboxes: Tree, settings: Settings, link: Link) -> None:
        self.mailboxes = mailboxes
        self.settings = settings
        self.link = link
        self.book = RemoteAgents(mailboxes, link, settings.team_agents)
        self.journal = Journal(link.file(mailboxes, ".owed"))
        self.outgoing = Outgoing(mailboxes, settings, self.book)
        self.refused = Refused(mailboxes.state_file("links", "refused"), settings.team_refused_bytes)
        self.incoming = Incoming(self.book, self.journal, self.refused, settings.team_set_aside)
        self.upkeep = Upkeep(self.outgoing)
        self.pull: Pull | None = None
        self._roster = Roster(self.book, self.log_once)
        self._said: set[str] = set()
        self._mail, self._receipts, self._people = asyncio.Event(), asyncio.Event(), asyncio.Event()
        self._hints: set[str] | None = None

    def all(self, server: Connection) -> list[Coroutine[None, None, None]]:
        """Return every flow of a new connection, to be run at the same time; each raises `Trouble` or OSError."""
        LOGGER.info("the link %s is connected to %s", self.link.team, self.link.shown_url)
        self._said.clear()
        return [
            self._send(server),
            self._receive(server),
            self._send_receipts(server),
            self._receive_receipts(server),
            self._exchange_cards(server),
            self._look_after(server),
        ]

    # --- mail -------------------------------------------------------------------------------------------

    async def _send(self, server: Connection) -> None:
        self.outgoing.limit = server.max_payload
        self._hints = None
        while True:
            self._mail.clear()
            for parcels, steps in self.outgoing.batches(self._hinted()):
                self._tell(steps)
                await self._send_batch(server, parcels)
            if not await self._until(self._mail):
                self._hints = None

    def _hinted(self) -> list[Outbox] | None:
        """Return the outboxes that wakes hinted at since the last look; None for all."""
        hints = self._hints
        self._hints = set()
        return None if hints is None else self.mailboxes.outboxes_of(frozenset(hints))

    def _tell(self, steps: list[Step]) -> None:
        for step in steps:
            if step.verb in ("leave", "retry"):
                self._again_soon()
            else:
                log_step(step, "link: ")

    async def _send_batch(self, server: Connection, parcels: list[Parcel]) -> None:
        """Publish a batch, and deliver the messages that the stream took; raises `Trouble` if it did not take all."""
        troubles = await self._published(server, parcels)
        for parcel, trouble in zip(parcels, troubles, strict=True):
            if trouble is None:
                log_step(self.outgoing.accepted(parcel), "link: ")
        left = [parcel for parcel, trouble in zip(parcels, troubles, strict=True) if trouble is not None]
        self.outgoing.give_back(left)
        if left:
            raise Trouble(what=f"the stream takes no mail: {next(filter(None, troubles))}")

    async def _published(self, server: Connection, parcels: list[Parcel]) -> list[BaseException | None]:
        """Publish parcels; gives all of them back if that raises, because nobody knows which the stream stored."""
        try:
            return await server.publish(wire.MAIL, [(one.subject, one.raw, one.headers) for one in parcels])
        except BaseException:
            self.outgoing.give_back(parcels)
            raise

    def _again_soon(self) -> None:
        """Look at everything again after a moment, because a file is not complete or the disk refused a move."""
        asyncio.get_running_loop().call_later(max(self.settings.settle_s, _RETRY_S), self.woken, None)

    async def _receive(self, server: Connection) -> None:
        self.pull = pull = await server.pull(wire.MAIL)
        while True:
            if batch := await pull.batch():
                await self._take(server, batch)

    async def _take(self, server: Connection, batch: list[Any]) -> None:
        arrivals = [Arrival(msg.subject, dict(msg.headers or {}), msg.data) for msg in batch]
        try:
            self.incoming.take(arrivals)
        except (OSError, BridgeError) as trouble:
            why = disk_error(self.mailboxes.path, trouble) if isinstance(trouble, OSError) else trouble
            self.log_once(logging.ERROR, f"mail of the link waits: {why}")
            await self._later(batch, _RETRY_S)
            return
        said = self.incoming.arrived(arrivals)
        await self._publish_receipts(server, said)  # first: the ack removes the mail, for which its sender asks
        for arrival, msg in zip(arrivals, batch, strict=True):
            if arrival.verdict == TERMINATE:
                await self._refuse(server, arrival, msg)
            else:
                await msg.ack()
        self.journal.flush()
        if any(arrival.verdict == DROP and arrival.recipient not in self.outgoing.agents for arrival in arrivals):
            self._again_soon()  # there is no such recipient: our own router rejects it

    async def _refuse(self, server: Connection, arrival: Arrival, msg: Any) -> None:
        """Send the sender a receipt with the reason, if there is a sender, and never let the message come again."""
        LOGGER.warning("the link %s refused what came as %s: %s", self.link.team, arrival.subject, arrival.why)
        if (told := self.incoming.refusal(arrival)) is not None:
            await self._publish_receipts(server, [told])
        await msg.term()

    async def _publish_receipts(self, server: Connection, said: list[tuple[str, bytes]]) -> None:
        troubles = await server.publish(wire.RECEIPTS, [(subject, raw, {}) for subject, raw in said])
        if any(troubles):
            raise Trouble(what=f"the stream takes no receipts: {next(filter(None, troubles))}")

    async def _later(self, batch: list[Any], seconds: float) -> None:
        for msg in batch:
            await msg.nak(delay=seconds)
        await asyncio.sleep(seconds)

    # --- receipts ---------------------------------------------------------------------------------------

    async def _send_receipts(self, server: Connection) -> None:
        while True:
            self._receipts.clear()
            while due := receipts.due(self.book, self.journal):
                items: list[Item] = [(one.subject, one.raw, {}) for one in due]
                troubles = await server.publish(wire.RECEIPTS, items)
                sent = [one.debt for one, trouble in zip(due, troubles, strict=True) if trouble is None]
                self.journal.strike_out(sent)
                if len(sent) < len(due):
                    raise Trouble(what=f"the stream takes no receipts: {next(filter(None, troubles))}")
            await self._until(self._receipts)

    async def _receive_receipts(self, server: Connection) -> None:
        pull = await server.pull(wire.RECEIPTS)
        while True:
            for msg in await pull.batch():
                try:
                    await self._conclude(msg)
                except BridgeError as refusal:
                    LOGGER.warning("the link %s refused a receipt: %s", self.link.team, refusal)
                    await msg.term()

    async def _conclude(self, msg: Any) -> None:
        _, team, sender = wire.parse_subject(msg.subject)
        said = wire.parse_receipts(msg.data)
        try:
            done = [self.outgoing.conclude(sender, team, receipt) for receipt in said]
        except OSError as error:
            self.log_once(logging.ERROR, f"a receipt of the link waits: {disk_error(self.mailboxes.path, error)}")
            done = [False]
        if all(done):
            await msg.ack()
        else:
            await msg.nak(delay=_EARLY_S)

    # --- cards, and what was sent -----------------------------------------------------------------------

    async def _exchange_cards(self, server: Connection) -> None:
        """Learn the cards of other teams, and publish those of ours that changed."""
        self._roster.begin()
        while True:
            self._people.clear()
            if await self._roster.learn(server):
                self.woken(None)
            await self._roster.publish(server)
            await self._until(self._people)

    async def _look_after(self, server: Connection) -> None:
        while True:
            await self.upkeep.check(server)
            await asyncio.sleep(_UPKEEP_SWEEPS * self.settings.sweep_s)

    # --- waking -----------------------------------------------------------------------------------------

    async def _until(self, event: asyncio.Event) -> bool:
        """Wait for a wake; False if a sweep is due, to look at everything."""
        try:
            await asyncio.wait_for(event.wait(), self.settings.sweep_s)
        except TimeoutError:
            return False
        return True

    def woken(self, changed: frozenset[str] | None) -> None:
        """Wake the flows that a change in these directories may concern; None stands for all."""
        if changed is None:
            self._hints = None
            events: tuple[asyncio.Event, ...] = (self._mail, self._receipts, self._people)
        else:
            ended = {path for path in changed if path.endswith(_ENDED)}
            people = {path for path in changed if os.path.basename(path) == AGENTS}
            roots = changed - ended - people
            self._hints = None if self._hints is None else self._hints | roots
            flows = ((self._mail, roots), (self._receipts, ended), (self._people, people))
            events = tuple(event for event, found in flows if found)
        for event in events:
            event.set()

    def directories(self) -> list[str]:
        """Return the directories to watch: of dropped mail, of the ends of other teams' mail, and of the cards."""
        try:
            outboxes = self.mailboxes.outboxes()
        except (BridgeError, OSError):
            outboxes = []
        others = self.book.others
        ends = [one.directory(state) for one in outboxes if one.owner in others for state in (READ, MALFORMED)]
        roots = [one.directory(DROPPED) for one in outboxes if one.owner not in others]
        return [self.mailboxes.path, os.path.join(self.mailboxes.path, AGENTS), *roots, *ends]

    def log_once(self, level: int, sentence: str) -> None:
        """Log a sentence once, until the link is connected again."""
        if sentence not in self._said:
            LOGGER.log(level, "%s", sentence)
        self._said.add(sentence)
