"""Several sessions of one agent, several requests of one session: each message is normally shown once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor

import anyio
import pytest

from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from tests.support.command import command
from tests.support.mail import post, states
from tests.support.server import Connect, said
from tests.support.shown import NOTHING, bodies
from tests.support.wait import until
from tests.support.wire import Wire


def read_to_the_end(server: Wire) -> list[str]:
    """Read three at a time until nothing is unread; a shell that reads just now is waited for."""
    seen: list[str] = []
    while True:
        answer = server.call("peer_read", limit=3)
        if answer.text == NOTHING:
            return seen
        assert not answer.is_error or "another session is reading" in answer.text
        seen += bodies(answer.text)


def read_in_a_shell(where: Tree) -> list[str]:
    """Read three at a time as claude from the command line until nothing is unread."""
    seen: list[str] = []
    while True:
        done = command("read", "--limit", "3", "--json", AI_BRIDGE_AGENT="claude", AI_BRIDGE_MAILBOXES=where.path)
        if (done.returncode, done.stdout) == (0, ""):
            return seen
        assert done.returncode == 0 or "another session is reading" in done.stderr
        seen += [json.loads(line)["body"] for line in done.stdout.splitlines()]


def test_a_session_and_a_shell_of_an_agent_never_get_the_same_message(claude_of_era: Wire, where: Tree) -> None:
    sent = [f"body {number}" for number in range(40)]
    for body in sent:
        post(where, body, to="claude", sender="gemini")
    with ThreadPoolExecutor(2) as pool:
        in_session, in_shell = pool.submit(read_to_the_end, claude_of_era), pool.submit(read_in_a_shell, where)
    assert sorted(in_session.result() + in_shell.result()) == sorted(sent)
    until(lambda: states(where, "gemini").keys() == {READ})


def test_while_a_sessions_reply_is_on_its_way_a_shell_is_told_to_try_again(claude: Wire, where: Tree) -> None:
    post(where, "hello", to="claude", sender="gemini")
    request = claude.ask_tool("peer_read")
    until(lambda: claude.unread_bytes() > 0)
    done = command("read", AI_BRIDGE_AGENT="claude", AI_BRIDGE_MAILBOXES=where.path)
    assert done.returncode == 1
    assert "another session is reading claude's mail just now" in done.stderr
    assert "try again" in done.stderr
    assert bodies(claude.answer(request).text) == ["hello"]
    until(lambda: states(where, "gemini").keys() == {READ})


def test_sessions_of_different_agents_do_not_wait_for_each_other(claude: Wire, gemini: Wire, where: Tree) -> None:
    post(where, "for claude", to="claude", sender="gemini")
    post(where, "for gemini", to="gemini", sender="claude")
    request = claude.ask_tool("peer_read")
    until(lambda: claude.unread_bytes() > 0)
    assert bodies(gemini.text("peer_read")) == ["for gemini"]
    assert states(where, "gemini").keys() == {UNREAD}
    assert bodies(claude.answer(request).text) == ["for claude"]


@pytest.mark.anyio
async def test_two_parallel_reads_of_one_session_are_both_answered(connect: Connect, era: str, where: Tree) -> None:
    where.make(["codex"])
    post(where, "from codex", to="claude", sender="codex")
    post(where, "from gemini", to="claude", sender="gemini")
    texts: dict[str, str] = {}

    async def read(tool: str) -> None:
        texts[tool] = await said(client, tool)

    async with connect(era) as client, anyio.create_task_group() as group:
        for tool in ("read_codex_messages", "read_gemini_messages"):
            group.start_soon(read, tool)
    assert {tool: bodies(text) for tool, text in texts.items()} == {
        "read_codex_messages": ["from codex"],
        "read_gemini_messages": ["from gemini"],
    }


@pytest.mark.parametrize("count", [4, 60], ids=["some", "more than there are threads"])
def test_parallel_reads_of_the_same_mail_show_it_once(claude: Wire, where: Tree, count: int) -> None:
    sent = [f"body {number}" for number in range(count)]
    for body in sent:
        post(where, body, to="claude", sender="gemini")
    asked = [claude.ask_tool("peer_read", {"limit": 1}) for _ in range(count)]
    answers = [claude.answer(request) for request in asked]
    assert not [answer.text for answer in answers if answer.is_error]
    assert sorted(body for answer in answers for body in bodies(answer.text)) == sorted(sent)
