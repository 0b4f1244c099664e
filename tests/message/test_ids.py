"""The IDs of one sender always increase, whatever its clock does and whichever process composes."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import ids
from ai_bridge.message.ids import Issue
from tests.support.mail import post

DAY_S = 86_400.0


@pytest.fixture(autouse=True)
def _of_a_new_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ids, "_last_us", 0)


def memory(where: Tree, sender: str = "claude") -> Path:
    return Path(where.memory("issued"), sender)


def by_another_process(where: Tree, sender: str = "claude") -> str:
    script = (
        "from ai_bridge.mailboxes.tree import Tree\n"
        "from ai_bridge.mailboxes.compose import Draft\n"
        "from tests.support.mail import send\n"
        f"print(send(Tree({where.path!r}), {sender!r}, Draft(['gemini'], 'x'), 99999).id)"
    )
    return subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    ).stdout.strip()


def order(id_: str) -> str:
    return ids.stamp_of(id_)


@pytest.mark.parametrize("ahead_s", [0.0, 60.0, 3600.0, DAY_S - 60])
def test_ids_grow_across_processes_when_the_clock_goes_back(where: Tree, ahead_s: float) -> None:
    first = post(where)
    then = time.time() + ahead_s
    os.utime(memory(where), (then, then))
    found = [by_another_process(where) for _ in range(3)]
    assert [order(first), *map(order, found)] == sorted({order(first), *map(order, found)})
    assert order(found[0]) >= time.strftime("%Y%m%d%H%M%S", time.gmtime(then))


@pytest.mark.parametrize("ahead_s", [DAY_S + 60, 365 * DAY_S])
def test_a_clock_that_was_wrong_by_a_day_is_not_waited_for(where: Tree, ahead_s: float) -> None:
    post(where)
    then = time.time() + ahead_s
    os.utime(memory(where), (then, then))
    found = by_another_process(where)
    assert order(found) <= time.strftime("%Y%m%d%H%M%S", time.gmtime(time.time() + 60))
    assert memory(where).stat().st_mtime < time.time() + 60
    assert order(by_another_process(where)) > order(found)


def test_one_sender_does_not_wait_for_another(where: Tree) -> None:
    post(where)
    then = time.time() + 3600
    os.utime(memory(where), (then, then))
    assert order(by_another_process(where, "gemini-2" if where.make(["gemini-2"]) else "")) < time.strftime(
        "%Y%m%d%H%M%S", time.gmtime(then - 60)
    )


def test_ids_of_one_batch_grow_and_the_next_follow(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time_ns", lambda: 1_800_000_000_000_000_000)
    issue = Issue(where.memory("issued") + "/claude", "claude")
    found = [issue.next()[1] for _ in range(1000)]
    issue.save()
    found.append(Issue(where.memory("issued") + "/claude", "claude").next()[1])
    assert [order(one) for one in found] == sorted({order(one) for one in found})
    assert all(ids.is_own_id(one) for one in found)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(-3600, 3600), min_size=1, max_size=20))
def test_whatever_the_clock_does_ids_grow(steps: list[int]) -> None:
    import tempfile

    with tempfile.TemporaryDirectory() as base, pytest.MonkeyPatch.context() as patch:
        patch.setenv("AI_BRIDGE_STATE", base)
        now, found = 1_800_000_000, []
        for step in steps:
            now += step
            patch.setattr(ids, "_last_us", 0)  # each time another process
            patch.setattr(time, "time_ns", lambda now=now: now * 1_000_000_000)
            issue = Issue("/mailboxes/claude", "claude")
            found.append(order(issue.next()[1]))
            issue.save()
        jumped = any(abs(sum(steps[:n])) >= DAY_S for n in range(len(steps) + 1))
        assert jumped or found == sorted(set(found))


def _as_a_directory(path: Path) -> None:
    path.mkdir(parents=True)


def _as_a_link(path: Path) -> None:
    path.parent.mkdir(parents=True)
    path.symlink_to("/nowhere/at all")


def _behind_a_file(path: Path) -> None:
    path.parent.parent.mkdir(parents=True)
    path.parent.write_text("")


@pytest.mark.parametrize("hinder", [_as_a_directory, _as_a_link, _behind_a_file])
def test_a_memory_that_cannot_be_written_stops_no_mail(where: Tree, hinder: object) -> None:
    assert callable(hinder)
    hinder(memory(where))
    assert order(post(where)) < order(by_another_process(where))


def test_the_date_is_that_of_the_id(where: Tree) -> None:
    date, id_ = Issue(where.memory("issued") + "/claude", "claude").next()
    assert "".join(ch for ch in date if ch.isdigit()) == order(id_)
