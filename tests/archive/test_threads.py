"""archive: whole threads whose last message is old, if nothing in them waits; malformed files by their own age."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ai_bridge.archive.threads import Run, archive_older, steps
from ai_bridge.errors import DiskError
from ai_bridge.mailboxes.file_names import variant
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, HELD, MALFORMED, PROCESSING, READ, REASON, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable, times
from tests.history.test_search import put
from tests.support.machine import LAPTOP, TOWER, On, settle_on
from tests.support.mail import states

DAY = 86_400
# How many seconds ago the second of January 2026 was.
AGE = time.time() - times.parse_utc("2026-01-02T12:00:00Z")


def _id(day: int, sender: str = "claude") -> str:
    return f"{sender}-202601{day:02d}-000000-000000-aaaa"


def _name(day: int, to: str = "gemini", sender: str = "claude") -> str:
    return f"{_id(day, sender)}.{to}.txt"


def _put(where: Tree, day: int, state: str = READ, to: str = "gemini", sender: str = "claude", **more: str) -> str:
    put(where, _name(day, to, sender), sender=sender, state=state, **more)
    return _name(day, to, sender)


def test_a_thread_is_archived_as_a_whole_once_its_last_message_is_old(where: Tree) -> None:
    first, second = _put(where, 1), _put(where, 2, sender="gemini", to="claude", Thread=_id(1))
    younger = [_put(where, 3), _put(where, 4, Thread=_id(3))]
    run = archive_older(where, AGE)
    assert (run.messages, run.threads, run.due, run.elsewhere) == (2, 1, 2, {})
    assert states(where, "claude") == {READ: younger, ARCHIVED: [first]}
    assert states(where, "gemini") == {ARCHIVED: [second]}
    assert archive_older(where, AGE).messages == 0
    assert archive_older(where, 0).messages == 2


def test_a_thread_whose_last_message_is_young_stays_as_a_whole(where: Tree) -> None:
    names = [_put(where, 1), _put(where, 4, Thread=_id(1))]
    assert archive_older(where, AGE).messages == 0
    assert states(where, "claude") == {READ: names}


@pytest.mark.parametrize("state", [DROPPED, PROCESSING, UNREAD, HELD])
def test_a_thread_with_a_message_that_waits_is_not_over(where: Tree, state: str) -> None:
    waits = _put(where, 2, state=state, Thread=_id(1))
    read, other = _put(where, 1), _put(where, 1, to="claude", sender="gemini")
    assert archive_older(where, 0).messages == 1
    assert states(where, "claude") == {READ: [read], state: [waits]}
    assert states(where, "gemini") == {ARCHIVED: [other]}


def test_a_malformed_file_counts_for_itself_and_takes_its_reason_along(where: Tree) -> None:
    names = [_put(where, day, state=MALFORMED) for day in (1, 3)]
    names.append(os.path.basename(put(where, "hello.txt", state=MALFORMED)))  # written just now
    outbox = where.outbox("claude")
    for name in names[:2]:
        Path(outbox.file(MALFORMED, name) + REASON).write_text("no such agent\n")
    assert archive_older(where, AGE).messages == 1
    assert states(where, "claude") == {MALFORMED: names[1:], ARCHIVED: [variant(names[0], 1)]}
    assert Path(outbox.file(ARCHIVED, variant(names[0], 1)) + REASON).read_text() == "no such agent\n"
    assert sorted(os.listdir(outbox.directory(MALFORMED))) == sorted([*names[1:], names[1] + REASON])


def test_each_outbox_is_listed_once_and_no_file_is_looked_for_by_itself(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(40):
        put(where, _name(1).replace("aaaa", f"a{number:03}"))
    outbox = where.outbox("claude")
    for path in [*Path(outbox.directory(READ)).iterdir(), outbox.directory(READ)]:
        os.utime(path, (10**9, 10**9))
    archive_older(where, 10**9)  # the index is up to date, and all has settled
    listed: list[str] = []
    looked: list[str] = []
    real, lexists = os.listdir, os.path.lexists
    monkeypatch.setattr(os, "listdir", lambda path: (listed.append(str(path)), real(path))[1])
    monkeypatch.setattr(os.path, "lexists", lambda path: (looked.append(str(path)), lexists(path))[1])
    assert archive_older(where, 0).messages == 40
    assert listed.count(outbox.directory(READ)) == 1
    assert [path for path in looked if path.endswith(".txt")] == []


def test_mail_of_another_machine_is_counted_and_left(where: Tree, on: On) -> None:
    settle_on(where, LAPTOP, "claude")
    settle_on(where, TOWER, "gemini")
    theirs, ours = _put(where, 1), _put(where, 1, to="claude", sender="gemini")
    on(LAPTOP)
    run = archive_older(where, 0)
    assert (run.messages, run.elsewhere) == (1, {TOWER: 1})
    assert states(where, "claude") == {READ: [theirs]}
    assert states(where, "gemini") == {ARCHIVED: [ours]}
    on(TOWER)
    assert archive_older(where, 0).messages == 1


def test_mail_for_an_agent_that_is_gone_is_the_senders(where: Tree) -> None:
    name = _put(where, 1, to="nobody")
    assert archive_older(where, 0).messages == 1
    assert states(where, "claude") == {ARCHIVED: [name]}


def test_a_run_that_is_left_goes_on_with_the_next(where: Tree) -> None:
    names = [_put(where, day) for day in (1, 2)]
    run = Run()
    next(steps(where, 0, run))
    assert run.messages == 0
    assert archive_older(where, 0).messages == 2
    assert states(where, "claude") == {ARCHIVED: names}


def test_a_disk_that_refuses_is_one_sentence_and_loses_nothing(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    name = _put(where, 1)

    def refuse(source: str, target: str) -> bool:
        raise OSError(28, os.strerror(28), source)

    monkeypatch.setattr(durable, "move", refuse)
    with pytest.raises(DiskError, match="the disk is full; free some space"):
        archive_older(where, 0)
    assert states(where, "claude") == {READ: [name]}
