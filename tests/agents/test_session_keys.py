"""The key of a session, as a hook finds it: also after its client gave the session another name."""

from __future__ import annotations

import pytest

from ai_bridge.agents import session_keys
from ai_bridge.clients import CLAUDE_CODE, GEMINI_CLI
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import processes

NAME = "CLAUDE_CODE_SESSION_ID"


def hook_key(where: Tree) -> str:
    return session_keys.hook_key(where, CLAUDE_CODE, 2)


def test_a_hook_has_the_name_that_its_client_gives_it(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "one")
    assert hook_key(where) == "one"


def test_a_cleared_session_is_still_that_of_its_server(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "one")
    session_keys.note_client(where, "claude-code")
    monkeypatch.setenv(NAME, "two")
    assert session_keys.digest(hook_key(where)) == session_keys.digest("one")


def test_another_process_of_the_client_is_another_session(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(NAME, "one")
    session_keys.note_client(where, "claude-code")
    monkeypatch.setenv(NAME, "two")
    monkeypatch.setattr(processes, "ancestor_keys", lambda most: ["process 1 1"])
    assert hook_key(where) == "two"


def test_a_client_that_names_no_sessions_leaves_no_note(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(NAME, raising=False)
    session_keys.note_client(where, "claude-code")
    session_keys.note_client(where, "gemini-cli-mcp-client")
    assert not hook_key(where)
    assert session_keys.hook_key(where, GEMINI_CLI, 2).startswith("process ")
