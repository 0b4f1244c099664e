"""conversations: threads the newest last, with who takes part, and how many messages are there and unread."""

from __future__ import annotations

import os

import pytest

from ai_bridge.errors import NoSuchMessage
from ai_bridge.history import conversations
from ai_bridge.history.conversations import Conversation, ended_before, newest
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import times
from tests.history.test_search import put


def _id(day: int, sender: str = "claude") -> str:
    return f"{sender}-202601{day:02d}-000000-000000-aaaa"


def _put(where: Tree, day: int, to: str = "gemini", sender: str = "claude", state: str = READ, **more: str) -> str:
    """Put a message of that day into a state; returns its name."""
    return put(where, f"{_id(day, sender)}.{to}.txt", sender=sender, state=state, **more)


def _seconds(day: int) -> float:
    return times.parse_utc(f"2026-01-{day:02d}T00:00:00Z")


@pytest.fixture
def talk(where: Tree) -> Conversation:
    """A conversation of three messages after one of its own, the last of them to two agents and half read."""
    _put(where, 1, Subject="alone")
    _put(where, 2, Subject="the plan")
    _put(where, 3, to="claude", sender="gemini", Thread=_id(2), Subject="Re: the plan")
    where.make(["codex"])
    _put(where, 4, Thread=_id(2), Subject="x")
    _put(where, 4, to="codex", state=UNREAD, Thread=_id(2), Subject="x")
    alone, found = newest(where)
    assert (alone.id, alone.subject, alone.count) == (_id(1), "alone", 1)
    return found


def test_a_conversation_tells_its_subject_who_takes_part_and_its_messages(talk: Conversation) -> None:
    assert (talk.id, talk.subject, talk.agents) == (_id(2), "the plan", ["claude", "gemini", "codex"])
    assert (talk.count, talk.unread, talk.last.id, talk.at_s) == (3, 1, _id(4), _seconds(4))


@pytest.mark.usefixtures("talk")
def test_many_files_are_counted_by_a_listing(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(conversations, "_MANY", 0)
    assert newest(where)[-1].unread == 1


def test_they_are_paged_by_the_threads_before(where: Tree) -> None:
    for day in range(1, 6):
        _put(where, day)
    assert [one.id for one in newest(where, limit=2)] == [_id(4), _id(5)]
    assert [one.id for one in newest(where, limit=2, before=_id(4))] == [_id(2), _id(3)]
    assert newest(where, before=_id(1)) == []
    with pytest.raises(NoSuchMessage):
        newest(where, before="nothing")


def test_those_of_a_project_are_those_with_an_agent_of_it(where: Tree) -> None:
    where.make(["codex@web"])
    _put(where, 1)
    put(where, f"{_id(2)}.codex@web.txt")
    assert [one.id for one in newest(where, project="web")] == [_id(2)]
    assert newest(where, project="api") == []


@pytest.mark.usefixtures("talk")
def test_a_conversation_whose_last_message_is_gone_is_as_old_as_the_one_before(where: Tree) -> None:
    for state, to in ((READ, "gemini"), (UNREAD, "codex")):
        os.unlink(where.outbox("claude").file(state, f"{_id(4)}.{to}.txt"))
    found = newest(where)[-1]
    assert (found.last.id, found.at_s) == (_id(3, "gemini"), _seconds(3))


@pytest.mark.usefixtures("talk")
def test_threads_have_ended_once_their_last_message_is_older(where: Tree) -> None:
    assert list(ended_before(where, _seconds(1))) == []
    assert list(ended_before(where, _seconds(4))) == [[("claude", f"{_id(1)}.gemini.txt")]]
    assert [len(files) for files in ended_before(where, _seconds(5))] == [1, 4]


def test_many_threads_are_given_in_the_order_of_their_last_messages(where: Tree) -> None:
    names = [f"claude-20260101-000000-{number:06d}-aaaa.gemini.txt" for number in range(2500)]
    for name in names:
        put(where, name)
    assert list(ended_before(where, _seconds(2))) == [[("claude", name)] for name in names]
