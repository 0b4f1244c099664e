"""One wait for mail: it sleeps in a thread of its own, and reports at each sweep how long it has waited."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Coroutine
from functools import partial
from typing import Any

import anyio
import anyio.from_thread
import anyio.to_thread

from ai_bridge.agents.resolve import resolve_writer
from ai_bridge.inbox.wait import StoppableWait
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.server import rendering
from ai_bridge.server.client_session import Session, late_text
from ai_bridge.server.membership import Caller

_DEFAULT_WAIT_S = 240.0

# Takes the seconds that have passed, the most seconds, and what is done meanwhile.
Report = Callable[[float, float, str], Awaitable[None]]


class Wait:
    """One call of peer_wait: for which agent, for whose mail, and for how many seconds it waits."""

    def __init__(self, session: Session, caller: Caller, words: dict[str, Any]) -> None:
        """Begin an operation of the session; `words` are the tool's arguments.

        Reads the disk, and takes the session's name at its first use. Raises what `Session.begin` and
        `resolve_writer` do.
        """
        self._session = session
        self._look, name = session.begin(caller)
        self._me, self._where, self._settings = name.address, self._look.tree(), self._look.settings()
        self._timeout_s = float(words.get("timeout_s", _DEFAULT_WAIT_S))
        sender = words.get("sender")
        self._sender = None if sender is None else resolve_writer(self._where, sender, self._me)
        self._wait = StoppableWait()

    async def until_mail(self, report: Report) -> list[Waiting]:
        """Return the unread mail as soon as there is some, [] after the time; calls `report` at each sweep.

        If the call is cancelled, its thread stops at its next wake. Raises what `wait_for_mail` does.
        """
        started = anyio.current_time()

        async def report_time() -> None:
            elapsed_s = min(anyio.current_time() - started, self._timeout_s)
            await report(elapsed_s, self._timeout_s, "waiting for mail")

        try:
            # It has a limiter of its own, so that calls that wait take no thread from the other tools.
            return await anyio.to_thread.run_sync(
                self._sleep, report_time, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1)
            )
        finally:
            self._wait.stop()

    def _sleep(self, report_time: Callable[[], Coroutine[Any, Any, None]]) -> list[Waiting]:
        watch, report = self._session.watch, partial(anyio.from_thread.run, report_time)
        about = (self._where, self._me, self._settings, self._timeout_s, self._sender)
        return self._wait.until_mail(*about, shared=watch, each_sweep=report, is_wanted=self._is_wanted)

    def _is_wanted(self, one: Waiting) -> bool:
        """Tell whether the message ends the wait: the session's own mail to itself does only if it is asked for."""
        return one.sender != self._me or self._sender == self._me

    def answer(self, found: list[Waiting], request: str | int, caller: Caller) -> str:
        """Return the text for what was `found`.

        The session remembers, once the client has the reply to this request, that it was told of these messages.
        """
        self._session.show(request, self._session.rings(self._look, self._me, caller), found)
        late = "" if found else late_text(self._where, self._me, self._sender)
        return rendering.waited(self._me, found, self._timeout_s, late)
