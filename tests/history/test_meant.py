"""A message is meant by the end of its ID, or by `last`; an exact ID comes first, and several are never guessed."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.errors import NoSuchMessage
from ai_bridge.history import ends, meant
from ai_bridge.history.ends import NothingYet, SeveralMeant
from ai_bridge.history.query import Query
from ai_bridge.mailboxes import trace, unread
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import NotUnread
from ai_bridge.message.reference import View
from ai_bridge.settings import Settings
from tests.history.test_search import put
from tests.support.mail import post, put_message, route

CLAUDE = View("claude")
IDS = [f"claude-20261128-0101{number:02d}-000001-{end}" for number, end in enumerate(["ab12", "cb12", "zz99"])]


def _put(where: Tree, id_: str, state: str = UNREAD, to: str = "gemini") -> str:
    put_message(where, state, f"{id_}.{to}.txt", id_, to)
    return id_


def _found(where: Tree, text: str, view: View = CLAUDE) -> str:
    return meant.message(where, text, view, lambda id_: trace.find(where, id_, view)[0].id)


@pytest.mark.parametrize("state", [DROPPED, UNREAD, READ, HELD, MALFORMED])
def test_the_end_of_an_id_means_its_message_in_every_state(where: Tree, state: str) -> None:
    for id_ in IDS:
        _put(where, id_, state)
    assert _found(where, "z99") == _found(where, "claude/zz99") == _found(where, "000001-zz99") == IDS[2]


@pytest.mark.parametrize("end", ["99", "", "*", "gemini/zz99", "ZZ99", "../zz99", "zz99\0", "x" * 100_000])
def test_what_is_no_end_of_three_characters_means_nothing(where: Tree, end: str) -> None:
    _put(where, IDS[2])
    with pytest.raises(NoSuchMessage, match="`ai-bridge history` lists the IDs, and the end of one is enough"):
        _found(where, end)


def test_a_file_with_a_name_of_its_own_is_meant_by_the_end_of_its_name(where: Tree) -> None:
    Path(where.outbox("claude").file(MALFORMED, "my note.txt")).write_text("no message")
    assert _found(where, "note.txt") == "my note.txt"


def test_several_are_named_with_their_senders_and_times_and_none_is_chosen(where: Tree) -> None:
    for id_ in IDS[:2]:
        _put(where, id_)
    with pytest.raises(SeveralMeant) as refusal:
        _found(where, "b12")
    assert str(refusal.value) == (
        "b12 is the end of several IDs: give more of the one you mean, of "
        f"{IDS[1]} (from claude, 2026-11-28 01:01Z), {IDS[0]} (from claude, 2026-11-28 01:01Z)"
    )
    assert _found(where, "ab12") == IDS[0]


def test_of_very_many_the_newest_five_are_named(where: Tree) -> None:
    for number in range(20):
        _put(where, f"claude-20261128-0101{number:02d}-000001-same", [UNREAD, HELD][number % 2])
    with pytest.raises(SeveralMeant) as refusal:
        _found(where, "same")
    assert str(refusal.value).count("-same (from claude") == 5
    assert str(refusal.value).endswith("-010115-000001-same (from claude, 2026-11-28 01:01Z) and 15 older")
    assert len(refusal.value.to_model()) < 1300


def test_copies_of_one_message_are_one(where: Tree) -> None:
    where.make(["codex"])
    _put(where, IDS[0])
    _put(where, IDS[0], READ, "codex")
    assert _found(where, "ab12") == IDS[0]


def test_an_exact_id_comes_first_and_needs_no_index(where: Tree) -> None:
    _put(where, "zz99")
    _put(where, IDS[2])
    assert _found(where, "zz99") == "zz99"
    assert not os.path.exists(where.state_file("index.sqlite3"))
    assert _found(where, "1-zz99") == IDS[2]
    assert os.path.exists(where.state_file("index.sqlite3"))


def test_the_refusal_of_an_exact_look_is_kept_if_nothing_is_meant(where: Tree) -> None:
    def look(id_: str) -> None:
        raise NoSuchMessage(id=id_, where=" anywhere")

    with pytest.raises(NoSuchMessage, match="there is no message nope anywhere"):
        meant.message(where, "nope", CLAUDE, look)


# --- last -------------------------------------------------------------------------------------------------


def test_last_is_the_newest_that_i_did_not_write(where: Tree) -> None:
    cards.put(where, "claude", {"person": "yes"})
    with pytest.raises(NothingYet, match="nobody but you has written any yet"):
        _found(where, "last")
    post(where)
    with pytest.raises(NothingYet, match="nobody but you has written any yet"):
        _found(where, "last")
    theirs = post(where, sender="gemini", to="claude")
    mine = [post(where, str(number)) for number in range(30)]
    assert _found(where, "last") == theirs
    assert _found(where, "last", View()) == _found(where, "last", View("gemini")) == mine[-1]


def test_last_is_what_was_written_to_an_agent_and_never_a_notice(where: Tree) -> None:
    where.make(["codex", "postmaster-s"])
    with pytest.raises(NothingYet, match="nobody has written to claude yet"):
        _found(where, "last")
    theirs = post(where, sender="gemini", to="claude")
    between = post(where, sender="gemini", to="codex")
    where.outbox("postmaster").make()
    put(where, "postmaster-20990101-000000-000000-aaaa.claude.txt", sender="postmaster", state=UNREAD)
    assert _found(where, "last") == theirs
    assert _found(where, "last", View()) == between


def test_last_is_of_my_project(where: Tree) -> None:
    where.make(["codex@web", "claude@web", "codex@api"])
    near = post(where, sender="codex@web", to="claude@web")
    far = post(where, sender="codex@api", to="gemini")
    cards.put(where, "claude@web", {"person": "yes"})
    assert _found(where, "last", View("claude@web")) == near
    assert _found(where, "last", View("gemini")) == far


def test_a_message_with_the_id_last_is_reached_with_its_sender_alone(where: Tree) -> None:
    theirs = post(where, sender="gemini", to="claude")
    _put(where, "last")
    assert _found(where, "last") == theirs
    assert _found(where, "claude/last") == "last"


# --- several at once, and past mail -----------------------------------------------------------------------


def test_unread_mail_is_acknowledged_by_the_ends_of_ids_all_or_none(where: Tree, settings: Settings) -> None:
    for id_ in IDS:
        _put(where, id_)
    view = View("gemini")

    def act(ids: list[str]) -> list[str]:
        return unread.acknowledge(where, "gemini", ids, view)

    with pytest.raises(NotUnread, match="nope is not unread for gemini"):
        meant.unread(where, ["ab12", "nope"], view, act)
    assert meant.unread(where, ["ab12", IDS[1]], view, act) == IDS[:2]
    with pytest.raises(NotUnread, match=f"{IDS[0]} is not unread for gemini"):
        meant.unread(where, ["ab12"], view, act)
    assert where.outbox("claude").names(UNREAD) == [f"{IDS[2]}.gemini.txt"]


def test_past_mail_is_asked_for_by_the_ends_of_ids(where: Tree) -> None:
    first = post(where, "one")
    post(where, "two", thread=first, in_reply_to=first)
    third = post(where, "three")
    ids = [place.id for place in meant.past(where, Query(thread=first[-4:]), CLAUDE).places]
    assert (len(ids), ids[0]) == (2, first)
    assert [place.id for place in meant.past(where, Query(before=third[-4:]), CLAUDE).places] == ids
    with pytest.raises(NoSuchMessage):
        meant.past(where, Query(thread="nope"), CLAUDE)


# --- to choose from ---------------------------------------------------------------------------------------


def test_the_newest_are_offered_by_ends_that_tell_them_apart(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    for id_ in ("a-20261128-010101-000001-same", "b-20261128-010102-000002-same"):
        _put(where, id_)
    own = post(where, to="gemini, codex", subject="s\u202e")
    found = ends.newest(where)
    assert [(end, id_) for end, id_, _ in found] == [
        (own[-4:], own),
        ("2-same", "b-20261128-010102-000002-same"),
        ("1-same", "a-20261128-010101-000001-same"),
    ]
    assert found[0][2] == "claude → codex, gemini s\\u202e"
    route(where, settings)
    assert [_found(where, end) for end, _, _ in ends.newest(where)] == [id_ for _, id_, _ in found]


def test_nothing_is_offered_before_a_long_index_is_built(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ends, "_FEW", 3)
    for id_ in IDS:
        _put(where, id_, READ)
    assert ends.newest(where) == []
    assert not os.path.exists(where.state_file("index.sqlite3"))
    assert _found(where, "zz99") == IDS[2]
    assert len(ends.newest(where)) == 3


def test_no_more_than_the_newest_twenty_are_offered(where: Tree) -> None:
    ids = [post(where, str(number)) for number in range(25)]
    assert [id_ for _, id_, _ in ends.newest(where)] == ids[:4:-1]
