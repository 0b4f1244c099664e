"""Many agents: they find each other, talk, share context and decide together, through servers of their own.

The first part has one test for each tool of the older bridge between machines: this bridge does the same.
"""

from __future__ import annotations

import re
from contextlib import AsyncExitStack
from pathlib import Path

import anyio
import pytest

from ai_bridge.agents.cards import load
from ai_bridge.decisions import tally
from ai_bridge.decisions.decision import APPROVED
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.mail import post, route, states
from tests.support.server import CLAUDE, CODEX, GEMINI, Connect, Ground, Serve, said
from tests.support.shown import bodies
from tests.support.wire import Wire


def id_in(text: str) -> str:
    found = re.search(r"ID: (\S+)", text)
    assert found, text
    return found[1]


# --- the older bridge's tools -------------------------------------------------------------------------------


def test_peer_list_says_who_is_online(claude: Wire, gemini: Wire, where: Tree) -> None:
    where.make(["idle"])
    claude.text("peer_status")
    gemini.text("peer_status")
    post(where, to="idle")
    route_all(where)
    head, *lines = claude.text("peer_list").splitlines()
    assert head == "3 agents, 2 online."
    assert re.match(r"claude \(you\): online since 20\S+; claude-code; project \S+; home \S+; 0 unread", lines[0])
    assert re.match(r"gemini: online since 20\S+; gemini-cli-mcp-client; ", lines[1])
    assert lines[2] == "idle: never seen; 1 unread"


def route_all(where: Tree) -> None:
    from ai_bridge import settings

    route(where, settings.load(where.path, {"settle_s": 0.0}))


@pytest.mark.parametrize(("to", "reached"), [("gemini", {"gemini"}), ("*", {"gemini", "codex"})])
def test_peer_send_reaches_one_or_all(claude: Wire, where: Tree, to: str, reached: set[str]) -> None:
    where.make(["codex"])
    claude.text("peer_send", to=to, body="hello")
    route_all(where)
    assert {agent for agent in where.agents() if unread.unread_for(where, agent)} == reached


def test_peer_read_shows_what_came(claude: Wire, where: Tree) -> None:
    post(where, "hello", to="claude", sender="gemini")
    assert bodies(claude.text("peer_read")) == ["hello"]


def test_peer_wait_returns_when_mail_comes(claude: Wire, where: Tree) -> None:
    request = claude.ask_tool("peer_wait", {"timeout_s": 60})
    post(where, "hello", to="claude", sender="gemini")
    assert "1 message unread for claude, from gemini" in claude.answer(request).text


def test_peer_history_shows_the_talk_with_a_peer(claude: Wire, where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    sent = [post(where, "question", to="gemini"), post(where, "answer", to="claude", sender="gemini")]
    post(where, "of another", to="codex")
    route(where, settings)
    text = claude.text("peer_history", peer="gemini")
    assert text.startswith("2 messages from or to gemini, newest last.")
    assert bodies(text) == ["question", "answer"]
    assert [text.index(id_) for id_ in sent] == sorted(text.index(id_) for id_ in sent)
    assert "To: gemini (unread)" in text


def test_peer_context_shares_lines_of_a_file(claude: Wire, ground: Ground, where: Tree) -> None:
    (ground.base / "api.py").write_text("".join(f"line {number}\n" for number in range(1, 101)))
    text = claude.text("peer_context", to="gemini", paths=["api.py:42-44"], note="look at this")
    assert text.startswith("Sent to gemini. ID: ")
    (message,) = [place.load() for place in _places(where, id_in(text))]
    assert message.subject == "context: api.py:42-44"
    assert message.body.startswith("look at this\n")
    assert all(f"line {number}" in message.body for number in (42, 43, 44))
    assert "line 45" not in message.body
    assert "api.py:42-44" in (message.get("Context") or "")


def _places(where: Tree, id_: str) -> list:  # type: ignore[type-arg]
    from ai_bridge.mailboxes import trace

    return trace.find(where, id_)


def test_peer_status_says_who_i_am_and_why(claude: Wire) -> None:
    assert claude.text("peer_status").startswith("You are claude (from the client's name, claude-code).\n")


def test_the_peer_name_of_the_older_bridge_is_honoured(serve: Serve) -> None:
    server = serve(AI_CONNECT_PEER_NAME="aragon@shop")
    assert server.text("peer_status").startswith("You are aragon@shop (from AI_CONNECT_PEER_NAME).")


# --- names --------------------------------------------------------------------------------------------------


def test_a_second_session_of_an_agent_is_another_with_mail_of_its_own(
    claude: Wire, serve: Serve, where: Tree
) -> None:
    claude.text("peer_status")
    second = serve()
    text = second.text("peer_status")
    assert text.startswith(
        "You are claude-2 (from the client's name, claude-code; another session is claude (session"
    )
    claude.text("peer_send", to="claude-2", body="for the second")
    post(where, "for the first", to="claude", sender="gemini")
    assert bodies(second.text("peer_read")) == ["for the second"]
    assert bodies(second.text("read_claude_messages")) == []
    assert bodies(claude.text("peer_read")) == ["for the first"]


def test_a_session_that_comes_back_has_its_name_again(claude: Wire, serve: Serve) -> None:
    claude.text("peer_status")
    for _ in range(2):
        second = serve(CLAUDE_CODE_SESSION_ID="the-second")
        assert second.text("peer_status").startswith("You are claude-2 ")
        second.leave()


def test_a_thread_of_codex_is_a_session(claude: Wire, serve: Serve) -> None:
    names = []
    for thread in ("one", "two", "two"):
        server = serve(client=CODEX)
        number = server.ask("tools/call", {"name": "peer_status", "arguments": {}, "_meta": {"threadId": thread}})
        names.append(server.answer(number).text.split()[2])
        if thread == "two":
            server.leave()
    assert names == ["codex", "codex-2", "codex-2"]


def test_first_contact_writes_a_card_and_a_listing_writes_none(serve: Serve, where: Tree) -> None:
    server = serve(client=GEMINI, CLAUDE_PROJECT_DIR="/home/someone/Shop")
    server.tools()
    assert not load(where, "gemini").fields
    server.text("peer_list")
    card = load(where, "gemini")
    assert (card.display, card.get("client")) == ("gemini (Shop)", GEMINI)


def test_a_short_name_means_the_agent_of_the_project(serve: Serve, where: Tree) -> None:
    where.make(["claude@web", "mini@api"])
    claude = serve("--agent", "claude@web")
    assert "but mini@api is: give the whole address" in claude.refusal("peer_send", to="mini", body="hello")
    where.make(["mini@web"])
    assert claude.text("peer_send", to="mini", body="hello").startswith("Sent to mini@web.")
    assert claude.text("peer_history", peer="mini").startswith("1 message from or to mini@web")


# --- talk ---------------------------------------------------------------------------------------------------


def test_a_broadcast_to_twenty_delivers_exactly_one_each(claude: Wire, where: Tree, settings: Settings) -> None:
    others = [f"agent{number}" for number in range(20)]
    where.make(others)
    id_ = id_in(claude.text("peer_send", to="*", body="standup"))
    for _ in range(3):
        route(where, settings)
    for agent in [*others, "gemini"]:
        assert [one.id for one in unread.unread_for(where, agent)] == [id_]
    assert states(where, "claude").keys() == {UNREAD}
    assert len(states(where, "claude")[UNREAD]) == 21


def test_an_answer_is_in_the_thread_of_what_it_answers(claude: Wire, gemini: Wire, where: Tree) -> None:
    question = id_in(claude.text("peer_send", to="gemini", body="why?"))
    answer = id_in(gemini.text("peer_send", to="claude", body="because", reply_to=question))
    again = id_in(claude.text("peer_send", to="gemini", body="I see", reply_to=answer))
    text = gemini.text("peer_history", thread=again)
    assert text.startswith(f"3 messages in the thread {again}, newest last.")
    assert bodies(text) == ["why?", "because", "I see"]


def test_history_is_paged_and_says_how_to_go_on(claude: Wire, where: Tree) -> None:
    for number in range(7):
        post(where, f"body {number}", to="gemini")
    seen: list[str] = []
    words: dict[str, object] = {"limit": 3}
    for _ in range(3):
        text = claude.text("peer_history", **words)
        seen = bodies(text) + seen
        found = re.search(r'call again with before="(\S+)"', text)
        words["before"] = found[1] if found else None
    assert seen == [f"body {number}" for number in range(7)]
    assert words["before"] is None


def test_a_query_searches_all_mail_and_finds_what_was_just_sent(claude: Wire, where: Tree) -> None:
    where.make(["codex"])
    post(where, "the parser is slow", to="codex", sender="gemini")
    assert bodies(claude.text("peer_history", query="parser")) == ["the parser is slow"]
    post(where, "the parser is fast", to="codex", sender="gemini")
    assert bodies(claude.text("peer_history", query='parser "is fast"')) == ["the parser is fast"]
    assert claude.text("peer_history", query="nowhere") == "No messages with nowhere."


def test_long_messages_are_cut_to_the_budget_and_said_to_be(claude: Wire, where: Tree) -> None:
    post(where, "short", to="gemini")
    id_ = post(where, "x" * 200_000, to="gemini")
    text = claude.text("peer_history")
    assert len(text) <= 20_000
    assert "short" in bodies(text)
    assert f"of 200000 characters; all of it: {where.outbox('claude').file(DROPPED, f'{id_}.gemini.txt')}" in text


def test_many_long_messages_keep_within_the_budget_and_the_rest_is_older(claude: Wire, where: Tree) -> None:
    for number in range(100):
        post(where, f"{number} " + "y" * 3000, to="gemini", subject="s" * 900)
    text = claude.text("peer_history", limit=100)
    assert len(text) <= 20_000
    assert "call again with before=" in text
    assert bodies(text)[-1].startswith("99 ")


# --- decide -------------------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_three_sessions_decide_from_the_opening_to_the_judgement(connect: Connect, where: Tree) -> None:
    """Thesis, antithesis, synthesis: three processes, each with a client of its own, and nobody polls."""
    where.make(["codex"])
    async with AsyncExitStack() as stack:
        claude, gemini, codex = [
            await stack.enter_async_context(connect("legacy", client)) for client in (CLAUDE, GEMINI, CODEX)
        ]
        opened = await said(
            claude, "peer_send", to="gemini", body="Use one file?", subject="storage", decide="majority"
        )
        thread = id_in(opened)
        assert f'peer_status(thread="{thread}")' in opened
        assert "Missing: gemini." in await said(claude, "peer_status", thread=thread)

        await said(codex, "peer_status")  # codex is online, and idle
        assert "1 message unread" in await said(gemini, "peer_wait", timeout_s=60)
        asked = await said(gemini, "peer_read")
        assert "Decide: majority" in asked
        await said(gemini, "peer_send", to="claude", body="[CONTINUE] two are safer", reply_to=id_in(asked))

        async with anyio.create_task_group() as group:
            group.start_soon(_judge, codex)
            await said(claude, "peer_wait", timeout_s=60)  # its own read delivers the objection, and asks
            await said(claude, "peer_read")
        assert "1 message unread" in await said(claude, "peer_wait", timeout_s=60)
        assert "[LGTM] one is enough" in await said(claude, "peer_read")
        text = await said(claude, "peer_status", thread=thread)
    assert text.startswith(f"Decision {thread}: approved. storage\nOpened by claude; majority: 2 of 3 must approve; ")
    assert "codex (judge): [LGTM]" in text
    assert tally.tally(where, thread).state == APPROVED


async def _judge(codex: object) -> None:
    """Wait to be asked, look at the thread, and judge."""
    assert "1 message unread" in await said(codex, "peer_wait", timeout_s=60)  # type: ignore[arg-type]
    request = await said(codex, "peer_read")  # type: ignore[arg-type]
    assert "From: claude (sent automatically in its name)" in request
    assert "> [CONTINUE] two are safer" in request
    history = await said(codex, "peer_history", thread=id_in(request))  # type: ignore[arg-type]
    assert "Use one file?" in history
    await said(codex, "peer_send", to="claude", body="[LGTM] one is enough", reply_to=id_in(request))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("words", "refusal"),
    [
        ({"decide": "unanimous"}, "an unanimous decision takes three"),
        ({"decide": "maybe"}, "'maybe' is not one of"),
        ({"voters": ["gemini"]}, "voters go with decide"),
        ({"decide": "majority", "voters": ["nobody"]}, "there is no agent nobody"),
        ({"decide": "majority", "voters": ["claude"]}, "needs others who vote"),
        ({"context": ["../outside"]}, "outside"),
        ({"context": ["nothing.py"]}, "nothing.py"),
    ],
)
def test_what_cannot_be_is_refused_and_nothing_is_sent(
    claude: Wire, where: Tree, words: dict[str, object], refusal: str
) -> None:
    assert refusal in claude.refusal("peer_send", to="gemini", body="hello", **words)
    assert states(where, "claude") == {}


def test_of_everybody_those_online_vote(claude: Wire, gemini: Wire, where: Tree) -> None:
    where.make(["claude-2", "old", "codex"])
    claude.text("peer_status")
    gemini.text("peer_status")
    sent = claude.text("peer_send", to="*", body="Agreed?", decide="majority")
    assert sent.startswith("Sent to claude-2, codex, gemini, old.")
    assert "Missing: gemini." in claude.text("peer_status", thread=id_in(sent))


def test_a_context_goes_with_a_message_and_its_path_is_told(
    claude: Wire, gemini: Wire, ground: Ground, where: Tree
) -> None:
    (ground.base / "notes.md").write_text("one\ntwo\nthree\n")
    (ground.base / "big.log").write_text("entry\n" * 20_000)
    claude.text("peer_send", to="gemini", body="see", context=["notes.md:2", "big.log"])
    text = gemini.text("peer_read")
    assert "two" in text
    attached = re.search(r"Attached: (\S+)", text)
    assert attached
    assert Path(attached[1]).read_text() == "entry\n" * 20_000
