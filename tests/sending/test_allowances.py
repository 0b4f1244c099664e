"""A person's allowances are read as they were written; a damaged file allows nothing, whatever it holds."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending import allowances
from ai_bridge.sending.allowances import Allowance
from ai_bridge.system import times

AT, UNTIL = "20261122032405271828", "20261122040000000000"


def _file(where: Tree, name: str) -> Path:
    return Path(where.path, "allowed", name)


def test_what_is_written_is_read(where: Tree) -> None:
    allowances.allow_thread(where, "claude-1", Allowance(AT, UNTIL, 40))
    allowances.allow_agent(where, "gemini@web", Allowance(AT, AT))
    assert _file(where, "claude-1.thread").read_text() == (
        "At: 2026-11-22T03:24:05.271828Z\nUntil: 2026-11-22T04:00:00.000000Z\nHops: 40\n"
    )
    thread, agent = allowances.of_thread(where, "claude-1"), allowances.of_agent(where, "gemini@web")
    assert thread is not None
    assert agent is not None
    assert (thread.at, thread.until, thread.hops) == (AT, UNTIL, 40)
    assert (agent.at, agent.until, agent.hops) == (AT, AT, 0)
    assert agent.seconds == pytest.approx(1795317845.271828)


def test_the_latest_for_the_same_counts_and_a_thread_is_no_agent(where: Tree) -> None:
    allowances.allow_thread(where, "gemini", Allowance(AT, AT, 40))
    allowances.allow_thread(where, "gemini", Allowance(AT, AT, 60))
    found = allowances.of_thread(where, "gemini")
    assert found is not None
    assert found.hops == 60
    assert allowances.of_agent(where, "gemini") is None
    assert os.listdir(Path(where.path, "allowed")) == ["gemini.thread"]


@pytest.mark.parametrize("thread", ["", "../outside", "a/b", "never allowed", "unknown"])
def test_what_was_not_allowed_is_not(where: Tree, thread: str) -> None:
    assert allowances.of_thread(where, thread) is None


@pytest.mark.parametrize(
    "text",
    [
        *("", "Hops: 40\n", "At: yesterday\n", "At: 2026-11-22T03:24:05\n", "At: 2026-11-22T03:24:05.271828+01:00\n"),
        *("At: 2026-11-22T03:24:05Z\nHops: many\n", "At: 2026-13-22T03:24:05Z\n", "no header\n", "At: 9\n" * 2000),
        "At: 2026-11-22T03:24:05Z\nUntil: 2026-11-22T03:24:05.27182818284Z\n",
    ],
)
def test_a_damaged_file_allows_nothing(where: Tree, text: str) -> None:
    _file(where, "").mkdir()
    _file(where, "t.thread").write_text(text)
    assert allowances.of_thread(where, "t") is None


def test_a_date_written_by_hand_may_be_shorter(where: Tree) -> None:
    _file(where, "").mkdir()
    _file(where, "t.thread").write_text("At: 2026-11-22T03:24:05Z\n")
    found = allowances.of_thread(where, "t")
    assert found is not None
    assert (found.at, found.until) == ("20261122032405000000", "20261122032405000000")


def test_something_else_in_its_place_allows_nothing(where: Tree) -> None:
    _file(where, "t.thread").mkdir(parents=True)
    os.mkfifo(_file(where, "gemini.agent"))
    assert allowances.of_thread(where, "t") is None
    assert allowances.of_agent(where, "gemini") is None


def test_what_a_clock_far_ahead_allowed_is_not_believed(where: Tree) -> None:
    ahead = times.format_stamp(time.time_ns() + 366 * 86_400_000_000_000)
    allowances.allow_agent(where, "claude", Allowance(ahead, ahead))
    assert allowances.of_agent(where, "claude") is None
