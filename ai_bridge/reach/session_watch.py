"""The watch of one session: it rings the session when mail comes, and again until the session hears.

The watch is a thread that sleeps until the kernel wakes it. While no mail comes, it costs one sweep now and then.
"""

from __future__ import annotations

import math
import threading
from collections.abc import Callable
from functools import partial

from ai_bridge import settings
from ai_bridge.inbox.wait import open_wake, wait_for_mail
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.mailboxes.wake import SharedWatch, Wake
from ai_bridge.reach.activity import Activity
from ai_bridge.reach.manner import PUSH, PUSH_TO_WORKING, Manner
from ai_bridge.reach.notice import notice
from ai_bridge.reach.pace import await_quiet
from ai_bridge.reach.rings import Ring, Rings
from ai_bridge.reach.ways import NotReached
from ai_bridge.settings import OFF

_FIRST_PAUSE_S, _LAST_PAUSE_S = 5.0, 300.0
# Another process may just be ringing.
_LOOK_S = 0.02


class Means:
    """One way to put a notice before a session: its name `by`, and `tell`, which raises `NotReached`.

    `tell` is given the notice, and whether it is urgent. It returns True if the client says that the session heard.
    """

    __slots__ = ("by", "tell")

    def __init__(self, by: str, tell: Callable[[str, bool], bool]) -> None:
        self.by = by
        self.tell = tell


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
            loaded, due_s = settings.load(self._where.path), self._due_s()
            wake = self._wake = open_wake(self._where, loaded, self._shared)
            where, me, goes_on, is_news = self._where, self._agent, self._continues, self._is_news
            news = wait_for_mail(where, me, loaded, due_s, None, wake, goes_on, is_news)
            if news and self._continues():
                self._reach()

    def _due_s(self) -> float | None:
        """Return after how many seconds to look again although nothing comes; None if no ring is due."""
        left_s = self._rings.look_again_s(self._look, self._manner()) if self._is_on else math.inf
        return None if math.isinf(left_s) else left_s

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
        return self._is_on and self._rings.is_news(one, self._manner())

    def _manner(self) -> Manner:
        return PUSH_TO_WORKING if self._turn.is_at_work() else PUSH

    def _reach(self) -> None:
        """Ring the session, unless its hooks will do it. If no means reaches it, pause before the next try."""
        if left_s := self._turn.left_to_hooks_s(self._hooks_s):
            self._turn.await_change(left_s)
            return
        look = partial(await_quiet, self._rings.memory(), self._look, self._pause.wait)
        ring = self._rings.begin_ring(look, self._manner())
        if ring is None:  # it was read or announced meanwhile
            self._pause.wait(_LOOK_S)
            return
        if self._tell(ring):
            self._failures = 0
            return
        self._pause.wait(min(_FIRST_PAUSE_S * 2**self._failures, _LAST_PAUSE_S))
        self._failures = min(self._failures + 1, 10)

    def _tell(self, ring: Ring) -> bool:
        """Try one means after another; return whether one reached the session. Each ring begins with the next one."""
        reached = heard = False
        urgent = self._rings.is_urgent(ring.news)
        first = (ring.times - 1) % len(self._means) if self._means else 0
        try:
            for means in (*self._means[first:], *self._means[:first]):
                ring.by = means.by
                try:
                    heard = means.tell(notice(self._agent, ring.news, ring.at_ns), urgent)
                except NotReached:
                    continue
                reached = True
                break
        finally:
            ring.finish(reached, heard)
        return reached
