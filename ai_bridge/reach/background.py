"""A wait in the background of a session, by a process whose end wakes the model."""

from __future__ import annotations

import os
import time

from ai_bridge import fetch, identity
from ai_bridge.inbox import Waiting
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.reach.notice import notice
from ai_bridge.reach.told import Claim, Told
from ai_bridge.reach.watch import COALESCE_S
from ai_bridge.settings import Settings

__all__ = ["await_news", "notice"]


def await_news(
    where: Mailboxes, me: str, loaded: Settings, timeout_s: float | None, sender: str | None = None
) -> Claim | None:
    """Return the claim to tell of mail the session was not told of, as soon as there is some; to be settled.

    None after `timeout_s` seconds, and where whoever began the wait is gone: then nobody is left to be woken.
    """
    told, parent = Told(where, me, identity.shell_key(where)), os.getppid()
    deadline = None if timeout_s is None else time.monotonic() + timeout_s

    def look() -> list[Waiting]:
        return fetch.fetch(where, me, loaded, sender)

    def is_news(one: Waiting) -> bool:
        return bool(told.news([one]))

    while os.getppid() == parent:
        left_s = None if deadline is None else deadline - time.monotonic()
        found = fetch.wait(
            where, me, loaded, left_s, sender, each_sweep=lambda: os.getppid() == parent, is_wanted=is_news
        )
        if not found and deadline is not None and time.monotonic() >= deadline:
            return None
        if found:
            time.sleep(COALESCE_S)
            if (claim := told.claim(look)) is not None:
                return claim
    return None
