"""The server reaches its own session by the client's own means, a socket or a queue: at once if idle, else later."""

from __future__ import annotations

import json
import os
import signal
from pathlib import Path

import pytest

from ai_bridge.agents.presence import session
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.system.locks import holder
from tests.support.mail import post, states
from tests.support.server import CODEX, GEMINI, Serve
from tests.support.session_ends import TOKEN, Queue, SessionSocket
from tests.support.shown import bodies, hand_drop, rung, settle
from tests.support.wait import until
from tests.support.wire import Wire

THREAD = "0199-thread"


def hook(server: Wire, event: str, **meta: object) -> str:
    """Ask as a hook of the session does."""
    return server.answer(server.ask_tool("check_mail", {"event": event}, **meta)).text


def is_told(where: Tree) -> bool:
    """Tell whether something was told."""
    return bool(rung(where, "claude"))


def read(where: Tree, agent: str) -> None:
    """Mark all unread mail of an agent as read."""
    for one in unread_for(where, agent):
        one.acknowledge()


# --- the socket -------------------------------------------------------------------------------------------


@pytest.fixture
def claude(serve: Serve, session_socket: SessionSocket) -> Wire:
    """A session of Claude Code that can be reached, its tools listed."""
    server = serve(**session_socket.variables)
    server.tools()
    return server


def test_an_idle_session_gets_one_connection_for_what_comes(
    claude: Wire, where: Tree, session_socket: SessionSocket
) -> None:
    until(lambda: session(where, "claude"))
    id_ = post(where, "the body", to="claude", sender="gemini", subject="the subject")
    until(lambda: session_socket.notices)
    (lines,) = session_socket.said
    auth, said = lines
    assert auth == {"type": "auth", "token": TOKEN}
    assert said["type"] == "user"
    assert "1 new message for claude, from gemini" in said["message"]["content"]
    assert "the body" not in json.dumps(lines)
    assert "the subject" not in json.dumps(lines)
    assert states(where, "gemini") == {UNREAD: [f"{id_}.claude.txt"]}
    assert bodies(claude.text("peer_read")) == ["the body"]


def test_a_burst_is_one_notice_and_one_read(claude: Wire, where: Tree, session_socket: SessionSocket) -> None:
    senders = [f"agent{number}" for number in range(5)]
    where.make(senders)
    until(lambda: session(where, "claude"))
    for number, sender in enumerate(senders):  # all within a few milliseconds, as a program that sends does
        hand_drop(where, f"{sender}-20261122-03240{number}-271828-k7f2", "hello", sender)
    until(lambda: session_socket.notices)
    assert len(bodies(claude.text("peer_read"))) == 5
    assert len(session_socket.notices) == 1
    assert "for claude, from agent0" in session_socket.notices[0]


def test_neither_a_hook_nor_a_wait_repeats_what_was_pushed_and_the_push_not_what_they_told(
    claude: Wire, where: Tree, session_socket: SessionSocket
) -> None:
    post(where, to="claude", sender="gemini")
    until(lambda: session_socket.notices and is_told(where))
    assert hook(claude, "UserPromptSubmit") == "{}"
    read(where, "claude")
    post(where, to="claude", sender="gemini")
    assert "1 new message" in hook(claude, "UserPromptSubmit")
    assert hook(claude, "Stop") == "{}"
    read(where, "claude")
    post(where, to="claude", sender="gemini")
    until(lambda: len(session_socket.notices) == 2)
    assert ["1 new message" in text for text in session_socket.notices] == [True, True]


@pytest.fixture
def other(serve: Serve, session_socket: SessionSocket) -> Wire:
    """A session of gemini, whose notices come to the same socket."""
    server = serve(AI_BRIDGE_AGENT="gemini", **session_socket.variables)
    server.tools()
    return server


def assert_only_the_other_is_told(where: Tree, session_socket: SessionSocket) -> None:
    """Mail comes for claude, then twice for gemini: gemini is told of both, and claude was not before."""
    until(lambda: session(where, "claude") and session(where, "gemini"))
    post(where, to="claude", sender="gemini")
    for times in (1, 2):
        post(where)
        until(lambda times=times: len(session_socket.notices) == times)  # type: ignore[misc]
        read(where, "gemini")
    assert ["for gemini" in text for text in session_socket.notices] == [True, True]


@pytest.mark.usefixtures("other")
def test_switched_off_nothing_is_told(serve: Serve, where: Tree, session_socket: SessionSocket) -> None:
    off = serve(AI_BRIDGE_REACH="off", **session_socket.variables)
    off.tools()
    assert_only_the_other_is_told(where, session_socket)
    assert hook(off, "UserPromptSubmit") == "{}"
    assert bodies(off.text("peer_read")) == ["hello"]


def test_what_is_read_before_is_not_pushed(claude: Wire, where: Tree, session_socket: SessionSocket) -> None:
    assert hook(claude, "UserPromptSubmit") == "{}"
    post(where, "read", to="claude", sender="gemini")
    assert bodies(claude.text("peer_read")) == ["read"]
    until(lambda: [*states(where, "gemini")] == [READ])
    assert hook(claude, "Stop") == "{}"
    post(where, to="claude", sender="gemini")
    until(lambda: session_socket.notices)
    assert ["1 new message" in text for text in session_socket.notices] == [True]


def test_where_the_socket_refuses_the_message_stays_and_the_next_hook_tells(
    claude: Wire, where: Tree, session_socket: SessionSocket
) -> None:
    session_socket.refuse()
    post(where, to="claude", sender="gemini")
    until(lambda: states(where, "gemini").get(UNREAD))
    assert "1 new message for claude" in hook(claude, "UserPromptSubmit")
    assert hook(claude, "UserPromptSubmit") == "{}"
    assert [*states(where, "gemini")] == [UNREAD]


def test_where_the_socket_takes_connections_again_it_is_tried_again(
    claude: Wire, where: Tree, session_socket: SessionSocket
) -> None:
    session_socket.refuse()
    post(where, to="claude", sender="gemini")
    until(lambda: states(where, "gemini").get(UNREAD))
    session_socket.listen()
    until(lambda: session_socket.notices)


@pytest.mark.usefixtures("other")
def test_a_session_at_work_is_told_by_its_hooks_first(
    claude: Wire, where: Tree, session_socket: SessionSocket
) -> None:
    assert hook(claude, "UserPromptSubmit") == "{}"
    assert_only_the_other_is_told(where, session_socket)
    assert "1 new message" in hook(claude, "UserPromptSubmit")
    assert hook(claude, "Stop") == "{}"
    read(where, "claude")
    post(where, to="claude", sender="gemini")
    until(lambda: len(session_socket.notices) == 3)
    assert "1 new message for claude" in session_socket.notices[2]


def test_a_session_at_work_that_runs_no_hook_for_long_is_pushed_to(
    claude: Wire, where: Tree, session_socket: SessionSocket
) -> None:
    assert hook(claude, "UserPromptSubmit") == "{}"
    post(where, to="claude", sender="gemini")
    until(lambda: session_socket.notices)


# --- who is a session -------------------------------------------------------------------------------------


def test_what_only_lists_the_tools_has_no_name(serve: Serve, where: Tree, session_socket: SessionSocket) -> None:
    serve().tools()
    serve(CLAUDE_CODE_MESSAGING_SOCKET=f"{session_socket.path}-none").tools()
    serve(client="mcp-test-client").tools()
    serve(client=CODEX).tools()
    reachable = serve(**session_socket.variables)
    reachable.tools()
    until(lambda: session(where, "claude"))
    assert reachable.text("peer_status").startswith("You are claude ")
    assert not os.path.exists(where.lock_file("session", "codex"))
    assert not os.path.exists(where.lock_file("session", "claude-2"))


def test_a_session_has_its_name_before_its_first_call_where_it_is_one(serve: Serve, where: Tree) -> None:
    serve(client=GEMINI).tools()
    until(lambda: session(where, "gemini"))


# --- the queue --------------------------------------------------------------------------------------------


@pytest.fixture
def codex(serve: Serve, queue: Queue, where: Tree) -> Wire:
    """A session of Codex CLI that has made its first call."""
    where.make(["codex"])
    server = serve(client=CODEX, PATH=f"{queue.folder}{os.pathsep}{os.environ['PATH']}")
    server.answer(server.ask_tool("peer_status", threadId=THREAD))
    return server


def test_an_idle_thread_is_queued_for(codex: Wire, where: Tree, queue: Queue) -> None:
    post(where, "the body", to="codex")
    until(lambda: queue.calls)
    (words,) = queue.calls
    assert words[:4] == ["queue", "--thread", THREAD, "--message"]
    assert "1 new message for codex, from claude" in words[4]
    assert "the body" not in words[4]
    assert hook(codex, "UserPromptSubmit", threadId=THREAD) == "{}"
    assert [*states(where, "claude")] == [UNREAD]


def test_a_thread_at_work_is_told_by_its_hooks_and_at_its_end_a_refusal_tells(
    codex: Wire, where: Tree, queue: Queue
) -> None:
    assert hook(codex, "UserPromptSubmit", threadId=THREAD) == "{}"
    post(where, to="codex")
    between = json.loads(hook(codex, "UserPromptSubmit", threadId=THREAD))
    assert "1 new message" in between["hookSpecificOutput"]["additionalContext"]
    read(where, "codex")
    post(where, to="codex")
    end = json.loads(hook(codex, "Stop", threadId=THREAD))
    assert (end["decision"], [*end]) == ("block", ["decision", "reason"])
    assert "1 new message" in end["reason"]
    assert queue.calls == []


def test_mail_that_awaits_a_thread_is_told_by_the_hook_that_names_it_and_not_queued_for(
    serve: Serve, where: Tree, queue: Queue
) -> None:
    where.make(["codex"])
    post(where, to="codex", sender="gemini")
    server = serve(client=CODEX, PATH=f"{queue.folder}{os.pathsep}{os.environ['PATH']}")
    server.tools()
    assert "1 new message for codex" in hook(server, "SessionStart", threadId=THREAD)
    assert hook(server, "UserPromptSubmit", threadId=THREAD) == "{}"
    until(lambda: session(where, "codex"))
    assert queue.calls == []


def test_where_the_queue_fails_the_next_hook_tells(codex: Wire, where: Tree, queue: Queue) -> None:
    queue.refuse()
    post(where, to="codex")
    until(lambda: queue.calls and not rung(where, "codex"))
    assert "1 new message" in hook(codex, "UserPromptSubmit", threadId=THREAD)


def test_another_thread_of_the_server_is_another_session(codex: Wire, where: Tree, queue: Queue) -> None:
    post(where, to="codex")
    until(lambda: queue.calls)
    assert "1 new message" in hook(codex, "UserPromptSubmit", threadId="0200-thread")
    assert hook(codex, "UserPromptSubmit", threadId="0200-thread") == "{}"
    assert hook(codex, "Stop", threadId="0200-thread") == "{}"
    read(where, "codex")
    post(where, to="codex")
    until(lambda: len(queue.calls) == 2)
    assert queue.calls[1][2] == "0200-thread"


# --- the end ----------------------------------------------------------------------------------------------


def ends(server: Wire, how: str) -> tuple[int, str]:
    if how == "EOF":
        server.close_in()
        code = server.ended()
    else:
        code = server.signal(signal.SIGTERM)
    return code, server.said()


@pytest.mark.parametrize("how", ["EOF", "a signal"])
@pytest.mark.parametrize("state", ["idle", "just told", "refused"])
def test_the_end_leaves_no_lock_and_no_word(
    claude: Wire, where: Tree, session_socket: SessionSocket, how: str, state: str
) -> None:
    until(lambda: session(where, "claude"))
    if state == "refused":
        session_socket.refuse()
    if state != "idle":
        post(where, to="claude", sender="gemini")
        until(lambda: states(where, "gemini").get(UNREAD))
    assert ends(claude, how) == (0, "")
    locks = [str(path) for path in Path(where.state_file("locks")).glob("*-claude.lock")]
    assert locks
    assert [path for path in locks if holder(path)] == []


def test_a_server_that_ends_while_it_queues_leaves_no_process(codex: Wire, where: Tree, queue: Queue) -> None:
    post(where, to="codex")
    until(lambda: queue.calls)
    assert ends(codex, "EOF") == (0, "")


def test_mailboxes_that_are_gone_for_a_while_are_watched_again(
    claude: Wire, where: Tree, session_socket: SessionSocket
) -> None:
    post(where, to="claude", sender="gemini")
    until(lambda: session_socket.notices)
    read(where, "claude")
    aside = f"{where.path}-aside"
    os.rename(where.path, aside)
    until(lambda: "mail is not watched" in claude.said())
    os.rename(aside, where.path)
    post(where, to="claude", sender="gemini")
    until(lambda: len(session_socket.notices) == 2)


def test_the_sweep_finds_what_no_event_told_of(serve: Serve, where: Tree, session_socket: SessionSocket) -> None:
    settle(where, sweep_s=0.05, poll=True, poll_s=3600.0)
    server = serve(**session_socket.variables)
    server.tools()
    until(lambda: session(where, "claude"))
    post(where, to="claude", sender="gemini")
    until(lambda: session_socket.notices)
