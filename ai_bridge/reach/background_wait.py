"""A wait for mail in the background of a session, by a process whose end wakes the model."""

from __future__ import annotations

import os
import time

from ai_bridge.agents import session_keys
from ai_bridge.inbox import fetch
from ai_bridge.inbox.wait import wait_for_mail
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach.rings import Ring, Rings
from ai_bridge.reach.session_watch import COALESCE_S
from ai_bridge.settings import Settings
from ai_bridge.system import processes


def await_news(
    where: Tree, me: str, loaded: Settings, timeout_s: float | None, sender: str | None = None
) -> Ring | None:
    """Wait for mail that the session has not heard of, and return the ring to announce it.

    Returns None after `timeout_s` seconds (None: no limit), or if the process that began the wait is gone, because
    then no session is left to wake. With `sender`, only mail from that agent counts. The ring holds a lock until
    the caller calls its `finish`.
    """
    key, parent = session_keys.shell_key(where), os.getppid()
    rings = Rings(where, me, key, passing=True)
    deadline = None if timeout_s is None else time.monotonic() + timeout_s

    def look() -> list[Waiting]:
        return fetch.fetch(where, me, loaded)

    def is_wanted() -> bool:
        return os.getppid() == parent and not processes.is_gone(key)

    def is_meant(one: Waiting) -> bool:
        return sender in (None, one.sender)

    while is_wanted():
        left_s = None if deadline is None else deadline - time.monotonic()
        found = wait_for_mail(where, me, loaded, left_s, sender, each_sweep=is_wanted, is_wanted=rings.is_news)
        if not found and deadline is not None and time.monotonic() >= deadline:
            return None
        if found:
            time.sleep(COALESCE_S)
            if (ring := rings.begin_ring(look, is_meant)) is not None:
                return ring
    return None
