"""changes: what an older install wrote in other places goes, and what was chosen there stays chosen."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest

from ai_bridge.clients import CODEX_CLI
from ai_bridge.install.changes import plan_changes
from ai_bridge.install.entries import Choice, tool_hooks
from ai_bridge.install.json_file import JsonFile
from ai_bridge.install.pieces import former_pieces, pieces
from ai_bridge.install.places import SCOPES
from ai_bridge.install.plan import carry_out, planned
from tests.support.command import command, refused
from tests.support.project import home_and_project

RULE = "mcp__plugin_ai-bridge_ai-bridge"


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home and, as working directory, a project."""
    made, project = home_and_project(tmp_path)
    monkeypatch.chdir(project)
    return made


def _install_as_before(scope: str) -> None:
    """Write what an older install wrote for Claude Code."""
    for _ in carry_out(planned("install", former_pieces("claude", scope))):
        pass


def _tree(base: Path) -> dict[str, bytes]:
    return {str(path.relative_to(base)): path.read_bytes() for path in base.rglob("*") if path.is_file()}


@pytest.mark.parametrize("scope", SCOPES)
@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_nothing_of_an_older_install_stays_beside_the_new_one(home: Path, scope: str, verb: str) -> None:
    base = home if scope == "user" else Path.cwd()
    (base / ".claude").mkdir()
    (base / ".claude/settings.json").write_text('{"permissions": {"allow": ["Bash"]}}')
    before = _tree(base)
    _install_as_before(scope)
    older = _tree(base)
    assert any("mcp_tool" in str(content) for content in older.values())
    done = command(verb, "claude", "--scope", scope)
    assert (done.returncode, done.stderr) == (0, "")
    now = _tree(base)
    if verb == "uninstall":
        assert now == before
        return
    assert {piece.path for piece in former_pieces("claude", scope)} & {str(base / name) for name in now} == {
        str(base / ".claude/settings.json")
    }
    assert json.loads(now[".claude/settings.json"]) == {"permissions": {"allow": ["Bash", RULE]}}
    assert command("uninstall", "claude", "--scope", scope).returncode == 0
    assert _tree(base) == before


@pytest.mark.parametrize("verb", ["install", "uninstall"])
def test_the_hooks_of_an_older_install_for_codex_are_replaced_without_a_question(home: Path, verb: str) -> None:
    folder = home / ".codex"
    folder.mkdir()
    before = _tree(home)
    command("install", "codex")
    (hooks,) = (one.content for one in pieces("codex", "user", Choice()) if isinstance(one.content, JsonFile))
    path = folder / "hooks.json"
    new = path.read_bytes()
    path.write_bytes(replace(hooks, hooks=tool_hooks(CODEX_CLI)).installed(None))
    done = command(verb, "codex")
    assert (done.returncode, done.stderr) == (0, "")
    if verb == "install":
        assert path.read_bytes() == new
        command("uninstall", "codex")
    assert _tree(home) == before


def test_what_was_chosen_then_stays_chosen_unless_something_else_is_chosen_now(home: Path) -> None:
    for given, kept in ((Choice(), Choice("/m", "me")), (Choice("/other"), Choice("/other"))):
        _install_as_before("user")
        path = home / ".claude.json"
        document = json.loads(path.read_text())
        document["mcpServers"]["ai-bridge"]["env"] = {"AI_BRIDGE_MAILBOXES": "/m", "AI_BRIDGE_AGENT": "me"}
        path.write_text(json.dumps(document))
        list(carry_out(plan_changes("install", ["claude"], "user", given)))
        assert not path.exists()
        for piece in pieces("claude", "user", kept):
            assert Path(piece.path).read_bytes() == piece.content.installed(Path(piece.path).read_bytes())


def test_what_a_person_added_to_the_older_entry_goes_only_if_they_agree(home: Path) -> None:
    _install_as_before("user")
    path = home / ".claude.json"
    document = json.loads(path.read_text())
    document["mcpServers"]["ai-bridge"]["env"] = {"MINE": "1"}
    path.write_text(json.dumps(document))
    before = _tree(home)
    refused(command("install", "claude"), f"{path} exists with other content")
    assert _tree(home) == before
    assert command("install", "claude", "--yes").returncode == 0
    assert not path.exists()


def test_a_permission_of_the_older_name_stays_if_a_person_gave_it(home: Path) -> None:
    (home / ".claude").mkdir()
    (home / ".claude/settings.json").write_text('{"permissions": {"allow": ["mcp__ai-bridge"]}}')
    command("install", "claude")
    found = json.loads((home / ".claude/settings.json").read_text())
    assert found["permissions"]["allow"] == ["mcp__ai-bridge", RULE]


@pytest.mark.parametrize("client", ["claude", "gemini", "codex"])
def test_a_projects_files_name_no_path_of_this_machine(
    home: Path, client: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("AI_BRIDGE_MAILBOXES", "AI_BRIDGE_STATE", "CODEX_HOME", "XDG_STATE_HOME", "XDG_DATA_HOME"):
        monkeypatch.setenv(name, str(home / name))
    command("install", client, "--scope", "project")
    written = b"".join(_tree(Path.cwd()).values()).replace(b"/dev/null", b"")
    assert b"ai-bridge" in written
    assert str(home).encode() not in written
    assert b"bin/" not in written
    chosen = command("install", client, "--scope", "project", "--mailboxes", "/m")
    assert (chosen.returncode, "a project's files are for everybody" in chosen.stderr) == (2, True)
