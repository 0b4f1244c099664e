"""A wait for mail in the background of a session, by a process whose end wakes the model."""

from __future__ import annotations

import math
import os
import time

from ai_bridge.agents import session_keys
from ai_bridge.inbox import fetch
from ai_bridge.inbox.wait import wait_for_mail
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach.manner import PUSH, Manner
from ai_bridge.reach.memory import RUNG
from ai_bridge.reach.pace import await_quiet, pace_of
from ai_bridge.reach.rings import Ring, Rings
from ai_bridge.settings import Settings
from ai_bridge.system import processes

BY_WAIT = Manner("`ai-bridge wait --new`", RUNG, PUSH.takes, wakes=True)


def await_news(
    where: Tree, me: str, loaded: Settings, timeout_s: float | None, sender: str | None = None
) -> Ring | None:
    """Wait for mail that the session has not heard of, and return the ring to announce it.

    Returns None after `timeout_s` seconds (None: no limit), or if the process that began the wait is gone, because
    then no session is left to wake. With `sender`, only mail from that agent counts. The caller calls the ring's
    `finish`.
    """
    one = _Wait(where, me, loaded, math.inf if timeout_s is None else time.monotonic() + timeout_s, sender)
    ring = one.until_due()
    while ring is None and one.is_wanted() and time.monotonic() < one.deadline:
        ring = one.until_due()
    return ring


class _Wait:
    """One wait until `deadline`, by the monotonic clock."""

    def __init__(self, where: Tree, me: str, loaded: Settings, deadline: float, sender: str | None) -> None:
        self.deadline = deadline
        self._of = (where, me, loaded)
        self._sender = sender
        self._key, self._parent = session_keys.shell_key(where), os.getppid()
        self._rings = Rings(where, me, self._key, pace_of(loaded), passing=True)

    def is_wanted(self) -> bool:
        """Tell whether the process that began the wait, and the session, are there."""
        return os.getppid() == self._parent and not processes.is_gone(self._key)

    def until_due(self) -> Ring | None:
        """Wait until mail comes or a ring has to be repeated; returns the ring, None if there is none after all."""
        found = wait_for_mail(
            *self._of, self._left_s(), self._sender, each_sweep=self.is_wanted, is_wanted=self._rings.is_news
        )
        if not found:
            return None
        return self._rings.begin_ring(lambda: await_quiet(self._rings.memory(), self._look), BY_WAIT, self._is_meant)

    def _look(self) -> list[Waiting]:
        return fetch.fetch(*self._of)

    def _is_meant(self, one: Waiting) -> bool:
        return self._sender in (None, one.sender)

    def _left_s(self) -> float | None:
        """Return the time until the wait is over or a ring is due, in seconds; None if it has no end."""
        again_s = self._rings.look_again_s(lambda: [one for one in self._look() if self._is_meant(one)])
        left_s = min(self.deadline - time.monotonic(), again_s)
        return None if math.isinf(left_s) else max(left_s, 0.0)
