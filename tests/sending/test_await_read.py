"""Receipts: the wait ends once every copy is read or malformed, wakes on that, and reports where each copy is."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_bridge import settings as settings_
from ai_bridge.mailboxes.compose import Draft, Sent
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, READ, REASON, UNREAD
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.wake import Wake
from ai_bridge.sending import await_read as receipt
from ai_bridge.sending.await_read import await_read
from ai_bridge.settings import Settings
from tests.support.mail import LIMIT, route, send_batch
from tests.support.wait import until

LONG_S = 60.0


def sent(where: Tree, *to: str) -> list[Sent]:
    """Send a message to each of these (several with commas)."""
    return send_batch(where, "claude", [Draft([one], "x") for one in to], LIMIT)


def told(places: list[Place]) -> list[tuple[str, str]]:
    return [(place.recipient, place.state) for place in places]


def acknowledge(where: Tree, one: Sent, recipient: str = "gemini") -> None:
    assert where.outbox("claude").move("acknowledge", file_name(one.id, recipient))


@pytest.fixture
def steps(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Callable[[], object]]]:
    """What happens during the first wait, the second …; each then ends as if the sweep was due."""
    planned: list[Callable[[], object]] = []

    class Stepping(Wake):
        def wait(self, timeout_s: float) -> bool:
            assert planned, "it waits once more, though nothing is left to wait for"
            planned.pop(0)()
            return False

    monkeypatch.setattr(receipt, "Wake", Stepping)
    yield planned
    assert planned == []


# --- when it ends -----------------------------------------------------------------------------------------


def test_what_is_read_already_is_told_at_once(
    where: Tree, settings: Settings, steps: list[Callable[[], object]]
) -> None:
    (one,) = sent(where, "gemini")
    route(where, settings)
    acknowledge(where, one)
    (place,) = await_read(where, [one], "claude", LONG_S, settings)
    assert (place.id, place.recipient, place.state) == (one.id, "gemini", READ)
    assert place.path == where.outbox("claude").file(READ, file_name(one.id, "gemini"))
    assert place.at()


def test_it_ends_once_every_copy_of_every_message_has_ended(
    where: Tree, settings: Settings, steps: list[Callable[[], object]]
) -> None:
    where.make(["codex"])
    first, second = sent(where, "*", "codex")
    steps += [
        lambda: route(where, settings),
        lambda: acknowledge(where, first, "codex"),
        lambda: acknowledge(where, second, "codex"),
        lambda: acknowledge(where, first),
    ]
    places = await_read(where, [first, second], "claude", LONG_S, settings)
    assert [(place.id, *pair) for place, pair in zip(places, told(places), strict=True)] == [
        (first.id, "codex", READ),
        (first.id, "gemini", READ),
        (second.id, "codex", READ),
    ]


def test_a_rejected_copy_has_ended_with_its_reason(
    where: Tree, settings: Settings, steps: list[Callable[[], object]]
) -> None:
    (one,) = sent(where, "gemini")
    Path(one.paths[0]).write_text("spoiled")
    steps.append(lambda: route(where, settings))
    (place,) = await_read(where, [one], "claude", LONG_S, settings)
    assert place.state == MALFORMED
    assert "header line 1 is not" in str(place.reason())


def test_a_rejected_copy_whose_name_was_taken_is_found_by_its_variant(
    where: Tree, settings: Settings, steps: list[Callable[[], object]]
) -> None:
    (one,) = sent(where, "gemini")
    outbox, name = where.outbox("claude"), file_name(one.id, "gemini")
    os.rename(one.paths[0], outbox.file(MALFORMED, name.replace(".txt", "~1.txt")))
    Path(outbox.file(MALFORMED, name.replace(".txt", "~1.txt") + REASON)).write_text("why\n")
    (place,) = await_read(where, [one], "claude", LONG_S, settings)
    assert (place.recipient, place.state, place.reason()) == ("gemini", MALFORMED, "why")


def test_what_was_read_stays_told_though_it_is_restored_meanwhile(
    where: Tree, settings: Settings, steps: list[Callable[[], object]]
) -> None:
    first, second = sent(where, "gemini", "gemini")
    route(where, settings)
    acknowledge(where, first)

    def restore_and_read() -> None:
        assert where.outbox("claude").move("restore read", file_name(first.id, "gemini"))
        acknowledge(where, second)

    steps.append(restore_and_read)
    assert told(await_read(where, [first, second], "claude", LONG_S, settings)) == [("gemini", READ)] * 2


@pytest.mark.parametrize("state", [DROPPED, PROCESSING, UNREAD])
def test_when_the_time_is_over_it_tells_where_each_copy_is(where: Tree, settings: Settings, state: str) -> None:
    (one,) = sent(where, "gemini")
    name = file_name(one.id, "gemini")
    os.rename(one.paths[0], where.outbox("claude").file(state, name))
    (place,) = await_read(where, [one], "claude", 0.0, settings)
    assert (place.state, place.path) == (state, where.outbox("claude").file(state, name))


def test_a_copy_that_moves_on_during_the_last_look_is_met(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is looked for in the order of the moves: where it was not yet, it is found later."""
    (one,) = sent(where, "gemini")
    real, looks = os.path.lexists, []

    def moving(path: str) -> bool:
        looks.append(path)
        found = real(path)
        if len(looks) == 1:
            route(where, settings)
            acknowledge(where, one)
            return False
        return found

    monkeypatch.setattr(os.path, "lexists", moving)
    assert told(await_read(where, [one], "claude", 0.0, settings)) == [("gemini", READ)]


def test_a_file_that_is_gone_keeps_its_last_state(where: Tree, settings: Settings) -> None:
    (one,) = sent(where, "gemini")
    os.unlink(one.paths[0])
    (place,) = await_read(where, [one], "claude", 0.0, settings)
    assert (place.state, place.at()) == (DROPPED, "")


def test_nothing_sent_is_nothing_to_wait_for(
    where: Tree, settings: Settings, steps: list[Callable[[], object]]
) -> None:
    assert await_read(where, [], "claude", LONG_S, settings) == []


# --- what wakes it ----------------------------------------------------------------------------------------


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The bounds of the waits that were begun, in seconds; a test may look at it while another thread waits."""
    begun: list[float] = []

    class Noting(Wake):
        def wait(self, timeout_s: float) -> bool:
            begun.append(timeout_s)
            return super().wait(timeout_s)

    monkeypatch.setattr(receipt, "Wake", Noting)
    return begun


def _awaited(where: Tree, one: Sent, loaded: Settings, act: Callable[[], object]) -> list[tuple[str, str]]:
    """Wait in a thread and do something meanwhile; returns what the wait told."""
    found: list[Place] = []

    def wait() -> None:
        found.extend(await_read(where, [one], "claude", LONG_S, loaded))

    waiting = threading.Thread(target=wait, daemon=True)
    waiting.start()
    act()
    waiting.join(LONG_S / 2)
    assert not waiting.is_alive(), "nothing woke it"
    return told(found)


@pytest.mark.parametrize("options", [{}, {"poll": True, "poll_s": 0.01}], ids=["events", "polling"])
@pytest.mark.parametrize("end", [READ, MALFORMED])
def test_reading_or_rejecting_wakes_it_and_nothing_else_does(
    where: Tree, waits: list[float], options: dict[str, Any], end: str
) -> None:
    loaded = settings_.load(where.path, {"sweep_s": 1000.0, "settle_s": 0.0, **options})
    (one,) = sent(where, "gemini")

    def finish() -> None:
        until(lambda: waits)
        if end == MALFORMED:
            Path(one.paths[0]).write_text("spoiled")
        route(where, loaded)
        if end == READ:
            acknowledge(where, one)

    assert _awaited(where, one, loaded, finish) == [("gemini", end)]
    assert len(waits) <= 8  # a wait for each of the few events, and no more


def test_without_an_event_the_sweep_sees_it(
    where: Tree, settings: Settings, steps: list[Callable[[], object]]
) -> None:
    (one,) = sent(where, "gemini")
    steps += [lambda: None, lambda: route(where, settings), lambda: acknowledge(where, one)]
    assert told(await_read(where, [one], "claude", LONG_S, settings)) == [("gemini", READ)]


def test_the_waits_are_bounded_by_the_sweep_and_by_the_time_that_is_left(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    bounds: list[float] = []

    class Clock(Wake):
        now = 0.0

        def wait(self, timeout_s: float) -> bool:
            bounds.append(timeout_s)
            Clock.now += timeout_s
            return False

    monkeypatch.setattr(receipt, "Wake", Clock)
    monkeypatch.setattr(receipt.time, "monotonic", lambda: Clock.now)
    loaded = settings_.load(where.path, {"sweep_s": 5.0})
    (place,) = await_read(where, sent(where, "gemini"), "claude", 12.0, loaded)
    assert (bounds, place.state) == ([5.0, 5.0, 2.0], DROPPED)


def test_an_outbox_of_the_older_layout_is_waited_for_all_the_same(where: Tree, waits: list[float]) -> None:
    loaded = settings_.load(where.path, {"sweep_s": 0.05, "settle_s": 0.0})
    (one,) = sent(where, "gemini")
    for state in (READ, MALFORMED):
        os.rmdir(where.outbox("claude").directory(state))

    def finish() -> None:
        until(lambda: waits)
        route(where, loaded)
        where.outbox("claude").complete()
        acknowledge(where, one)

    assert _awaited(where, one, loaded, finish) == [("gemini", READ)]
