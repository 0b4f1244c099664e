"""The pace of rings, from the settings; and a burst of mail that is awaited before the next ring."""

from __future__ import annotations

import time

import pytest

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach import pace as pace_
from ai_bridge.reach.memory import HEARD, NS, RUNG, Entry, Memory
from ai_bridge.reach.pace import Pace, await_quiet, pace_of
from ai_bridge.settings import Settings

S = 10**9


def rung(times: int, at_s: float, how: str = RUNG) -> Entry:
    return Entry(1, how, times, int(at_s * S), "a push")


def test_it_is_as_the_settings_say(settings: Settings) -> None:
    found = pace_of(settings, receipt_s=3.0)
    assert (found.ring_after_s, found.wakes_per_hour, found.receipt_s) == ((10.0, 120.0, 600.0), 30, 3.0)
    settings.ring_after_s = ""
    assert pace_of(settings).ring_after_s == ()


def test_a_client_without_receipts_is_rung_twice(settings: Settings) -> None:
    found = pace_of(settings, has_receipts=False)
    assert [found.is_over(rung(times, 0)) for times in (1, 2)] == [False, True]


def test_each_ring_may_stay_unheard_for_longer() -> None:
    pace = Pace((10.0, 120.0, 600.0), 0)
    due = [pace.unheard_ns(rung(times, 1000), 1000 * S) // S - 1000 for times in (1, 2, 3, 4, 9)]
    assert due == [10, 120, 600, 600, 600]
    assert [pace.is_over(rung(times, 0)) for times in (1, 3, 4)] == [False, False, True]


def test_a_slow_client_has_time_to_show_that_it_heard() -> None:
    assert Pace((1.0, 120.0), 0, receipt_s=15.0).unheard_ns(rung(1, 0), 0) == 15 * S


def test_without_a_repetition_a_ring_is_never_unheard() -> None:
    assert Pace((), 0).unheard_ns(rung(1, 0), 0) > 1_000_000 * S
    assert Pace((), 0).is_over(rung(1, 0))


def test_a_session_that_heard_is_left_alone_for_longer() -> None:
    pace = Pace((10.0, 120.0, 600.0), 0)
    assert pace.next_ns([rung(1, 1000)]) == 1010 * S
    assert pace.next_ns([rung(1, 1000, HEARD)]) == 1120 * S
    assert pace.next_ns([rung(1, 1000, HEARD), rung(1, 1200, HEARD)]) == 1800 * S


def test_the_next_turn_is_free_when_the_oldest_is_an_hour_old() -> None:
    now = 10_000 * S
    memory = Memory(wakes_ns=(now - 3601 * S, now - 3000 * S, now - 10 * S))
    assert Pace((), 3).turn_ns(memory, now) == 0
    assert Pace((), 2).turn_ns(memory, now) == now + 600 * S
    assert Pace((), 0).turn_ns(memory, now) == 0


# --- a burst ----------------------------------------------------------------------------------------------


class Coming:
    """Mail that comes: each look finds one message more, up to `most`."""

    def __init__(self, where: Tree, most: int) -> None:
        self.looks, self.most, self._where = 0, most, where

    def look(self) -> list[Waiting]:
        self.looks += 1
        return [Waiting(self._where.outbox("claude"), f"{n}.gemini.txt") for n in range(min(self.looks, self.most))]


def test_the_first_ring_waits_for_nothing(where: Tree) -> None:
    coming = Coming(where, 5)
    assert len(await_quiet(Memory(), coming.look, pytest.fail)) == 1


def test_a_ring_right_after_another_waits_until_no_more_mail_comes(where: Tree) -> None:
    coming, pauses = Coming(where, 5), list[float]()
    assert len(await_quiet(Memory(wakes_ns=(time.time_ns(),)), coming.look, pauses.append)) == 5
    assert len(pauses) == 5


def test_it_does_not_wait_without_end(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace_, "_BURST_MOST_S", 0.0)
    coming = Coming(where, 1_000_000)
    assert len(await_quiet(Memory(wakes_ns=(time.time_ns(),)), coming.look, pytest.fail)) == 1


def test_a_ring_long_ago_makes_nobody_wait(where: Tree) -> None:
    coming = Coming(where, 5)
    assert len(await_quiet(Memory(wakes_ns=(time.time_ns() - 2 * NS,)), coming.look, pytest.fail)) == 1
