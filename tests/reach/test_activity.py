"""The last hook of a session says whether the session works, and is believed only for a limited time."""

from __future__ import annotations

import errno
import os
import threading
from pathlib import Path

import pytest

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.activity import Activity, leave_note
from ai_bridge.system import durable
from tests.support.disk import FaultyOs

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


def test_hooks_that_are_processes_are_heard_by_their_notes(where: Tree) -> None:
    turn = Activity()
    turn.follow(where, "one")
    assert turn.left_to_hooks_s(LONG_S) == 0
    leave_note(where, "another", "PostToolUse")
    assert turn.left_to_hooks_s(LONG_S) == 0
    leave_note(where, "one", "PostToolUse")
    assert 0 < turn.left_to_hooks_s(LONG_S) <= LONG_S
    leave_note(where, "one", "Stop")
    assert turn.left_to_hooks_s(LONG_S) == 0


def test_a_note_that_is_old_when_it_is_found_counts_from_when_it_was_left(where: Tree) -> None:
    leave_note(where, "one", "PostToolUse")
    (note,) = Path(where.state_file("turns")).iterdir()
    os.utime(note, (1.0, 1.0))
    turn = Activity()
    turn.follow(where, "one")
    assert turn.left_to_hooks_s(LONG_S) == 0


def test_whoever_waits_is_woken_by_a_note(where: Tree) -> None:
    turn, woken = Activity(), threading.Event()
    turn.follow(where, "one")

    def wait() -> None:
        turn.await_change(LONG_S)
        woken.set()

    threading.Thread(target=wait, daemon=True).start()
    leave_note(where, "one", "Stop")
    assert woken.wait(LONG_S / 3)


def test_a_disk_that_takes_no_note_is_no_trouble(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "os", FaultyOs({"write": errno.ENOSPC}))
    leave_note(where, "one", "Stop")
    assert Activity().left_to_hooks_s(LONG_S) == 0
