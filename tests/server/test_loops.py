"""Two sessions that answer each other at once are stopped, and the model learns why."""

from __future__ import annotations

from ai_bridge.agents import cards
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending.allow import allow_mail
from tests.support.server import Serve
from tests.support.wire import Wire


def _id(reply: str) -> str:
    assert reply.startswith("Sent to ")
    return reply.rpartition("ID: ")[2]


def _answer(server: Wire, to: str, id_: str) -> str:
    """Read what came, and answer it; returns the answer's ID."""
    assert f"ID: {id_}" in server.text("peer_read")
    return _id(server.text("peer_send", to=to, body="and you?", reply_to=id_))


def test_two_sessions_that_answer_at_once_end_after_twenty_answers(claude: Wire, gemini: Wire, where: Tree) -> None:
    first = last = _id(claude.text("peer_send", to="gemini", body="hello"))
    sides = [(gemini, "claude"), (claude, "gemini")]
    for number in range(20):
        last = _answer(*sides[number % 2], last)
    assert trace.find(where, last)[0].load().get("Hops") == "20"
    told = gemini.refusal("peer_send", to="claude", body="and you?", reply_to=last)
    assert "nothing was sent: this thread has gone on for 20 answers since a person last wrote or approved it" in told
    assert f"tell your user to run `ai-bridge allow {first}`, if it is to go on" in told
    allow_mail(where, first, 20)
    assert trace.find(where, _answer(gemini, "claude", last))[0].load().get("Hops") == "21"


def test_with_new_threads_the_pair_comes_to_its_end(serve: Serve, where: Tree) -> None:
    sides = [serve(AI_BRIDGE_PAIR_PER_HOUR="6"), serve(client="gemini-cli-mcp-client", AI_BRIDGE_PAIR_PER_HOUR="6")]
    for number in range(6):
        sides[number % 2].text("peer_send", to=("gemini", "claude")[number % 2], body="something else")
        sides[1 - number % 2].text("peer_read")
    told = sides[0].refusal("peer_send", to="gemini", body="one more")
    assert "claude and gemini have exchanged 6 messages within an hour" in told
    allow_mail(where, "claude", 20)
    assert sides[0].text("peer_send", to="gemini", body="one more").startswith("Sent to gemini")


def test_a_model_is_told_that_a_card_refuses_it(claude: Wire, where: Tree) -> None:
    cards.change(where, "gemini", {"refuse": "claude"})
    told = claude.refusal("peer_send", to="gemini", body="hello")
    assert "gemini takes no mail from claude: its card says so" in told
