"""How often a session is rung: how long a ring may stay unheard, and how many turns mail may begin per hour.

A turn is what a ring costs, so one ring stands for all mail until the session reads it.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence

from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach.memory import HOUR_NS, NS, RUNG, Entry, Memory
from ai_bridge.settings import Settings
from ai_bridge.settings.setting import seconds

# A ring so soon after another one waits until no mail has come for `_QUIET_S` seconds, `_BURST_MOST_S` at most.
_BURST_S, _QUIET_S, _BURST_MOST_S = 1.0, 0.25, 1.5
# What lies further ahead was noted before the clock was set back.
_AHEAD_NS = NS


class Pace:
    """The pace of one session's rings.

    `ring_after_s`: for how many seconds each ring may stay unheard before the next one. `wakes_per_hour`: how many
    rings per hour may begin a turn, 0 for any number. `receipt_s`: a client may take so long to show that it heard.
    """

    __slots__ = ("receipt_s", "ring_after_s", "wakes_per_hour")

    def __init__(self, ring_after_s: tuple[float, ...], wakes_per_hour: int, receipt_s: float = 0.0) -> None:
        self.ring_after_s = ring_after_s
        self.wakes_per_hour = wakes_per_hour
        self.receipt_s = receipt_s

    def unheard_ns(self, one: Entry, now_ns: int) -> int:
        """Return when the last ring of an entry counts as unheard, in nanoseconds since the epoch.

        A ring that lies ahead of now was made before the clock was set back; it counts as unheard at once.
        """
        return 0 if one.rung_ns > now_ns + _AHEAD_NS else one.rung_ns + self._after_ns(one.times - 1)

    def is_over(self, one: Entry) -> bool:
        """Tell whether an entry was rung as often as the settings allow."""
        return one.times > len(self.ring_after_s)

    def next_ns(self, unanswered: Sequence[Entry]) -> int:
        """Return when new mail may ring although the session has not read what these entries announced.

        If the session heard of them, that takes longer. The pause grows with each such ring.
        """
        last_ns = max(one.rung_ns for one in unanswered)
        rings = max(len({one.rung_ns for one in unanswered}), max(one.times for one in unanswered))
        return last_ns + self._after_ns(rings - 1 if any(one.how == RUNG for one in unanswered) else rings)

    def _after_ns(self, ring: int) -> int:
        after_s = self.ring_after_s or (math.inf,)
        wait_s = max(after_s[min(max(ring, 0), len(after_s) - 1)], self.receipt_s)
        return HOUR_NS * 24 * 365 if math.isinf(wait_s) else int(wait_s * NS)

    def turn_ns(self, memory: Memory, now_ns: int) -> int:
        """Return when a ring may begin the next turn; 0 if it may now."""
        recent = [one for one in memory.wakes_ns if now_ns - HOUR_NS < one <= now_ns + _AHEAD_NS]
        if not 0 < self.wakes_per_hour <= len(recent):
            return 0
        return recent[-self.wakes_per_hour] + HOUR_NS

    def patience_ns(self) -> int:
        """Return how long ordinary mail waits for the end of a turn that goes on and on, in nanoseconds."""
        return self._after_ns(len(self.ring_after_s) - 1)


def pace_of(loaded: Settings, receipt_s: float = 0.0, has_receipts: bool = True) -> Pace:
    """Return the pace that the settings ask for; a client without receipts is rung a second time, and no more."""
    after_s = seconds(loaded.ring_after_s)
    return Pace(after_s if has_receipts else after_s[:1], loaded.wakes_per_hour, receipt_s)


def await_quiet(
    memory: Memory, look: Callable[[], list[Waiting]], pause: Callable[[float], object] = time.sleep
) -> list[Waiting]:
    """Return what `look` finds. If the session was rung just now, wait first until no more mail comes, 1.5 s at most.

    So a burst costs a session few turns.
    """
    found = look()
    if not found or not was_rung_lately(memory):
        return found
    deadline = time.monotonic() + _BURST_MOST_S
    while time.monotonic() < deadline:
        pause(_QUIET_S)
        before, found = len(found), look()
        if len(found) <= before:
            break
    return found


def was_rung_lately(memory: Memory) -> bool:
    """Tell whether a ring began a turn of the session a moment ago."""
    return bool(memory.wakes_ns) and abs(time.time_ns() - memory.wakes_ns[-1]) < _BURST_S * NS
