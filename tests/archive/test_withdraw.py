"""withdraw: each copy that nobody has read goes to the archive with its reason, and is shown to nobody."""

from __future__ import annotations

import os

import pytest

from ai_bridge.archive.withdraw import NotYours, take_back_all
from ai_bridge.errors import NoSuchMessage
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes import trace, unread
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, ENDED, HELD, PROCESSING, READ, REASON, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock
from tests.history.test_search import put
from tests.support.mail import states

ID = "claude-20260103-000000-000000-aaaa"
NAME = f"{ID}.gemini.txt"


@pytest.mark.parametrize("state", [DROPPED, UNREAD, HELD])
def test_what_nobody_has_read_is_archived_with_the_reason(where: Tree, settings: Settings, state: str) -> None:
    path = put(where, NAME, state=state)
    if state == HELD:
        with open(path + REASON, "w") as file:
            file.write("its card holds it\n")
    (end,) = take_back_all(where, "claude", ID)
    assert (end.done, end.what, end.place.state) == (True, "withdrawn", ARCHIVED)
    assert states(where, "claude") == {ARCHIVED: [NAME]}
    assert trace.find(where, ID)[0].reason() == "claude withdrew it before it was read"
    assert not os.path.lexists(path + REASON)
    assert fetch(where, "gemini", settings) == []


def test_it_says_for_each_recipient_whether_it_was_too_late(where: Tree) -> None:
    where.make(["codex"])
    put(where, NAME, state=READ)
    put(where, f"{ID}.codex.txt", state=UNREAD)
    found = {end.place.recipient: (end.done, end.what) for end in take_back_all(where, "claude", ID)}
    assert found["codex"] == (True, "withdrawn")
    assert found["gemini"][0] is False
    assert found["gemini"][1].startswith("too late: read at 20")
    assert states(where, "claude") == {READ: [NAME], ARCHIVED: [f"{ID}.codex.txt"]}


def test_only_its_sender_takes_it_back(where: Tree) -> None:
    put(where, NAME, state=UNREAD)
    with pytest.raises(NotYours, match="only claude can withdraw it, and you are gemini"):
        take_back_all(where, "gemini", ID)
    with pytest.raises(NoSuchMessage):
        take_back_all(where, "claude", "unknown")
    assert states(where, "claude") == {UNREAD: [NAME]}


def test_it_does_not_take_what_a_session_is_reading_just_now(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    put(where, NAME, state=UNREAD)
    monkeypatch.setattr("ai_bridge.archive.withdraw._PATIENCE_S", 0.0)
    with unread.lock_inbox(where, "gemini"):
        (end,) = take_back_all(where, "claude", ID)
    assert (end.done, end.is_busy) == (False, True)
    assert end.what.startswith("not withdrawn: another session is reading gemini's mail just now")
    assert states(where, "claude") == {UNREAD: [NAME]}


def test_the_lock_is_free_again_afterwards(where: Tree) -> None:
    put(where, NAME, state=UNREAD)
    take_back_all(where, "claude", ID)
    with Lock(where.lock_file("reader", "gemini")) as lock:
        assert lock.acquire("reader", "gemini", 0.0)


def test_a_message_that_a_router_has_in_hand_is_followed(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    put(where, NAME, state=PROCESSING)
    outbox = where.outbox("claude")

    def deliver(_: float) -> None:
        os.rename(outbox.file(PROCESSING, NAME), outbox.file(UNREAD, NAME))

    monkeypatch.setattr("ai_bridge.archive.withdraw.time.sleep", deliver)
    assert [end.what for end in take_back_all(where, "claude", ID)] == ["withdrawn"]
    assert states(where, "claude") == {ARCHIVED: [NAME]}


def test_what_was_withdrawn_is_not_withdrawn_again(where: Tree) -> None:
    put(where, NAME, state=UNREAD)
    take_back_all(where, "claude", ID)
    (end,) = take_back_all(where, "claude", ID)
    assert (end.done, end.what.startswith("not withdrawn: it is archived since")) == (False, True)
    assert os.path.lexists(where.outbox("claude").file(ARCHIVED, NAME) + ENDED)
