"""Whether a session is at work, known from its hooks. Hooks reach a working session sooner than anything else."""

from __future__ import annotations

import threading
import time

from ai_bridge import clients
from ai_bridge.clients.record import Client


class Activity:
    """The turn of one session: hooks record their events here, and a thread that wants to push asks first."""

    def __init__(self) -> None:
        self._heard = 0.0
        self._works = False
        self._changed = threading.Event()

    def record(self, event: str) -> None:
        """Record that a hook for `event` ran just now, and wake the thread that waits for a change."""
        self._works = not any(_is_idle_after(event, client) for client in clients.ALL)
        self._heard = time.monotonic()
        self._changed.set()

    def left_to_hooks_s(self, hooks_s: float) -> float:
        """Return for how many seconds to leave the session to its hooks; 0.0 if it is idle or has no hooks."""
        return max(self._heard + hooks_s - time.monotonic(), 0.0) if self._works else 0.0

    def await_change(self, timeout_s: float) -> None:
        """Wait until a hook runs or the session ends, at most `timeout_s` seconds."""
        self._changed.wait(timeout_s)
        self._changed.clear()

    def end(self) -> None:
        """Wake the thread that waits for a change, because the session ends."""
        self._changed.set()


def _is_idle_after(event: str, client: Client) -> bool:
    """Tell whether a client's session is idle after `event`; a session that only begins does not work yet."""
    return event in (client.hooks.begins, client.hooks.turn_end, client.hooks.ends)
