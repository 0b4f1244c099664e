"""archive --delete: only archived mail of that age, and only attachments that no message names any more."""

from __future__ import annotations

import hashlib
import os
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from ai_bridge.archive import deletion
from ai_bridge.archive.deletion import delete, due
from ai_bridge.mailboxes import attachments
from ai_bridge.mailboxes.outbox import ARCHIVED, ENDED, HELD, MALFORMED, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import context
from tests.history.test_search import put
from tests.support.machine import LAPTOP, TOWER, On, settle_on
from tests.support.mail import states

NAME = "claude-20260103-000000-000000-aaaa.gemini.txt"
OTHER = NAME.replace("aaaa", "bbbb")


def _put(where: Tree, name: str, state: str = ARCHIVED, **more: str) -> str:
    Path(where.outbox("claude").file(state, name)).parent.mkdir(parents=True, exist_ok=True)
    return put(where, name, state=state, **more)


def _attach(where: Tree, text: str, old: bool = True) -> tuple[str, dict[str, str]]:
    """Store an attachment; returns its path and the header that refers to it."""
    sha256 = hashlib.sha256(text.encode()).hexdigest()
    path = Path(where.outbox("claude").attached, context.file_name(sha256, "a.csv"))
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    if old:
        os.utime(path, (1, 1))
    return str(path), {"Context": f"a.csv:1-2 sha256:{sha256}"}


def _delete(where: Tree, age_s: float = 0) -> tuple[int, int]:
    doomed = due(where, age_s)
    deleted = delete(doomed)
    assert deleted == len(doomed.attached)
    return len(doomed.messages), deleted


@pytest.fixture(autouse=True)
def later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have two hours pass since the files came to their places: only the system sets that time."""
    clock = SimpleNamespace(time=lambda: time.time() + 7200)
    monkeypatch.setattr(deletion, "time", clock)


def test_archived_mail_of_that_age_goes_with_its_reason_and_nothing_else(where: Tree) -> None:
    for state, name in ((ARCHIVED, NAME), (READ, OTHER), (HELD, OTHER.replace("b", "c"))):
        path = _put(where, name, state)
    Path(where.outbox("claude").file(ARCHIVED, NAME) + ENDED).write_text("why")
    _put(where, "n1.gemini.txt")  # written just now
    assert _delete(where, 3 * 3600) == (1, 0)
    assert states(where, "claude") == {ARCHIVED: ["n1.gemini.txt"], READ: [OTHER], HELD: [os.path.basename(path)]}
    assert list(Path(where.outbox("claude").path).rglob(f"*{ENDED}")) == []
    assert _delete(where, 0) == (1, 0)


def test_an_attachment_goes_with_the_last_message_that_names_it(where: Tree) -> None:
    path, header = _attach(where, "one")
    shared, other = _attach(where, "two")
    _put(where, NAME, **header)
    _put(where, OTHER, READ, **other)
    young, _ = _attach(where, "three", old=False)
    assert _delete(where) == (1, 1)
    assert [os.path.lexists(one) for one in (path, shared, young)] == [False, True, True]


def test_a_message_that_comes_while_the_person_is_asked_keeps_its_attachment(where: Tree) -> None:
    path, header = _attach(where, "one")
    other, more = _attach(where, "two")
    _put(where, NAME, **header)
    _put(where, NAME.replace("aaaa", "cccc"), **more)
    doomed = due(where, 0)
    assert len(doomed.attached) == 2
    _put(where, OTHER, UNREAD, **header)
    assert delete(doomed) == 1
    assert [os.path.lexists(one) for one in (path, other)] == [True, False]
    assert states(where, "claude") == {UNREAD: [OTHER]}


def test_an_attachment_that_is_about_to_be_used_again_stays(where: Tree) -> None:
    path, header = _attach(where, "one")
    _put(where, NAME, **header)
    doomed = due(where, 0)
    assert len(doomed.attached) == 1
    attachments.store(where.outbox("claude"), {os.path.basename(path): b"one"})  # its message is not dropped yet
    assert (delete(doomed), os.path.lexists(path)) == (0, True)


def test_an_attachment_that_came_lately_stays_whatever_its_time_of_writing(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deletion, "time", time)
    path, header = _attach(where, "one")
    _put(where, NAME, **header)
    assert _delete(where) == (1, 0)
    assert os.path.lexists(path)


def test_an_attachment_of_a_message_that_was_sent_lately_stays(where: Tree) -> None:
    path, header = _attach(where, "one")
    sent = _put(where, "n1.gemini.txt", **header)
    os.utime(sent, (time.time() + 7000, time.time() + 7000))
    assert _delete(where) == (1, 0)
    assert os.path.lexists(path)


@pytest.mark.parametrize("why", ["unreadable", "newer"])
def test_all_attachments_stay_if_somebody_may_need_them(where: Tree, why: str) -> None:
    path, header = _attach(where, "one")
    _put(where, NAME, **header)
    if why == "newer":
        Path(where.outbox("claude").path, ".flagged").mkdir()
    else:
        Path(where.outbox("claude").file(MALFORMED, "x.txt")).write_text(f"Context: {header['Context']}\nno end")
    assert _delete(where) == (1, 0)
    assert os.path.lexists(path)


def test_a_stranger_s_file_in_the_folder_stays(where: Tree) -> None:
    _attach(where, "one")
    notes = Path(where.outbox("claude").attached, "notes.txt")
    notes.write_text("mine")
    os.utime(notes, (1, 1))
    assert _delete(where) == (0, 1)
    assert notes.exists()


def test_what_another_machine_moves_is_left_to_it(where: Tree, on: On) -> None:
    settle_on(where, LAPTOP, "claude")
    settle_on(where, TOWER, "gemini")
    _put(where, NAME)
    on(LAPTOP)
    assert _delete(where) == (0, 0)
    on(TOWER)
    assert _delete(where) == (1, 0)
