"""plugin: two folders to hand on, each in its client's format, from the same source as install."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge.clients import CLAUDE_CODE, GEMINI_CLI
from ai_bridge.install.entries import is_hook
from ai_bridge.system.processes import program
from tests.support.checkout import ROOT
from tests.support.command import command, refused


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """The two folders, written by the command."""
    done = command("install", "--plugin", str(tmp_path / "plugin"), "--mailboxes", "/m")
    assert (done.returncode, done.stderr) == (0, "")
    return tmp_path / "plugin"


def _read(path: Path) -> dict[str, dict[str, object]]:
    found: dict[str, dict[str, object]] = json.loads(path.read_text())
    return found


def test_both_have_the_skill_the_server_and_the_hooks(written: Path) -> None:
    shipped = (ROOT / "ai_bridge/install/skills/advisor/SKILL.md").read_bytes()
    manifests = {"claude": ".claude-plugin/plugin.json", "gemini": "gemini-extension.json"}
    for client, events in (("claude", CLAUDE_CODE.hooks.events), ("gemini", GEMINI_CLI.hooks.events)):
        assert (written / client / "skills/advisor/SKILL.md").read_bytes() == shipped
        entry = _read(written / client / manifests[client])["mcpServers"]["ai-bridge"]
        assert isinstance(entry, dict)
        assert [entry["command"], *entry["args"]] == [*program(), "mcp"]
        assert entry["env"]["AI_BRIDGE_MAILBOXES"] == "/m"
        hooks = _read(written / client / "hooks/hooks.json")["hooks"]
        assert list(hooks) == list(events)
        for groups in hooks.values():
            assert isinstance(groups, list)
            assert [is_hook(hook) for group in groups for hook in group["hooks"]] == [True]


def test_the_hooks_of_claude_code_are_commands_that_start_no_server_tool(written: Path) -> None:
    text = (written / "claude/hooks/hooks.json").read_text()
    assert text.count('"type": "command"') == len(CLAUDE_CODE.hooks.events)
    assert "mcp_tool" not in text


def test_an_extension_claims_no_trust_and_names_a_context_that_is_there(written: Path) -> None:
    manifest = _read(written / "gemini/gemini-extension.json")
    assert "trust" not in manifest["mcpServers"]["ai-bridge"]  # type: ignore[operator]
    assert (written / "gemini" / str(manifest["contextFileName"])).is_file()


def test_again_nothing_changes_and_what_was_changed_is_replaced_only_with_yes(written: Path) -> None:
    words = ("install", "--plugin", str(written), "--mailboxes", "/m")
    assert {line.split()[1] for line in command(*words).stdout.splitlines()} == {"unchanged"}
    path = written / "claude/hooks/hooks.json"
    path.write_text("{}")
    refused(command(*words), f"{path} exists with other content")
    assert command(*words, "--yes").returncode == 0
    assert path.with_name("hooks.json.bak").read_text() == "{}"


@pytest.mark.parametrize("words", [("claude", "--plugin", "x"), ()])
def test_a_client_or_a_directory_is_named_not_both_nor_none(words: tuple[str, ...]) -> None:
    done = command("install", *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert "name a CLIENT, or a directory with --plugin." in done.stderr
