"""Each client's means: how its sessions are known and reached from their own server, and what its hooks answer."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.clients import CLAUDE_CODE, CODEX_CLI, GEMINI_CLI
from ai_bridge.reach.means import codex as codex_
from ai_bridge.reach.means.claude import SOCKET
from ai_bridge.reach.ways import NotReached, Ways, ways_of
from tests.support.session_ends import TOKEN, Queue, SessionSocket
from tests.support.wait import until

CLAUDE, GEMINI, CODEX = map(ways_of, (CLAUDE_CODE, GEMINI_CLI, CODEX_CLI))
NASTY = 'a "quoted" \\ line\nof $(several) \u2028 ü 🎉'


def test_a_client_is_known_by_what_it_calls_itself() -> None:
    found = [ways_of(clients.by_own_name(client.own_name)) for client in clients.registrable()]
    assert [(type(one), one.client) for one in found] == [(type(one), one.client) for one in (CLAUDE, GEMINI, CODEX)]
    assert len({type(one) for one in found}) == 3
    other = ways_of(clients.by_own_name("another"))
    assert (other.is_session(), other.can_push("a key"), other.lesson("SessionStart")) == (False, False, "")
    with pytest.raises(NotReached):
        other.push("a key", "text")


@pytest.mark.parametrize("client", [Ways(clients.OTHER), CLAUDE])
def test_where_nothing_else_is_known_a_hook_is_answered_with_context(client: Ways) -> None:
    for event in ("Stop", "PostToolUse", "UserPromptSubmit"):
        assert client.hook_answer(event, "text") == {
            "hookSpecificOutput": {"hookEventName": event, "additionalContext": "text"}
        }


@pytest.mark.parametrize(
    ("client", "ends", "decision", "others"),
    [
        (CODEX, "Stop", "block", ["PostToolUse", "UserPromptSubmit", "SessionStart"]),
        (GEMINI, "AfterAgent", "deny", ["AfterTool", "BeforeAgent", "SessionStart"]),
    ],
)
def test_where_only_a_refusal_continues_a_turn_its_end_is_refused(
    client: Ways, ends: str, decision: str, others: list[str]
) -> None:
    assert client.hook_answer(ends, "text") == {"decision": decision, "reason": "text"}
    for event in others:
        assert client.hook_answer(event, "text")["hookSpecificOutput"]["additionalContext"] == "text"


# --- a socket ---------------------------------------------------------------------------------------------


@pytest.fixture
def _told_of_socket(session_socket: SessionSocket, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in session_socket.variables.items():
        monkeypatch.setenv(name, value)


@pytest.mark.usefixtures("_told_of_socket")
def test_a_socket_gets_one_connection_with_the_token_and_the_exact_text(session_socket: SessionSocket) -> None:
    assert CLAUDE.is_session()
    CLAUDE.push("", NASTY)
    until(lambda: session_socket.said)
    assert session_socket.said == [
        [{"type": "auth", "token": TOKEN}, {"type": "user", "message": {"role": "user", "content": NASTY}}]
    ]


@pytest.mark.usefixtures("_told_of_socket")
def test_without_a_token_only_the_text_is_said(
    session_socket: SessionSocket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CLAUDE_CODE_MESSAGING_TOKEN")
    CLAUDE.push("", "text")
    until(lambda: session_socket.said)
    assert [line["type"] for line in session_socket.said[0]] == ["user"]


def test_a_socket_that_is_not_there_is_no_session(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert not CLAUDE.is_session()
    (tmp_path / "file").write_text("no socket")
    for path in (tmp_path / "none", tmp_path / "file", f"/{'x' * 200}", "a\tb"):
        monkeypatch.setenv(SOCKET, str(path))
        assert not CLAUDE.can_push("")
        with pytest.raises(NotReached, match="its socket took nothing"):
            CLAUDE.push("", "text")


@pytest.mark.usefixtures("_told_of_socket")
def test_a_socket_that_refuses_is_not_reached(session_socket: SessionSocket) -> None:
    session_socket.refuse()
    assert CLAUDE.can_push(""), "the path is there"
    with pytest.raises(NotReached, match="its socket took nothing"):
        CLAUDE.push("", "text")


# --- a queue ----------------------------------------------------------------------------------------------


def test_a_thread_is_queued_for_by_the_program_found(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(queue.folder), prepend=os.pathsep)
    assert CODEX.can_push("thread-1")
    assert not CODEX.can_push("")
    CODEX.push("thread-1", NASTY)
    assert queue.calls == [["queue", "--thread", "thread-1", "--message", NASTY]]


def test_a_program_that_fails_has_reached_nobody(queue: Queue, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(queue.folder), prepend=os.pathsep)
    queue.refuse()
    with pytest.raises(NotReached, match="no rollout found"):
        CODEX.push("thread-1", "text")


def test_a_program_that_does_not_end_has_reached_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "codex").write_text("#!/bin/sh\nexec sleep 60\n")
    (tmp_path / "codex").chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=os.pathsep)
    monkeypatch.setattr(codex_, "_PATIENCE_S", 0.05)
    with pytest.raises(NotReached, match="did not end well"):
        CODEX.push("thread-1", "text")


def test_without_the_program_there_is_no_way(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert not CODEX.can_push("thread-1")
    with pytest.raises(NotReached):
        CODEX.push("thread-1", "text")


# --- a lesson ---------------------------------------------------------------------------------------------


def test_only_a_session_that_cannot_be_reached_when_idle_is_taught_to_wait() -> None:
    assert (CLAUDE.lesson("SessionStart"), CODEX.lesson("SessionStart")) == ("", "")
    assert GEMINI.lesson("BeforeAgent") == ""
    assert GEMINI.is_session()
    assert "wait --new" in GEMINI.lesson("SessionStart")
    assert "is_background=true" in GEMINI.lesson("SessionStart")
