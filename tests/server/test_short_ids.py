"""The tools take the end of an ID, and `last`; peer_send that answers needs no recipient."""

from __future__ import annotations

from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import READ
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.mail import post, put_message, route
from tests.support.votes import answer, propose
from tests.support.wire import Wire


def test_an_answer_goes_to_the_sender_of_the_message(claude: Wire, where: Tree) -> None:
    id_ = post(where, sender="gemini", to="claude", subject="API frozen?")
    for text in (id_, id_[-4:], "last"):
        reply = claude.text("peer_send", reply_to=text, body="yes")
        assert reply.startswith("Sent to gemini. ID: claude-")
        found = trace.find(where, reply.rpartition("ID: ")[2])[0].load()
        assert (found.subject, found.get("In-Reply-To")) == ("Re: API frozen?", id_)


def test_an_unknown_id_is_refused_and_nothing_is_sent(claude: Wire, where: Tree) -> None:
    refusal = claude.refusal("peer_send", reply_to="nope", body="x")
    assert refusal == f"error: there is no message nope in {where.path}: peer_history() shows the IDs"
    assert claude.refusal("peer_status", id="nope") == refusal
    for number in range(2):
        put_message(where, READ, f"claude-20261128-01010{number}-000001-same.gemini.txt", f"n{number}")
    assert "same is the end of several IDs: give more" in claude.refusal("peer_send", reply_to="same", body="x")


def test_a_message_and_a_decision_are_looked_up_by_the_end_of_an_id(
    claude: Wire, where: Tree, settings: Settings
) -> None:
    where.make(["codex"])
    thread = propose(where, ["gemini", "codex"])
    route(where, settings)
    answered = answer(where, thread, "gemini", "[LGTM]")
    route(where, settings)
    assert claude.text("peer_status", id=answered[-4:]) == claude.text("peer_status", id=answered)
    whole = claude.text("peer_status", thread=thread)
    assert [claude.text("peer_status", thread=text) for text in (thread[-4:], answered[-4:], "last")] == [whole] * 3


def test_past_mail_is_asked_for_by_the_end_of_an_id(claude: Wire, where: Tree) -> None:
    first = post(where, "one")
    post(where, "two", thread=first, in_reply_to=first)
    third = post(where, "three")
    for text in (first, first[-4:]):
        shown = claude.text("peer_history", thread=text)
        assert ("one" in shown, "two" in shown, third in shown) == (True, True, False)
    assert third not in claude.text("peer_history", before=third[-4:])


def test_mail_is_marked_as_read_by_the_end_of_an_id(claude: Wire, where: Tree, settings: Settings) -> None:
    id_ = post(where, sender="gemini", to="claude")
    route(where, settings)
    assert claude.text("acknowledge_messages", ids=[id_[-4:]]) == f"Marked as read: {id_}"
    assert trace.find(where, id_)[0].state == READ
    assert claude.refusal("acknowledge_messages", ids=["nope"]).startswith("error: nope is not unread for claude")
