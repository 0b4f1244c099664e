"""Carries a link in a thread with its own event loop, which goes on after every error of the server or the disk."""

from __future__ import annotations

import asyncio
import logging
import sys
import threading
import time
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.link import config
from ai_bridge.link.broker.connection import Connection
from ai_bridge.link.config import Link
from ai_bridge.link.flows import Flows
from ai_bridge.link.state import LOCK, Report
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.wake import Wake
from ai_bridge.router.log import LOGGER, log_step
from ai_bridge.router.recover import recover
from ai_bridge.settings import Settings
from ai_bridge.system import times
from ai_bridge.system.locks import Lock
from ai_bridge.system.signals import signals_blocked

_FIRST_PAUSE_S, _LAST_PAUSE_S = 0.1, 5.0
# After a connection that held this long, the next pause is short again.
_GOOD_S = 10.0
_JOIN_S = 10.0
# The report names this many messages that the server lost: the latest.
_LOST = 100
# How long a thread of this process runs before another may run. The link's moves wait for the router's looks, again
# after each system call: with the usual 5 ms a batch took twice as long.
_SWITCH_S = 0.0005


class Carrier:
    """Carries the link of some mailboxes while this process holds the link's lock."""

    def __init__(self, mailboxes: Tree, settings: Settings, link: Link) -> None:
        self.mailboxes = mailboxes
        self.settings = settings
        self.link = link
        self._report = Report(mailboxes, link)
        self._lock = Lock(mailboxes.lock_file(LOCK, link.team))
        self._stopping = threading.Event()
        self._ended = asyncio.Event()
        self._wake: Wake | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = threading.Thread(target=self._run, name="link", daemon=True)

    def start(self) -> bool:
        """Take the link's lock and start the thread; False if another process carries the link. Raises OSError."""
        if not self._lock.acquire(LOCK, self.link.team):
            return False
        self._lock.describe(LOCK, self.link.team, ready=True)
        sys.setswitchinterval(_SWITCH_S)
        with signals_blocked():
            self._thread.start()
        return True

    @property
    def is_alive(self) -> bool:
        """Whether it still carries the link: the thread stops if the link is removed or changed."""
        return self._thread.is_alive()

    def stop(self) -> None:
        """Stop the thread, which releases the lock; waits for it at most 10 seconds."""
        self._stopping.set()
        with suppress(RuntimeError):  # its loop has ended already
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._ended.set)
        self._thread.join(_JOIN_S)

    # --- the thread -------------------------------------------------------------------------------------

    def _run(self) -> None:
        try:
            asyncio.run(self._live())
        except Exception:
            LOGGER.exception("the link ended")
        finally:
            self._lock.release()

    async def _live(self) -> None:
        """Connect again and again until `stop` is called, or until the link is removed or changed."""
        self._loop = asyncio.get_running_loop()
        self._flows = Flows(self.mailboxes, self.settings, self.link)
        self._recover()
        with Wake.over(self.mailboxes, self.settings, self._flows.directories) as self._wake:
            with signals_blocked():
                threading.Thread(target=self._watch, args=(self._wake,), name="link wake", daemon=True).start()
            pause = _FIRST_PAUSE_S
            while not self._stopping.is_set():
                begun = time.monotonic()
                await self._guarded_session()
                pause = _FIRST_PAUSE_S if time.monotonic() - begun > _GOOD_S else min(2 * pause, _LAST_PAUSE_S)
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._ended.wait(), pause)
            self._report.say(since="", trouble="its router ended")

    def _recover(self) -> None:
        """Release the claims of a dead process; the stream recognizes messages that it had already published."""
        try:
            self._flows.outgoing.refresh()
            for step in recover(self._flows.outgoing, counted=False):
                log_step(step, "link: ")
            self._flows.incoming.adopt()
        except (BridgeError, OSError) as trouble:
            LOGGER.error("recovery of the link failed: %s", trouble)

    def _watch(self, wake: Wake) -> None:
        """Run in a thread of its own: hand each wake on to the event loop."""
        rescan = True
        while not self._stopping.is_set() and self._loop is not None:
            woken = wake.wait(self.settings.sweep_s, rescan)
            rescan = not woken or wake.changed is None
            if woken:
                with suppress(RuntimeError):  # the loop has ended
                    self._loop.call_soon_threadsafe(self._flows.woken, wake.changed)

    # --- one connection ---------------------------------------------------------------------------------

    async def _guarded_session(self) -> None:
        """Serve while the connection holds; every error is logged once, and none leaves this method."""
        server = Connection(self.link)
        try:
            await server.open()
            await server.prepare()
            await self._session(server)
        except BridgeError as trouble:
            self._fail(str(trouble))
        except OSError as error:
            self._fail(str(disk_error(self.mailboxes.path, error)))
        except Exception as fault:
            LOGGER.exception("the link failed")
            self._fail(f"a fault of the link: {fault!r}")
        finally:
            await server.close()

    def _fail(self, trouble: str) -> None:
        self._flows.log_once(logging.ERROR, f"the link {self.link.team}: {trouble}")
        with suppress(OSError):
            self._report.say(since="", trouble=trouble, to_receive=None)

    async def _session(self, server: Connection) -> None:
        """Run all flows until one fails, the connection is lost, or `stop` is called; raises the cause, if any."""
        flows = [*self._flows.all(server), self._tell()]
        self._report.say(since=times.format_utc(time.time()), trouble="")
        tasks: list[asyncio.Future[Any]] = [asyncio.ensure_future(flow) for flow in (*flows, self._ended.wait())]
        try:
            done, _ = await asyncio.wait([*tasks, server.lost], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        if self._stopping.is_set():
            return
        errors = [task.exception() for task in done if not task.cancelled()]
        raise next(filter(None, errors), None) or server.ending()

    async def _tell(self) -> None:
        """Report at each sweep what waits; stop carrying if the link has been changed or removed."""
        while True:
            found = config.load(self.mailboxes)
            if found is None or not found.is_same(self.link):
                self._stopping.set()
                self._ended.set()
                return
            pull = self._flows.pull
            self._report.say(
                to_receive=pull.pending if pull else None,
                owed=len(self._flows.journal),
                sent=self._flows.upkeep.waiting,
                lost=dict(list(self._flows.upkeep.lost.items())[-_LOST:]),
                notes=_notes(self._flows),
            )
            await asyncio.sleep(self.settings.sweep_s)


def _notes(flows: Flows) -> list[str]:
    """Return sentences that a person should know about the link, besides whether it is connected."""
    found = []
    if lost := len(flows.upkeep.lost):
        found.append(
            f"the server had lost {lost} messages that no team has: `ai-bridge status ID` says what was done"
        )
    for team in sorted(flows.book.crowded):
        limit = flows.book.limit
        found.append(f"the team {team} has {limit} agents here: more were refused (setting team_agents)")
    for team in sorted(flows.incoming.overfull):
        found.append(f"too much of the team {team} is held or malformed: more was refused (setting team_set_aside)")
    for team, count in sorted(flows.refused.removed.items()):
        whose = f"from {team}" if team else "that name no team"
        found.append(f"{count} refused messages {whose} were removed (setting team_refused_bytes)")
    return found


def try_once(link: Link, action: Callable[[Connection], Coroutine[None, None, None]]) -> None:
    """Connect, await `action` with the connection, and close; raises `Trouble` or `Refusal`."""

    async def do() -> None:
        server = Connection(link)
        try:
            await server.open()
            await action(server)
        finally:
            await server.close()

    asyncio.run(do())
