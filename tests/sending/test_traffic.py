"""Mail between two agents is counted for an hour, by direction; after damage to the file the count starts again."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending.traffic import SPAN_S, Traffic, recent


def _file(where: Tree, sender: str = "claude", recipient: str = "gemini") -> Path:
    tree = os.stat(where.path)
    base = Path(os.environ["AI_BRIDGE_STATE"], "traffic", f"{tree.st_dev:x}-{tree.st_ino:x}")
    return base / sender / recipient


def _note(where: Tree, times: int, limit: int = 60) -> None:
    counted = Traffic(where, limit)
    for _ in range(times):
        counted.count("claude", "gemini")
    counted.save()


def test_nothing_is_counted_at_first(where: Tree) -> None:
    assert not recent(where, "claude", "gemini")


def test_what_one_pass_counts_is_seen_by_others_once_it_is_saved(where: Tree) -> None:
    counted = Traffic(where, 60)
    counted.count("claude", "gemini")
    assert not recent(where, "claude", "gemini")
    counted.save()
    assert len(recent(where, "claude", "gemini").counted) == 1
    assert not recent(where, "gemini", "claude")
    _note(where, 2)
    assert len(counted.deliveries("claude", "gemini").counted) == 3


def test_a_pass_that_delivers_nothing_writes_nothing(where: Tree) -> None:
    counted = Traffic(where, 60)
    counted.deliveries("claude", "gemini")
    counted.save()
    assert not os.path.exists(_file(where))


def test_what_does_not_count_is_remembered_by_its_last_time_alone(where: Tree) -> None:
    made = Traffic(where, 60)
    made.count("claude", "gemini")
    for _ in range(3):
        made.remember("claude", "gemini")
    made.save()
    found = recent(where, "claude", "gemini")
    assert (len(found.counted), found.free) == (1, int(_file(where).read_text().split()[0].removeprefix("-")))
    assert _file(where).read_text().count("-") == 1
    assert abs(found.free - time.time()) < 60


def test_what_did_not_count_is_forgotten_after_an_hour(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Traffic(where, 60)
    made.remember("claude", "gemini")
    made.save()
    assert recent(where, "claude", "gemini")
    later = time.time() + SPAN_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert not recent(where, "claude", "gemini")


def test_no_more_are_kept_than_matter(where: Tree) -> None:
    _note(where, 50, limit=10)
    assert len(recent(where, "claude", "gemini").counted) == 10
    assert _file(where).stat().st_size == 110


def test_what_is_older_than_an_hour_or_not_yet_does_not_count(where: Tree) -> None:
    _note(where, 1)
    now = int(time.time())
    _file(where).write_text(f"{now + 1000}\n{now}\n{now - SPAN_S - 1}\n{now - SPAN_S + 100}\n")
    assert recent(where, "claude", "gemini").counted == [now - SPAN_S + 100, now]


def test_what_grows_old_during_a_long_pass_counts_no_more(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    counted = Traffic(where, 60)
    counted.count("claude", "gemini")
    later = time.time() + SPAN_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert not counted.deliveries("claude", "gemini")


@pytest.mark.parametrize("raw", [b"", b"\0\0\0", b"now and then\n", b"1.5\n", b"\xff\xfe", b"9" * 6000])
def test_a_damaged_file_counts_anew(where: Tree, raw: bytes) -> None:
    _note(where, 1)
    _file(where).write_bytes(raw)
    assert not recent(where, "claude", "gemini")
    _note(where, 1)
    assert len(recent(where, "claude", "gemini").counted) == 1


def test_where_nothing_can_be_written_nothing_is_counted_and_nobody_is_stopped(where: Tree) -> None:
    _file(where).mkdir(parents=True)
    _note(where, 3)
    assert not recent(where, "claude", "gemini")
