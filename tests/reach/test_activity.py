"""The last hook of a session says whether the session works, and is believed only for a limited time."""

from __future__ import annotations

import threading

import pytest

from ai_bridge.reach.activity import Activity

LONG_S = 60.0


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The time, which only the test moves."""
    now = [1000.0]
    monkeypatch.setattr("ai_bridge.reach.activity.time.monotonic", lambda: now[0])
    return now


def test_a_session_without_hooks_is_left_to_nothing(clock: list[float]) -> None:
    assert Activity().left_to_hooks_s(LONG_S) == 0


@pytest.mark.parametrize("event", ["UserPromptSubmit", "PostToolUse", "BeforeAgent", "AfterTool"])
def test_a_session_at_work_is_left_to_its_hooks_for_a_while(clock: list[float], event: str) -> None:
    turn = Activity()
    turn.record(event)
    assert turn.left_to_hooks_s(5.0) == 5.0
    clock[0] += 3
    assert turn.left_to_hooks_s(5.0) == 2.0
    clock[0] += 3
    assert turn.left_to_hooks_s(5.0) == 0


@pytest.mark.parametrize("event", ["Stop", "AfterAgent", "SessionEnd", "SessionStart"])
def test_a_session_whose_turn_has_ended_or_not_begun_is_idle(clock: list[float], event: str) -> None:
    turn = Activity()
    turn.record("PostToolUse")
    turn.record(event)
    assert turn.left_to_hooks_s(5.0) == 0


@pytest.mark.parametrize("wakes", ["a hook", "the end"])
def test_whoever_waits_is_woken_by_a_hook_and_by_the_end(wakes: str) -> None:
    turn, woken = Activity(), threading.Event()

    def wait() -> None:
        turn.await_change(LONG_S)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    turn.record("Stop") if wakes == "a hook" else turn.end()
    assert woken.wait(LONG_S / 3)
