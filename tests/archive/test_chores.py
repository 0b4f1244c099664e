"""The router's chores: what `archive_after` says, at most once per hour, beside its work with mail."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from ai_bridge import settings as settings_
from ai_bridge.archive import chores, threads
from ai_bridge.archive.chores import Chores
from ai_bridge.mailboxes.outbox import ARCHIVED, READ
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import BadSetting, Settings
from tests.history.test_search import put
from tests.support.mail import states

NAME = "claude-20260103-000000-000000-aaaa.gemini.txt"


def _tended(one: Chores) -> list[str]:
    said = list(one.tend(is_asked=False))
    one.join()
    return said


def test_nothing_is_archived_unless_the_setting_says_so(where: Tree, settings: Settings) -> None:
    put(where, NAME)
    one = Chores(where, settings)
    assert [*_tended(one), *_tended(one)] == []
    assert states(where, "claude") == {READ: [NAME]}


def test_the_setting_archives_and_is_looked_at_once_per_hour(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    put(where, NAME)
    one = Chores(where, settings_.load(where.path, {"archive_after": "1d"}))
    assert _tended(one) == []
    assert states(where, "claude") == {ARCHIVED: [NAME]}
    other = NAME.replace("aaaa", "bbbb")
    put(where, other)
    assert _tended(one) == ["archived 1 message of 1 thread"]
    assert states(where, "claude") == {READ: [other], ARCHIVED: [NAME]}
    later = chores.time.monotonic() + 3601
    monkeypatch.setattr(chores, "time", SimpleNamespace(monotonic=lambda: later))
    assert _tended(one) == []
    assert states(where, "claude") == {ARCHIVED: [NAME, other]}


def test_trouble_is_said_once_and_ends_nothing(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    put(where, NAME)
    one = Chores(where, settings_.load(where.path, {"archive_after": "1d"}))

    def refuse(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(threads.archived, "archive_read", refuse)
    assert _tended(one) == []
    (said,) = _tended(one)
    assert said.startswith("not all old mail was archived: ")
    assert "the disk is full" in said


def test_a_router_that_stops_does_not_wait_for_the_whole_run(where: Tree) -> None:
    put(where, NAME)
    one = Chores(where, settings_.load(where.path, {"archive_after": "1d"}))
    one.stop()
    _tended(one)
    assert states(where, "claude") == {READ: [NAME]}


@pytest.mark.parametrize("value", ["30", "soon", 30, True, "1w"])
def test_a_bad_duration_is_refused(where: Tree, value: object) -> None:
    with pytest.raises(BadSetting, match="must be a duration such as 30d, or empty"):
        settings_.load(where.path, {"archive_after": value})
