"""Whether a session is at work, as its hooks tell: then they reach it sooner than anything else."""

from __future__ import annotations

import threading
import time

from ai_bridge import clients
from ai_bridge.clients.record import Client


class Activity:
    """The turn of one session; hooks note their events here, and whoever pushes asks."""

    def __init__(self) -> None:
        self._heard = 0.0
        self._works = False
        self._changed = threading.Event()

    def record(self, event: str) -> None:
        """Note that a hook for `event` ran just now."""
        self._works = not any(_is_idle_after(event, client) for client in clients.ALL)
        self._heard = time.monotonic()
        self._changed.set()

    def left_to_hooks_s(self, hooks_s: float) -> float:
        """Return for how many seconds the session is best left to its hooks; 0 where it is idle, or has none."""
        return max(self._heard + hooks_s - time.monotonic(), 0.0) if self._works else 0.0

    def await_change(self, timeout_s: float) -> None:
        """Wait until a hook runs, or the session is ended, at most so long."""
        self._changed.wait(timeout_s)
        self._changed.clear()

    def end(self) -> None:
        """Wake whoever waits: the session ends."""
        self._changed.set()


def _is_idle_after(event: str, client: Client) -> bool:
    """Tell whether a client's session is idle after that event; one that only begins does not work yet."""
    return event in (client.hooks.begins, client.hooks.turn_end, client.hooks.ends)
