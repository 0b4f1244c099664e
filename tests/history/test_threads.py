"""The depth of a message: given by `Hops`, else counted along the answers; no header can make it wrong."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.history import threads
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import DROPPED, HELD, PROCESSING, READ, UNREAD
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message.message import Message, parse


def _message(id_: str = "claude-9", **headers: str) -> Message:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Message({"ID": id_, "From": "claude", "To": "gemini", "Subject": "s"} | named, "body")


def _put(where: Mailboxes, state: str, id_: str, sender: str, to: str, **headers: str) -> Message:
    """Write a message by hand, as an older sender does that knows nothing of `Hops`."""
    named = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    raw = f"ID: {id_}\nFrom: {sender}\nTo: {to}\nSubject: s\n{named}\nbody"
    Path(where.outbox(sender).file(state, file_name(id_, to))).write_text(raw)
    return parse(raw.encode())


def _talk(where: Mailboxes, length: int, state: str = READ) -> Message:
    """Two agents answer each other by hand; returns the last message."""
    pair, found, headers = ("claude", "gemini"), None, dict[str, str]()
    for number in range(length):
        sender, to = pair[number % 2], pair[1 - number % 2]
        found = _put(where, state, f"n{number}", sender, to, **headers)
        headers = {"In_Reply_To": f"n{number}"}
    assert found is not None
    return found


def test_what_answers_nothing_is_not_deep(where: Mailboxes) -> None:
    assert threads.of(where, _message()) == 0


@pytest.mark.parametrize(("text", "depth"), [("0", 0), ("7", 7), ("007", 7)])
def test_the_header_tells(where: Mailboxes, text: str, depth: int) -> None:
    assert threads.of(where, _message(Hops=text, In_Reply_To="unknown")) == depth
    assert threads.of(where, _message(hops=text)) == depth


@pytest.mark.parametrize("text", ["", "-1", "1.5", "many", "٣", "0x10", "1e3"])
def test_what_is_no_whole_number_tells_nothing(where: Mailboxes, text: str) -> None:
    assert threads.told(_message(Hops=text)) is None
    assert threads.of(where, _message(Hops=text)) == 0
    assert threads.of(where, _message(Hops=text, In_Reply_To="gone")) == 1


def test_a_number_too_long_to_be_true_is_beyond_any_limit(where: Mailboxes) -> None:
    assert threads.of(where, _message(Hops="9" * 5000)) > 1_000_000_000


@pytest.mark.parametrize("state", [READ, UNREAD, HELD, PROCESSING, DROPPED])
def test_answers_that_do_not_tell_are_followed_back_in_every_state(where: Mailboxes, state: str) -> None:
    assert threads.of(where, _talk(where, 6, state)) == 5


def test_following_back_ends_at_one_that_tells(where: Mailboxes) -> None:
    _put(where, READ, "a", "claude", "gemini", Hops="11")
    _put(where, READ, "b", "gemini", "claude", In_Reply_To="a")
    assert threads.of(where, _message(In_Reply_To="b")) == 13


def test_an_answer_to_what_went_another_way_is_found_by_whose_id_it_is(where: Mailboxes) -> None:
    where.make(["codex"])
    id_ = "codex-20261122-032405-271828-k7f2"
    _put(where, READ, id_, "codex", "claude", Hops="4")
    assert threads.of(where, _message(In_Reply_To=id_)) == 5


def test_answers_in_a_circle_have_an_end(where: Mailboxes) -> None:
    _put(where, READ, "a", "claude", "gemini", In_Reply_To="b")
    _put(where, READ, "b", "gemini", "claude", In_Reply_To="a")
    assert threads.of(where, _message("a", In_Reply_To="b")) == 2
    assert threads.of(where, _message("self", In_Reply_To="self")) == 1


def test_a_very_long_talk_is_followed_for_a_thousand_answers(where: Mailboxes) -> None:
    assert threads.of(where, _talk(where, 1100)) == 1000


@pytest.mark.parametrize("answered", ["../../etc", "a/b", "*", "no id!", "x" * 300])
def test_what_is_no_id_leads_nowhere(where: Mailboxes, answered: str) -> None:
    assert threads.of(where, _message(In_Reply_To=answered)) == 1


def test_what_is_answered_and_cannot_be_read_ends_the_count(where: Mailboxes) -> None:
    Path(where.outbox("gemini").file(READ, "bad.claude.txt")).write_bytes(b"\xff")
    assert threads.of(where, _message(In_Reply_To="bad")) == 1


def test_the_thread_is_what_the_message_says_if_that_is_an_id() -> None:
    assert threads.thread_of(_message(Thread="t", In_Reply_To="r")) == "t"
    assert threads.thread_of(_message(Thread="../t", In_Reply_To="r")) == "r"
    assert threads.thread_of(_message(Thread="../t")) == "claude-9"
