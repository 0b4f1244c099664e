"""An ID that two senders used means the message this session was shown, and never one that it was not shown."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from tests.support.mail import post, states
from tests.support.server import Serve
from tests.support.wait import until
from tests.support.wire import Wire

SEVERAL = "error: same-1 is the ID of several messages: say which as SENDER/ID, one of alice/same-1, mallory/same-1"
OTHER = {"alice": "mallory", "mallory": "alice"}


def drop(where: Tree, sender: str, body: str = "", to: str = "claude", **headers: str) -> None:
    """Drop a message of the one ID by hand."""
    where.make([sender])
    more = "".join(f"{name}: {value}\n" for name, value in headers.items())
    text = f"ID: same-1\nFrom: {sender}\nTo: {to}\nSubject: s\n{more}\n{body or f'body of {sender}'}"
    Path(where.outbox(sender).path, "by hand.txt").write_text(text)


@pytest.fixture
def both(where: Tree) -> Tree:
    """Tree in which alice and mallory have sent claude a message of the same ID."""
    drop(where, "alice")
    drop(where, "mallory")
    return where


def read(server: Wire, sender: str, **words: object) -> str:
    return server.text(f"read_{sender}_messages", **words)


@pytest.mark.parametrize("sender", ["alice", "mallory"])
@pytest.mark.parametrize("words", [{"acknowledge": "manual"}, {"peek": True}], ids=["manual", "peek"])
def test_what_was_shown_is_acknowledged_and_not_the_others(
    serve: Serve, both: Tree, sender: str, words: dict[str, object]
) -> None:
    server = serve()
    assert f"body of {sender}" in read(server, sender, **words)
    assert server.text("acknowledge_messages", ids=["same-1"]) == "Marked as read: same-1"
    assert (states(both, sender).keys(), states(both, OTHER[sender]).keys()) == ({READ}, {UNREAD})
    told = server.refusal("acknowledge_messages", ids=["same-1"])
    assert told == f"error: {sender}/same-1 is not unread for claude: nothing was acknowledged"
    assert states(both, OTHER[sender]).keys() == {UNREAD}
    assert f"body of {OTHER[sender]}" in read(server, OTHER[sender], **words)
    assert server.text("acknowledge_messages", ids=["same-1"]) == "Marked as read: same-1"
    assert states(both, OTHER[sender]).keys() == {READ}


def test_what_is_shown_in_part_counts_as_shown(serve: Serve, where: Tree) -> None:
    drop(where, "alice", "long " * 2000)
    drop(where, "mallory")
    server = serve()
    assert 'acknowledge_messages(ids=["same-1"])' in read(server, "alice", max_chars=2000)
    server.text("acknowledge_messages", ids=["same-1"])
    assert (states(where, "alice").keys(), states(where, "mallory").keys()) == ({READ}, {UNREAD})


def test_what_was_not_shown_or_shown_at_once_is_asked_back(serve: Serve, both: Tree) -> None:
    server = serve()
    server.text("peer_wait", timeout_s=10)
    assert server.refusal("acknowledge_messages", ids=["same-1"]) == SEVERAL
    assert "body of alice" in server.text("peer_read", peek=True)
    assert server.refusal("acknowledge_messages", ids=["same-1"]) == SEVERAL
    assert server.refusal("peer_status", id="same-1") == SEVERAL
    assert server.refusal("peer_send", to="alice", body="x", reply_to="same-1") == SEVERAL
    assert states(both, "alice").keys() == states(both, "mallory").keys() == {UNREAD}
    assert server.text("acknowledge_messages", ids=["mallory/same-1"]) == "Marked as read: mallory/same-1"
    assert (states(both, "alice").keys(), states(both, "mallory").keys()) == ({UNREAD}, {READ})


@pytest.mark.parametrize("sender", ["alice", "mallory"])
def test_an_answer_and_a_question_mean_what_was_shown_last(serve: Serve, where: Tree, sender: str) -> None:
    drop(where, "alice", Thread="talk")
    drop(where, "mallory", Thread="trap")
    server = serve()
    for shown in (OTHER[sender], sender):
        read(server, shown)
    assert server.text("peer_status", id="same-1").startswith("same-1.claude.txt to claude: read since ")
    until(lambda: states(where, sender).keys() == {READ})
    id_ = server.text("peer_send", to=sender, body="x", reply_to="same-1").partition("ID: ")[2]
    thread = {"alice": "talk", "mallory": "trap"}[sender]
    assert trace.find(where, id_)[0].load().thread == thread
    named = server.text("peer_send", to=sender, body="x", reply_to=f"{OTHER[sender]}/same-1").partition("ID: ")[2]
    assert trace.find(where, named)[0].load().thread == {"talk": "trap", "trap": "talk"}[thread]


def test_what_history_shows_is_meant_from_then_on(serve: Serve, both: Tree) -> None:
    server = serve()
    server.text("peer_read", peek=True)
    server.text("peer_history", peer="alice")
    server.text("acknowledge_messages", ids=["same-1"])
    assert (states(both, "alice").keys(), states(both, "mallory").keys()) == ({READ}, {UNREAD})


def test_what_a_hook_carried_is_meant_from_then_on(serve: Serve, where: Tree) -> None:
    drop(where, "alice", Thread="talk")
    server = serve(AI_BRIDGE_REACH="full")
    answer = json.loads(server.text("check_mail", event="UserPromptSubmit"))
    assert "body of alice" in answer["hookSpecificOutput"]["additionalContext"]
    drop(where, "mallory", Thread="trap")
    id_ = server.text("peer_send", to="alice", body="x", reply_to="same-1").partition("ID: ")[2]
    assert trace.find(where, id_)[0].load().thread == "talk"


def test_a_sender_means_its_own_message_even_if_another_takes_its_id(claude: Wire, where: Tree) -> None:
    id_ = claude.text("peer_send", to="gemini", body="mine").partition("ID: ")[2]
    text = f"ID: {id_}\nFrom: gemini\nTo: claude\nSubject: s\n\nnot claude's"
    Path(where.outbox("gemini").path, f"{id_}.claude.txt").write_text(text)
    assert " to gemini: " in claude.text("peer_status", id=id_)
    assert "not claude's" in claude.text("peer_read")
    assert " to claude: read since " in claude.text("peer_status", id=id_)


def test_mail_between_others_of_the_same_id_is_not_meant(claude: Wire, where: Tree) -> None:
    drop(where, "mallory", to="gemini")
    drop(where, "alice", Thread="talk")
    claude.text("peer_list")
    id_ = claude.text("peer_send", to="alice", body="x", reply_to="same-1").partition("ID: ")[2]
    assert trace.find(where, id_)[0].load().thread == "talk"


def test_a_message_to_several_is_one_message(claude: Wire, where: Tree) -> None:
    drop(where, "alice", to="claude, gemini")
    assert "body of alice" in claude.text("peer_read", acknowledge="manual")
    assert claude.text("acknowledge_messages", ids=["same-1", "alice/same-1"]) == "Marked as read: same-1"
    assert len(claude.text("peer_status", id="same-1").splitlines()) == 2


def test_an_unknown_sender_is_said_to_have_no_such_message(claude: Wire, where: Tree) -> None:
    id_ = post(where, "hello", to="claude", sender="gemini")
    assert claude.refusal("peer_status", id=f"nobody/{id_}").startswith(
        f"error: there is no message nobody/{id_} in "
    )
