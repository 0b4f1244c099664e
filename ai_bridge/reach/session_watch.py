"""The watch of one session: it announces new mail to the session once, and a burst of mail in one notice.

The watch is a thread that sleeps until the kernel wakes it. While no mail comes, it costs one sweep now and then.
"""

from __future__ import annotations

import threading
from collections.abc import Callable

from ai_bridge import settings
from ai_bridge.inbox.wait import open_wake, wait_for_mail
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.mailboxes.wake import SharedWatch, Wake
from ai_bridge.reach.activity import Activity
from ai_bridge.reach.notice import notice
from ai_bridge.reach.rings import Ring, Rings
from ai_bridge.reach.ways import NotReached
from ai_bridge.settings import OFF

COALESCE_S = 0.2
_FIRST_PAUSE_S, _LAST_PAUSE_S = 5.0, 300.0

# Puts the notice before the session by one means; raises `NotReached`.
Means = Callable[[str], None]


class Watch:
    """Watches the inbox of `agent` while `goes_on` returns True.

    `means` are the ways to reach the session, the best first. A session at work is left to its hooks for `hooks_s`
    seconds. `look` returns what is unread for the agent now. `shared` is the watch of the process, if it has one.
    """

    def __init__(
        self,
        where: Tree,
        agent: str,
        rings: Rings,
        turn: Activity,
        means: list[Means],
        hooks_s: float,
        look: Callable[[], list[Waiting]],
        goes_on: Callable[[], bool],
        shared: SharedWatch | None = None,
    ) -> None:
        self._shared = shared
        self._where, self._agent, self._rings, self._turn = where, agent, rings, turn
        self._means, self._hooks_s, self._look, self._goes_on = means, hooks_s, look, goes_on
        self._pause = threading.Event()
        self._wake: Wake | None = None
        self._is_on = True
        self._failures = 0

    def run(self) -> None:
        """Watch until `goes_on` returns False, in a thread of its own.

        Raises OSError or a `BridgeError` if the mailboxes are gone.
        """
        while self._continues():
            loaded = settings.load(self._where.path)
            wake = self._wake = open_wake(self._where, loaded, self._shared)
            where, me, goes_on, is_news = self._where, self._agent, self._continues, self._is_news
            news = wait_for_mail(where, me, loaded, wake=wake, each_sweep=goes_on, is_wanted=is_news)
            if news and self._continues():
                self._pause.wait(COALESCE_S)
                self._reach()

    def interrupt(self) -> None:
        """Make the watch ask `goes_on` at once; any thread may call this."""
        self._pause.set()
        self._turn.end()
        if self._wake is not None:
            self._wake.set()

    def _continues(self) -> bool:
        """Tell whether to go on, and read the setting `reach` again."""
        if not self._goes_on():
            return False
        self._pause.clear()
        self._is_on = settings.load(self._where.path).reach != OFF
        return True

    def _is_news(self, one: Waiting) -> bool:
        return self._is_on and self._rings.is_news(one)

    def _reach(self) -> None:
        """Ring the session, unless its hooks will do it. If no means reaches it, pause before the next try."""
        if left_s := self._turn.left_to_hooks_s(self._hooks_s):
            self._turn.await_change(left_s)
            return
        ring = self._rings.begin_ring(self._look)
        if ring is None:  # it was read or announced meanwhile, or another process announces it now
            self._pause.wait(COALESCE_S)
            return
        if self._tell(ring):
            self._failures = 0
            return
        self._pause.wait(min(_FIRST_PAUSE_S * 2**self._failures, _LAST_PAUSE_S))
        self._failures = min(self._failures + 1, 10)

    def _tell(self, ring: Ring) -> bool:
        """Try one means after another; return whether one reached the session."""
        reached = False
        try:
            reached = any(_is_reached(tell, notice(self._agent, ring.news)) for tell in self._means)
        finally:
            ring.finish(reached)
        return reached


def _is_reached(tell: Means, text: str) -> bool:
    try:
        tell(text)
    except NotReached:
        return False
    return True
