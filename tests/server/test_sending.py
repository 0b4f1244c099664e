"""peer_send: which message is dropped, for which recipients, and what it answers."""

from __future__ import annotations

import pytest

from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.message import Message
from tests.server.bodies import NASTY
from tests.support.mail import post, states
from tests.support.server import Connect, said
from tests.support.shown import bodies
from tests.support.wire import Wire


def sent(where: Tree, reply: str) -> dict[str, Message]:
    """Return what a reply of peer_send says was sent, by recipient."""
    id_ = reply.rpartition("ID: ")[2]
    return {place.recipient: place.load() for place in trace.find(where, id_)}


@pytest.mark.anyio
async def test_every_body_is_dropped_exactly(connect: Connect, era: str, where: Tree) -> None:
    async with connect(era) as client:
        for body in filter(None, NASTY):
            reply = await said(client, "peer_send", to="gemini", body=body, subject="über 👋")
            message = sent(where, reply)["gemini"]
            assert (message.body, message.subject, message.sender) == (body, "über 👋", "claude")
    assert [*states(where, "claude")] == [DROPPED]


def test_without_a_subject_it_is_a_message(claude: Wire, where: Tree) -> None:
    reply = claude.text("peer_send", to="gemini", body="hello")
    assert reply.startswith("Sent to gemini. ID: claude-")
    assert sent(where, reply)["gemini"].subject == "message"


@pytest.mark.parametrize(
    ("to", "recipients"),
    [
        ("codex", ["codex"]),
        ("codex, gemini", ["codex", "gemini"]),
        (["gemini", "codex", "gemini"], ["codex", "gemini"]),
        ("*", ["codex", "gemini"]),
        (["codex", "*"], ["codex", "gemini"]),
        ("claude", ["claude"]),
    ],
)
def test_it_goes_to_one_or_some_or_all_others_once_each(
    claude: Wire, where: Tree, to: str | list[str], recipients: list[str]
) -> None:
    where.make(["codex"])
    dropped = sent(where, claude.text("peer_send", to=to, body="hello"))
    assert sorted(dropped) == recipients
    assert len({message.id for message in dropped.values()}) == 1
    assert {recipient: message.recipients for recipient, message in dropped.items()} == {
        recipient: [recipient] for recipient in recipients
    }


def test_an_answer_names_what_it_answers_and_its_thread(claude: Wire, gemini: Wire, where: Tree) -> None:
    question = post(where, "why?", to="claude", sender="gemini")
    assert bodies(claude.text("peer_read")) == ["why?"]
    answer = sent(where, claude.text("peer_send", to="gemini", body="because", reply_to=question))["gemini"]
    assert (answer.get("In-Reply-To"), answer.thread) == (question, question)
    assert f"In-Reply-To: {question}" in gemini.text("peer_read")
    again = sent(where, gemini.text("peer_send", to="claude", body="and then?", reply_to=answer.id))["claude"]
    assert (again.get("In-Reply-To"), again.thread) == (answer.id, question)
    assert f"Thread: {question}" in claude.text("peer_read")


def test_what_is_not_an_answer_has_no_thread(claude: Wire, where: Tree) -> None:
    message = sent(where, claude.text("peer_send", to="gemini", body="hello"))["gemini"]
    assert (message.get("In-Reply-To"), message.thread) == (None, None)


@pytest.mark.usefixtures("router")
def test_where_a_router_runs_it_arrives_without_anyone_reading(claude: Wire, gemini: Wire, where: Tree) -> None:
    claude.text("peer_send", to="gemini", body="hello")
    assert "1 message unread for gemini" in gemini.text("peer_wait", timeout_s=20)
    assert [*states(where, "claude")] == [UNREAD]


@pytest.mark.parametrize("half", ["\\ud83d", "\\uDE00", "\\ud83d x"])
def test_half_a_character_is_no_reason_not_to_answer(claude: Wire, where: Tree, half: str) -> None:
    line = (
        '{"jsonrpc":"2.0","id":"half","method":"tools/call","params":{"name":"peer_send",'
        f'"arguments":{{"to":"gemini","body":"a {half} b \\ud83d\\ude00"}}}}}}\n'
    )
    claude.write_raw(line.encode())
    raw = b""
    while b'"half"' not in raw:
        raw += claude.read_some()
    assert b'"isError":true' not in raw
    (name,) = states(where, "claude")[DROPPED]
    body = trace.find(where, name)[0].load().body
    assert body.startswith("a ?")
    assert body.endswith("😀")
