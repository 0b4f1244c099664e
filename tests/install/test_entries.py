"""entries: the entries that we register, and how we recognise them after they were moved or changed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge.clients import CLAUDE_CODE, CODEX_CLI, GEMINI_CLI
from ai_bridge.errors import BridgeError
from ai_bridge.install.entries import (
    Choice,
    Entry,
    altered,
    command_hooks,
    fitted,
    hook_command,
    is_hook,
    places,
    program,
    server,
    server_of,
    shown_entry,
    takes,
    tool_hooks,
)
from ai_bridge.message.address import BadAddress

OURS: Entry = {"command": "/venv/bin/ai-bridge", "args": ["mcp"]}
MODULE: Entry = {"command": "/usr/bin/python3", "args": ["-P", "-m", "ai_bridge", "mcp"]}


def test_the_program_is_the_script_beside_the_interpreter_or_else_the_module(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    python = str(tmp_path / "python3")
    monkeypatch.setattr(sys, "executable", python)
    assert program() == [python, "-P", "-m", "ai_bridge"]
    assert server({"A": "b"}) == {"command": python, "args": ["-P", "-m", "ai_bridge", "mcp"], "env": {"A": "b"}}
    (tmp_path / "ai-bridge").write_text("")
    (tmp_path / "ai-bridge").chmod(0o755)
    assert program() == [str(tmp_path / "ai-bridge")]
    assert server({}) == {"command": str(tmp_path / "ai-bridge"), "args": ["mcp"]}


def test_only_what_was_chosen_is_written_in_and_paths_are_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("AI_BRIDGE_STATE")
    monkeypatch.setenv("AI_BRIDGE_AGENT", "shell")
    assert Choice.from_options(None, None).environment == {}
    assert Choice.from_options("here", "me@web").environment == {
        "AI_BRIDGE_MAILBOXES": str(tmp_path / "here"),
        "AI_BRIDGE_AGENT": "me@web",
    }
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", "named")
    monkeypatch.setenv("AI_BRIDGE_STATE", "state")
    assert Choice.from_options(None, None).environment == {
        "AI_BRIDGE_MAILBOXES": str(tmp_path / "named"),
        "AI_BRIDGE_STATE": str(tmp_path / "state"),
    }
    for mailboxes, agent, refusal in (("", None, BridgeError), (None, "No", BadAddress)):
        with pytest.raises(refusal):
            Choice.from_options(mailboxes, agent)


def test_where_things_are_is_told_as_the_environment_has_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert places(CODEX_CLI) == {}
    monkeypatch.setenv("CODEX_HOME", "/codex")
    monkeypatch.setenv("XDG_STATE_HOME", "")
    assert places(CODEX_CLI) == {"CODEX_HOME": "/codex"}


def test_a_command_hook_survives_a_shell_whatever_the_mailboxes_are_called() -> None:
    choice = Choice("/it's $(mine)", "me")
    group = command_hooks(GEMINI_CLI, choice)["AfterTool"]
    assert group["matcher"] == ".*"
    command = group["hooks"][0]["command"]
    state = f"AI_BRIDGE_STATE={os.environ['AI_BRIDGE_STATE']}"
    ours = [state, *program(), "hook", "gemini", "--mailboxes", "/it's $(mine)", "--agent", "me"]
    assert shlex.split(command.partition("; ")[2].removesuffix(" 2>/dev/null || exit 0")) == ours
    assert is_hook(group["hooks"][0])
    assert not altered(group, command_hooks(GEMINI_CLI, Choice())["AfterTool"])


def test_a_command_hook_answers_as_the_program_does_and_nothing_if_that_is_missing_or_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "a b" / "python3"))
    script = tmp_path / "a b" / "ai-bridge"
    script.parent.mkdir()
    script.write_text("")
    script.chmod(0o755)
    command = hook_command(CLAUDE_CODE, Choice())
    cases = {
        '#!/bin/sh\necho "$@"\n': b"hook claude\n",
        "#!/bin/sh\necho trouble >&2\nexit 2\n": b"",
        "#!/nowhere/python3\n": b"",
    }
    for text, said in cases.items():
        script.write_text(text)
        for shell in ("sh", "bash"):
            done = subprocess.run([shell, "-c", command], capture_output=True, check=False)
            assert (done.returncode, done.stdout, done.stderr) == (0, said, b"")
    script.unlink()
    done = subprocess.run(["sh", "-c", command], capture_output=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, b"", b"")


def test_files_that_others_read_too_name_no_path_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CODEX_HOME", "/codex")
    shared = Choice("/m", "me").for_all()
    assert server_of(CODEX_CLI, shared)["command"] == "ai-bridge"
    assert server_of(CODEX_CLI, shared)["env"] == {"AI_BRIDGE_AGENT": "me"}
    assert "/" not in hook_command(GEMINI_CLI, shared).replace("/dev/null", "")


@pytest.mark.parametrize(
    ("handler", "ours"),
    [
        ({"type": "mcp_tool", "server": "ai-bridge", "tool": "check_mail"}, True),
        ({"type": "mcp_tool", "server": "plugin:ai-bridge:ai-bridge", "tool": "check_mail"}, True),
        ({"type": "mcp_tool", "server": "ai-bridge", "tool": "peer_list"}, False),
        ({"type": "mcp_tool", "server": "other", "tool": "check_mail"}, False),
        ({"type": "command", "command": "'/a b/ai-bridge' hook gemini"}, True),
        ({"type": "command", "command": "ai-bridge hook gemini --agent me"}, True),
        ({"type": "command", "command": "python3 -P -m ai_bridge hook gemini"}, True),
        ({"type": "command", "command": "ai-bridge send gemini hook"}, False),
        ({"type": "command", "command": "echo ai-bridge hook gemini"}, False),
        ({"type": "command", "command": "ai-bridge 'hook"}, False),
        ({"type": "command", "command": ["ai-bridge", "hook"]}, False),
        ("ai-bridge hook gemini", False),
        (None, False),
    ],
)
def test_a_hook_is_known_by_the_tool_it_calls_or_the_command_it_runs(handler: object, ours: bool) -> None:
    assert is_hook(handler) == ours


@pytest.mark.parametrize(
    ("found", "lost"),
    [
        (OURS, False),
        (MODULE, False),
        ({**OURS, "command": "/elsewhere/ai-bridge"}, False),
        ({**OURS, "disabled": True}, False),
        ({**OURS, "env": {"MINE": "1"}}, False),
        ({**OURS, "env": {"AI_BRIDGE_MAILBOXES": "/m"}}, True),
        ({**OURS, "env": ["x"]}, True),
        ({**OURS, "args": ["mcp", "--agent", "me"]}, True),
        ({**OURS, "command": "/bin/wrapper"}, True),
        ("ai-bridge mcp", True),
    ],
)
def test_a_new_entry_keeps_what_a_person_added_and_asks_before_it_takes_anything(found: object, lost: bool) -> None:
    new = fitted(found, OURS)
    assert {key: new[key] for key in OURS} == OURS
    assert takes(found, new) == lost
    if isinstance(found, dict) and not lost:
        assert new == {**found, **OURS}


@pytest.mark.parametrize(
    ("found", "changed"),
    [
        (MODULE, False),
        ({**OURS, "env": {"AI_BRIDGE_AGENT": "me", "CODEX_HOME": "/c"}}, False),
        ({**OURS, "tools": {"peer_send": {"approval_mode": "approve"}}}, False),
        ({**OURS, "env": {"MINE": "1"}}, True),
        ({**OURS, "disabled": True}, True),
        ({**OURS, "args": ["mcp", "-v"]}, True),
        ({"url": "http://127.0.0.1"}, True),
        (7, True),
    ],
)
def test_to_take_out_an_entry_asks_only_where_a_person_wrote_in_it(found: object, changed: bool) -> None:
    assert altered(found, OURS) == changed


def test_a_key_that_only_an_older_install_wrote_goes_without_a_question() -> None:
    old = {**OURS, "required": True, "mine": 1}
    new = fitted(old, OURS)
    assert new == {**OURS, "mine": 1}
    assert not takes(old, new)
    assert not altered({**OURS, "required": True}, OURS)
    assert shown_entry(old)["required"] is True
    kept = {**OURS, "required": False}
    assert fitted(kept, OURS) == kept, "a person wrote this one"


def test_hooks_are_known_unchanged_whatever_place_and_choice_they_name() -> None:
    ours = command_hooks(GEMINI_CLI, Choice())["AfterAgent"]
    handler = ours["hooks"][0]
    moved = {**handler, "command": "/old/ai-bridge hook gemini --mailboxes /m"}
    assert not altered({"hooks": [moved]}, ours)
    assert not altered(moved, handler)
    assert altered({"hooks": [{**moved, "timeout": 1}]}, ours)
    assert takes({"hooks": [moved]}, ours)
    assert not takes({"hooks": [{**handler, "command": "/old/ai-bridge hook gemini"}]}, ours)
    called = tool_hooks(CLAUDE_CODE)["PostToolUse"]
    assert altered({**called, "matcher": "Bash"}, called)
    assert takes({**called, "matcher": "Bash"}, called)
