"""How this server reaches its own session: it watches the inbox, answers hooks, and sends notifications."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import CancelledError
from contextlib import suppress
from functools import partial
from typing import Any

import mcp_types as types
from mcp.server.subscriptions import InMemorySubscriptionBus, ResourceUpdated, ToolsListChanged

from ai_bridge import clients
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.wake import Wake
from ai_bridge.reach.session_watch import Means, Watch
from ai_bridge.reach.ways import NotReached, Ways, ways_of
from ai_bridge.server.client_session import Session
from ai_bridge.server.membership import Caller

INBOX = "mail://inbox"
_AGENTS_SWEEP_S, _RETRY_S = 60.0, 5.0
_NOTIFY_S = 5.0


class Reaching:
    """The means to reach one server's session; they begin at the first list of tools or the first call."""

    def __init__(self, session: Session) -> None:
        self.bus = InMemorySubscriptionBus()
        self.listed: list[str] | None = None  # agents with a reading tool in the list, as the client last heard
        self._session = session
        self._caller: Caller | None = None
        self._connection: Any = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._subscribed = False
        self._streams = 0
        self._ended = threading.Event()
        self._said = ""
        self._thread: threading.Thread | None = None
        self._interrupt: Callable[[], None] = lambda: None

    # --- on the event loop ------------------------------------------------------------------------------

    def begin(self, connection: Any, caller: Caller) -> None:
        """Remember the caller and its connection, and start the thread that watches; harmless to repeat.

        Must run on the event loop, which the thread uses to notify the client.
        """
        self._connection, self._loop = connection, asyncio.get_running_loop()
        before, known = self._wants_mail(), self._caller or caller
        self._caller = Caller(caller.client or known.client, caller.key or known.key)
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="reach", daemon=True)
            self._thread.start()
        elif self._wants_mail() != before:
            self._interrupt()

    def subscribe(self, wanted: bool) -> None:
        """Remember whether the client subscribes to the inbox; a second subscription changes nothing."""
        self._subscribed = wanted
        self._interrupt()

    @property
    def _is_listened_to(self) -> bool:
        """Whether the client has a subscription to the inbox, in either protocol era."""
        return self._subscribed or self._streams > 0

    async def listen(self, handler: Any, context: Any, words: types.SubscriptionsListenRequestParams) -> Any:
        """Serve one stream of subscriptions; the inbox is watched while at least one stream asks for it."""
        by = 1 if INBOX in (words.notifications.resource_subscriptions or ()) else 0
        self._streams += by
        self._interrupt()
        try:
            return await handler(context, words)
        finally:
            self._streams -= by
            self._interrupt()

    def end(self) -> None:
        """Stop watching; a notice that is being given may still arrive."""
        self._ended.set()
        self._interrupt()

    # --- in a thread of its own -------------------------------------------------------------------------

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                self._take_name()
                if self._wants_mail():
                    self._watch_mail()
                else:
                    self._watch_agents()
            except (BridgeError, OSError) as trouble:  # the mailboxes are gone, perhaps for a while
                self._say(f"mail is not watched: {trouble}")
                self._ended.wait(_RETRY_S)

    def _say(self, trouble: str) -> None:
        """Print a trouble on standard error, but not the same one twice in a row, and nothing while ending."""
        if trouble != self._said and not self._ended.is_set():
            print(trouble, file=sys.stderr)
        self._said = trouble

    def _take_name(self) -> None:
        """Take the session's name before its first use, if the client is certain to be a session."""
        if self._caller is not None and _ways(self._caller).is_session():
            self._session.who(self._caller)

    def _wants_mail(self) -> bool:
        return bool(self._means())

    def _means(self) -> list[Means]:
        """Return the means that can reach the session now, the best first."""
        if self._caller is None:
            return []
        ways, key = _ways(self._caller), self._caller.key
        push = [Means(ways.client.reach.push, partial(ways.push, key))] if ways.can_push(key) else []
        return push + ([Means("a notification", self._announce_mail)] if self._is_listened_to else [])

    def _watch_mail(self) -> None:
        session, caller = self._session, self._caller
        assert caller is not None
        where, name = session.begin(caller)
        listened = self._is_listened_to

        def goes_on() -> bool:
            self._look_for_agents()
            same = caller.key == (self._caller or caller).key and listened == self._is_listened_to
            return same and name.is_held() and not self._ended.is_set()

        told = session.rings(where, name.address, caller)
        session.follow_hooks(where, caller)
        watch = Watch(
            where.tree(),
            name.address,
            told,
            session.activity,
            self._means(),
            clients.by_own_name(caller.client).reach.hooks_s,
            session.unread,
            goes_on,
            session.watch,
        )
        self._interrupt = watch.interrupt
        watch.run()

    def _watch_agents(self) -> None:
        """Wait for agents to come or go, until mail is wanted or the session ends."""
        where = self._session.look()
        with Wake.over(where, where.settings(), lambda: [where.path], self._session.watch) as wake:
            self._interrupt = wake.set
            while not self._ended.is_set() and not self._wants_mail():
                self._look_for_agents()
                wake.wait(_AGENTS_SWEEP_S)

    def _look_for_agents(self) -> None:
        """Notify the client if its list of tools is out of date."""
        if self.listed is None or self._caller is None:
            return
        agents = self._session.listing(self._caller, self.listed)
        if agents != self.listed:
            self.listed = agents
            with suppress(NotReached):
                self._announce(self._tools_changed())

    # --- notifications ----------------------------------------------------------------------------------

    def _announce_mail(self, _: str, __: bool) -> bool:
        self._announce(self._inbox_changed())
        return False

    def _announce(self, saying: Coroutine[Any, Any, None]) -> None:
        """Run a notification on the event loop and await it; raises `NotReached` if the connection takes nothing."""
        assert self._loop is not None
        try:
            asyncio.run_coroutine_threadsafe(saying, self._loop).result(_NOTIFY_S)
        except (Exception, CancelledError) as trouble:  # whatever it was, the client heard nothing
            raise NotReached(client="this client", why=str(trouble)) from None

    async def _inbox_changed(self) -> None:
        """Notify in both protocol eras; a client hears only the one in which it subscribed."""
        await self._connection.send_resource_updated(INBOX)
        await self.bus.publish(ResourceUpdated(uri=INBOX))

    async def _tools_changed(self) -> None:
        await self._connection.send_tool_list_changed()
        await self.bus.publish(ToolsListChanged())


def _ways(caller: Caller) -> Ways:
    return ways_of(clients.by_own_name(caller.client))
