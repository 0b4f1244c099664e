"""A further session's server that was killed: the session that lives is rung for its mail, and reads it once."""

from __future__ import annotations

import os
import signal
import time

import pytest

from ai_bridge.agents.presence import SESSION, session
from ai_bridge.agents.sessions.ended import RESTART_S
from ai_bridge.mailboxes.outbox import READ
from ai_bridge.mailboxes.tree import Tree
from tests.support.mail import post, states
from tests.support.server import Serve
from tests.support.session_ends import SessionSocket
from tests.support.shown import NOTHING, bodies
from tests.support.wait import until
from tests.support.wire import Wire


@pytest.fixture
def claude(serve: Serve, where: Tree, session_socket: SessionSocket) -> Wire:
    """A session of Claude Code that can be reached."""
    server = serve(**session_socket.variables)
    server.tools()
    until(lambda: session(where, "claude"))
    return server


def _killed(serve: Serve, where: Tree) -> None:
    """Start a second session of claude, and kill its server; it was at work a minute ago."""
    server = serve()
    assert "You are claude-2" in server.text("peer_status")
    os.kill(server.process.pid, signal.SIGKILL)
    until(lambda: session(where, "claude-2") is None)
    then = time.time() - 60
    os.utime(where.lock_file(SESSION, "claude-2"), (then, then))


def test_the_session_that_lives_is_rung_and_reads_it_once(
    serve: Serve, claude: Wire, where: Tree, session_socket: SessionSocket
) -> None:
    _killed(serve, where)
    post(where, "are you done?", to="claude-2", sender="gemini")
    until(lambda: session_socket.notices)
    assert "1 new message for claude, from gemini" in session_socket.notices[0]
    text = claude.text("peer_read")
    assert bodies(text) == ["are you done?"]
    assert "\nWas for: claude-2, whose session has ended\n" in text
    assert claude.text("peer_read") == NOTHING
    until(lambda: set(states(where, "gemini")) == {READ})
    assert len(session_socket.notices) == 1


def test_mail_that_a_client_did_not_take_is_left_to_the_session_that_comes_back(
    serve: Serve, claude: Wire, where: Tree
) -> None:
    _killed(serve, where)
    post(where, "are you done?", to="claude-2", sender="gemini")
    claude.ask_tool("peer_read")
    until(lambda: claude.unread_bytes() > 0)
    os.kill(claude.process.pid, signal.SIGKILL)  # with the reply still in the pipe
    until(lambda: session(where, "claude") is None)
    first, second = serve(), serve()
    assert "You are claude " in first.text("peer_status")
    assert "You are claude-2" in second.text("peer_status")
    assert bodies(second.text("peer_read")) == ["are you done?"]
    assert first.text("peer_read") == NOTHING


def test_a_restarted_servers_mail_is_not_announced_to_another(
    serve: Serve, claude: Wire, where: Tree, session_socket: SessionSocket
) -> None:
    server = serve()
    assert "You are claude-2" in server.text("peer_status")
    post(where, "hello", to="claude-2", sender="gemini")
    server.end()
    begun = time.monotonic()
    again = serve()
    assert "You are claude-2" in again.text("peer_status")
    if (
        time.monotonic() - begun < RESTART_S
    ):  # else this machine is so slow that nobody can tell a restart from an end
        assert session_socket.notices == []
    assert bodies(again.text("peer_read")) == ["hello"]
    assert claude.text("peer_read") == NOTHING
