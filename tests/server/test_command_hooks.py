"""`ai-bridge hook claude` beside the session's server: mail is told of once, by whichever of the two hears first."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest

from ai_bridge.mailboxes.outbox import READ
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.ways import MARK
from tests.support.command import command
from tests.support.mail import post, states
from tests.support.server import CLAUDE, CODEX, Serve
from tests.support.wire import Wire

Json = dict[str, Any]


def _claude(where: Tree, event: str = "UserPromptSubmit", session_id: object = "one", **variables: str) -> Json:
    """Run a hook of Claude Code as its session does; returns its answer."""
    told = json.dumps({"hook_event_name": event, "session_id": session_id, "cwd": "/"})
    known = {"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "one", "AI_BRIDGE_MAILBOXES": where.path}
    done = command("hook", "claude", body=told, **known, **variables)
    assert (done.returncode, done.stderr) == (0, "")
    answer: Json = json.loads(done.stdout)
    return answer


def _begin_claude(serve: Serve, session_id: str = "one") -> Wire:
    server = serve(client=CLAUDE, CLAUDE_CODE_SESSION_ID=session_id)
    server.text("peer_status")
    return server


def test_mail_is_told_of_once_by_a_command_or_by_the_tool_of_an_older_install(serve: Serve, where: Tree) -> None:
    server = _begin_claude(serve)
    post(where, to="claude", sender="gemini")
    said = _claude(where)["hookSpecificOutput"]["additionalContext"]
    assert said.startswith(f"{MARK} 1 new message for claude, from gemini")
    assert _claude(where, "Stop") == {}
    assert server.text("check_mail", event="Stop") == "{}"
    post(where, to="claude", sender="gemini")
    assert MARK in server.text("check_mail", event="UserPromptSubmit")
    assert _claude(where) == {}


def test_a_session_of_codex_learns_its_thread_by_tool_and_is_then_told_by_commands(serve: Serve, where: Tree) -> None:
    server = serve(client=CODEX)
    thread = {"threadId": "T-1"}
    assert server.answer(server.ask_tool("check_mail", {"event": "SessionStart"}, **thread)).text == "{}"
    post(where, to="codex", sender="gemini")
    told = json.dumps({"hook_event_name": "UserPromptSubmit", "session_id": "T-1"})
    first, second = (command("hook", "codex", body=told, AI_BRIDGE_MAILBOXES=where.path) for _ in range(2))
    said = json.loads(first.stdout)["hookSpecificOutput"]["additionalContext"]
    assert said.startswith(f"{MARK} 1 new message for codex, from gemini")
    assert (second.stdout, second.stderr) == ("{}\n", "")


def test_the_mail_itself_is_carried_if_that_is_wanted(serve: Serve, where: Tree) -> None:
    _begin_claude(serve)
    post(where, "the build is green", to="claude", sender="gemini")
    said = _claude(where, AI_BRIDGE_REACH="full")["hookSpecificOutput"]["additionalContext"]
    assert "the build is green" in said
    assert states(where, "gemini")[READ]


@pytest.mark.parametrize("event", ["UserPromptSubmit", "Stop"])
def test_each_event_of_claude_is_answered_as_context(serve: Serve, where: Tree, event: str) -> None:
    _begin_claude(serve)
    post(where, to="claude", sender="gemini")
    assert _claude(where, event)["hookSpecificOutput"]["hookEventName"] == event


def test_a_session_that_was_cleared_hears_of_its_mail_under_its_new_name(serve: Serve, where: Tree) -> None:
    _begin_claude(serve)
    post(where, to="claude", sender="gemini")
    assert MARK in _claude(where)["hookSpecificOutput"]["additionalContext"]
    assert _claude(where) == {}
    assert MARK in _claude(where, session_id="two")["hookSpecificOutput"]["additionalContext"], "it remembers nothing"
    assert _claude(where, session_id="two") == {}


def test_a_second_session_hears_nothing_of_the_mail_of_the_first(serve: Serve, where: Tree) -> None:
    _begin_claude(serve)
    shutil.rmtree(where.state_file("clients"))  # it is then as if the sessions were two processes of the client
    post(where, to="claude", sender="gemini")
    assert _claude(where, session_id="two") == {}
    assert _claude(where) != {}


@pytest.mark.parametrize("session_id", [None, 7, "", "a\0b", {}])
def test_an_odd_name_of_a_session_is_passed_over_and_the_environment_names_it(
    serve: Serve, where: Tree, session_id: object
) -> None:
    _begin_claude(serve)
    post(where, to="claude", sender="gemini")
    assert MARK in _claude(where, session_id=session_id)["hookSpecificOutput"]["additionalContext"]
