"""registered: our parts in a client's files are recognised, complete, partial or broken."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.install.places import SCOPES
from ai_bridge.install.registered import Server, registered
from ai_bridge.install.trust import trust_states
from ai_bridge.system.processes import program
from tests.support.command import command

MANIFEST = ".claude/skills/ai-bridge/.claude-plugin/plugin.json"
HOOKS = ".claude/skills/ai-bridge/hooks/hooks.json"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and, as working directory, a project."""
    monkeypatch.delenv("AI_BRIDGE_STATE")
    (tmp_path / "home").mkdir()
    (tmp_path / "here" / ".git").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home"


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("client", [client.name for client in clients.registrable()])
def test_before_install_nothing_is_there_and_after_it_everything(client: str, scope: str) -> None:
    nothing = registered(client, scope)
    assert (nothing.server, nothing.hooks, nothing.skill, nothing.current) == (None, (), "absent", False)
    assert not any(file.exists for file in nothing.files)
    is_shared = scope == "project"
    mailboxes = [] if is_shared else ["--mailboxes", "/m"]
    command("install", client, "--scope", scope, *mailboxes, "--agent", "me")
    found = registered(client, scope)
    env = {**({} if is_shared else {"AI_BRIDGE_MAILBOXES": "/m"}), "AI_BRIDGE_AGENT": "me"}
    words = ["ai-bridge"] if is_shared else program()
    assert found.server == Server(words[0], (*words[1:], "mcp"), env)
    assert sorted(found.hooks) == sorted(found.wanted_hooks)
    assert (found.skill, found.current) == ("ours", True)
    assert all(file.exists and file.trouble is None for file in found.files)


def test_who_installed_an_older_form_is_told_that_it_is_not_current(home: Path) -> None:
    command("install", "claude")
    path = home / HOOKS
    path.write_text(path.read_text().replace('"timeout": 10', '"timeout": 5'))
    found = registered("claude", "user")
    assert (len(found.hooks), found.current) == (3, False)


def test_a_file_that_cannot_be_read_is_told_and_the_others_still_count(home: Path) -> None:
    command("install", "codex")
    (home / ".codex/hooks.json").write_text("{,}")
    (home / ".codex/skills/advisor/SKILL.md").write_text("mine")
    found = registered("codex", "user")
    (trouble,) = [file.trouble for file in found.files if file.trouble]
    assert trouble.startswith("line 1, column 2")
    assert (found.hooks, found.skill, found.current) == ((), "changed", False)
    assert found.server is not None


@pytest.mark.parametrize("text", ["{,}", "[]", ""])
def test_a_file_of_ours_that_is_broken_is_no_registration_and_install_replaces_it(home: Path, text: str) -> None:
    command("install", "claude")
    (home / MANIFEST).write_text(text)
    found = registered("claude", "user")
    assert (found.server, len(found.hooks), found.current) == (None, 3, False)
    assert command("install", "claude", "--yes").returncode == 0
    assert registered("claude", "user").current


def test_an_entry_of_another_shape_is_told_as_far_as_it_goes(home: Path) -> None:
    (home / MANIFEST).parent.mkdir(parents=True)
    (home / MANIFEST).write_text('{"mcpServers": {"ai-bridge": {"url": "x", "args": 1}}}')
    assert registered("claude", "user").server == Server("", (), {})


# --- the trust of Codex CLI -------------------------------------------------------------------------------

# Source: `hooks/list` of Codex CLI 0.169, for these two hooks.
KNOWN = {
    "stop": "sha256:92e58004659b841da3dc09a75c809a73ace99a5cec7a37db27cf368d24465793",
    "post_tool_use": "sha256:aa8f567dd26a036340738afa0b31313063b95c116a78e0b4524eb540c9733f24",
}
# Source: the same, for the command of the test.
KNOWN_COMMAND = "sha256:0951be4aa32f8b9d8d4baf3ce3e50ad6c5ddeecf1c745618570444e25ce69e8d"


def _hook(event: str) -> dict[str, object]:
    return {"type": "mcp_tool", "server": "ai-bridge", "tool": "check_mail", "input": {"event": event}}


def _trust(home: Path, **states: str) -> None:
    path = home / ".codex" / "hooks.json"
    tables = [f'[hooks.state."{path}:{event}:0:0"]\n{line}\n' for event, line in states.items()]
    (home / ".codex" / "config.toml").write_text("".join(tables))


def test_the_trust_of_a_command_is_read_as_the_client_records_it(home: Path) -> None:
    line = "command -v ai-bridge >/dev/null 2>&1 || exit 0; ai-bridge hook codex 2>/dev/null || exit 0"
    stop = {"hooks": [{"type": "command", "command": line, "timeout": 10}]}
    (home / ".codex").mkdir()
    (home / ".codex" / "hooks.json").write_text(json.dumps({"hooks": {"Stop": [stop]}}))
    _trust(home, stop=f'trusted_hash = "{KNOWN_COMMAND}"')
    assert trust_states("codex", "user") == {"Stop": "trusted"}


def test_trust_is_read_as_the_client_records_it(home: Path) -> None:
    (home / ".codex").mkdir()
    stop = {"hooks": [{**_hook("Stop"), "timeout": 10}]}
    after_tool = {"matcher": "*", "hooks": [_hook("PostToolUse")]}
    (home / ".codex" / "hooks.json").write_text(json.dumps({"hooks": {"Stop": [stop], "PostToolUse": [after_tool]}}))
    assert trust_states("codex", "user") == {"Stop": "untrusted", "PostToolUse": "untrusted"}
    _trust(home, **{event: f'trusted_hash = "{digest}"' for event, digest in KNOWN.items()})
    assert trust_states("codex", "user") == {"Stop": "trusted", "PostToolUse": "trusted"}
    _trust(home, stop='trusted_hash = "sha256:00"', post_tool_use="enabled = false")
    assert trust_states("codex", "user") == {"Stop": "modified", "PostToolUse": "disabled"}


def test_without_hooks_or_with_broken_files_there_is_no_trust_to_tell(home: Path) -> None:
    assert trust_states("codex", "user") == {}
    command("install", "codex")
    (home / ".codex" / "config.toml").write_text("= broken")
    assert set(trust_states("codex", "user").values()) == {"untrusted"}
    (home / ".codex" / "hooks.json").write_text("{,}")
    assert trust_states("codex", "user") == {}
