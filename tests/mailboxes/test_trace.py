"""Where a message is: found in every state by its ID or file name, in history, and restored by hand."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.errors import NoSuchMessage
from ai_bridge.history import threads
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, READ, REASON, STATES, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.message.reference import SeveralMessages, View
from ai_bridge.settings import Settings
from tests.support.mail import post, put_message, route


def _where(where: Tree, id_: str) -> list[tuple[str, str, str]]:
    return [(place.state, place.name, place.recipient) for place in trace.find(where, id_)]


# --- find -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", STATES)
def test_a_message_is_found_in_every_state_by_id_and_by_name(where: Tree, state: str) -> None:
    path = put_message(where, state, "n1.gemini.txt")
    for word in ("n1", "n1.gemini.txt"):
        assert _where(where, word) == [(state, "n1.gemini.txt", "gemini")]
        assert trace.find(where, word)[0].path == path
        assert trace.find(where, word)[0].load().id == "n1"


@pytest.mark.parametrize("state", [DROPPED, PROCESSING, MALFORMED])
def test_a_file_with_a_name_of_its_own_is_found_by_what_it_holds(where: Tree, state: str) -> None:
    put_message(where, state, "a note.txt", to="gemini, codex")
    assert _where(where, "n1") == [(state, "a note.txt", "gemini, codex")]
    assert _where(where, "a note.txt") == [(state, "a note.txt", "")]


def test_every_copy_is_found(where: Tree) -> None:
    where.make(["codex"])
    put_message(where, READ, "n1.gemini.txt")
    put_message(where, UNREAD, "n1.codex.txt", to="codex")
    assert _where(where, "n1") == [(UNREAD, "n1.codex.txt", "codex"), (READ, "n1.gemini.txt", "gemini")]


def test_another_senders_outbox_is_searched_too(where: Tree) -> None:
    put_message(where, UNREAD, "gemini-1.gemini.txt", "gemini-1")
    assert _where(where, "gemini-1") == [(UNREAD, "gemini-1.gemini.txt", "gemini")]


@pytest.mark.parametrize("word", ["unknown", "", "../n1", "n1.gemini", "/etc/passwd", "../etc/passwd.txt", "*", "n"])
def test_what_names_no_message_finds_none(where: Tree, word: str) -> None:
    put_message(where, READ, "n1.gemini.txt")
    put_message(where, MALFORMED, "-no ID-.txt")
    with pytest.raises(NoSuchMessage, match=f"in {where.path}: `ai-bridge history` lists the IDs"):
        trace.find(where, word)


def test_the_reason_of_a_rejection_is_told(where: Tree, settings: Settings) -> None:
    put_message(where, DROPPED, "note.txt", to="gmini")
    route(where, settings)
    (place,) = trace.find(where, "note.txt")
    assert place.reason() is not None
    assert place.reason().startswith("To cannot be served: there is no agent gmini (did you mean gemini?)")
    os.unlink(place.path + REASON)
    os.mkfifo(place.path + REASON)
    assert place.reason() is None
    os.unlink(place.path + REASON)
    assert place.reason() is None


def test_only_a_rejected_message_has_a_reason_and_a_lost_one_no_time(where: Tree) -> None:
    path = put_message(where, UNREAD, "n1.gemini.txt")
    (place,) = trace.find(where, "n1")
    assert place.reason() is None
    assert place.at().endswith("Z")
    os.unlink(path)
    assert place.at() == ""


# --- answers ----------------------------------------------------------------------------------------------


def test_an_answer_opens_a_thread_or_stays_in_its_own(where: Tree) -> None:
    first = post(where, "x")
    second = post(where, "y", in_reply_to=first, thread="older")
    assert threads.reply_headers(where, trace.one(where, first, View()).load()) == (first, first, 1)
    assert threads.reply_headers(where, trace.one(where, second, View()).load()) == (second, "older", 2)
    assert address.is_notice("postmaster")
    assert not address.is_notice("claude")


# --- what moves while it is looked at ----------------------------------------------------------------------


@pytest.mark.parametrize("state", [PROCESSING, UNREAD, READ, MALFORMED])
def test_a_place_is_followed_to_where_the_file_was_moved(where: Tree, state: str) -> None:
    put_message(where, DROPPED, "n1.gemini.txt")
    place = trace.find(where, "n1")[0]
    os.rename(place.path, where.outbox("claude").file(state, place.name))
    assert place.load().id == "n1"
    assert place.state == state


def test_a_file_with_a_name_of_its_own_is_not_taken_for_another(where: Tree) -> None:
    put_message(where, DROPPED, "note.txt")
    place = trace.find(where, "note.txt")[0]
    os.remove(place.path)
    put_message(where, MALFORMED, "note.txt", "n2")
    with pytest.raises(FileNotFoundError):
        place.load()


def test_what_is_gone_is_gone(where: Tree) -> None:
    put_message(where, UNREAD, "n1.gemini.txt")
    place = trace.find(where, "n1")[0]
    os.remove(place.path)
    with pytest.raises(FileNotFoundError):
        place.load()


# --- one place --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("agent", ["claude", "gemini", "codex", ""])
@pytest.mark.parametrize("state", STATES)
def test_one_place_is_found_as_all_places_are(where: Tree, state: str, agent: str) -> None:
    where.make(["codex"])
    put_message(where, state, "n1.gemini.txt")
    put_message(where, state, "my note.txt", "n2", "gemini, codex")
    for text in ("n1", "claude/n1", "n1.gemini.txt", "my note.txt"):
        assert trace.one(where, text, View(agent)).path == trace.find(where, text, View(agent))[0].path
    for text in ("n3", "gemini/n1", ""):
        with pytest.raises(NoSuchMessage):
            trace.one(where, text, View(agent))


def test_one_of_several_messages_is_the_one_for_the_caller_or_refused(where: Tree) -> None:
    where.make(["codex"])
    for sender, to in (("claude", "gemini"), ("gemini", "codex"), ("codex", "codex")):
        path = where.outbox(sender).file(UNREAD, f"n1.{to}.txt")
        Path(path).write_text(f"ID: n1\nFrom: {sender}\nTo: {to}\nSubject: s\n\nx")
    assert trace.one(where, "n1", View("claude")).outbox.owner == "claude"
    for agent in ("gemini", "codex", ""):
        with pytest.raises(SeveralMessages):
            trace.one(where, "n1", View(agent))
    assert trace.one(where, "gemini/n1", View("codex")).outbox.owner == "gemini"


def test_an_id_between_others_means_the_agent_with_which_it_begins(where: Tree) -> None:
    where.make(["codex"])
    id_ = "claude-20261128-010100-000001-ab12"
    put_message(where, UNREAD, f"{id_}.gemini.txt", id_)
    Path(where.outbox("gemini").file(UNREAD, f"{id_}.gemini.txt")).write_text("forged")
    assert trace.one(where, id_, View("codex")).outbox.owner == "claude"
    assert trace.one(where, f"gemini/{id_}", View("codex")).outbox.owner == "gemini"


def test_the_recipients_of_a_message_are_those_of_its_files(where: Tree) -> None:
    where.make(["codex", "mini"])
    put_message(where, READ, "n1.gemini.txt")
    put_message(where, UNREAD, "n1.codex.txt", to="codex")
    assert trace.recipients(where, trace.one(where, "n1", View("codex"))) == ["codex", "gemini"]
