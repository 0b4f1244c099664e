"""The doctor: it reports each client's true state and the command that fixes it, and it changes nothing."""

from __future__ import annotations

import json
import math
import os
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.health import claude, doctor, server_start
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding
from ai_bridge.install.changes import plan_changes
from ai_bridge.install.plan import carry_out
from tests.support.command import command

MANIFEST = ".claude/skills/ai-bridge/.claude-plugin/plugin.json"
HOOKS = ".claude/skills/ai-bridge/hooks/hooks.json"
CLIENTS = [client.name for client in clients.registrable()]


@pytest.fixture(autouse=True)
def _at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a project of a new home, on a PATH that has no client."""
    for folder in ("home", "project", "bin"):
        (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / "project")
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setattr(server_start, "SLOW_MS", math.inf)  # how fast a server starts here decides no test


def put(tmp_path: Path, client: str, script: str = "echo 1.2.3") -> None:
    """Put a client on the PATH that is but a script."""
    path = tmp_path / "bin" / client
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def register(client: str, scope: str = "user") -> None:
    for _ in carry_out(plan_changes("install", [client], scope)):
        pass


def found(client: str) -> dict[str, Finding]:
    return {finding.where: finding for finding in doctor.examine(client)}


def files(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_client_that_is_not_there_is_no_fault() -> None:
    for client in CLIENTS:
        (finding,) = doctor.examine(client)
        assert (finding.where, finding.level, finding.fix) == ("installed", NOTE, "")
    assert command("doctor").returncode == 0


def test_one_that_is_there_and_not_registered_is_told_the_command(tmp_path: Path) -> None:
    put(tmp_path, "claude")
    looked = found("claude")
    assert (looked["installed"].level, looked["installed"].what) == (OK, "1.2.3")
    assert (looked["registered"].level, looked["registered"].fix) == (WRONG, "ai-bridge install claude")
    assert command("doctor", "claude").returncode == 1


@pytest.mark.parametrize("client", CLIENTS)
def test_after_install_all_is_well_but_what_only_a_person_can_do(client: str, tmp_path: Path) -> None:
    put(tmp_path, client)
    register(client)
    looked = found(client)
    wrong = {check for check, finding in looked.items() if finding.level != OK}
    by_person = {"codex": {"hooks", "reach"}, "gemini": {"trusted"}}
    assert wrong == by_person.get(client, set())
    assert set(looked) - {"trusted", "policy"} == {"installed", "registered", "hooks", "server", "reach"}
    assert "tools after" in looked["server"].what


def test_in_the_home_directory_the_persons_files_are_no_projects(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(tmp_path, "gemini")
    register("gemini")
    monkeypatch.chdir(tmp_path / "home")
    checks = [finding.where for finding in doctor.examine("gemini")]
    assert checks == ["installed", "registered", "trusted", "hooks", "policy", "server", "reach"]


def test_looking_changes_nothing(tmp_path: Path) -> None:
    for client in CLIENTS:
        put(tmp_path, client)
        register(client)
    before = files(tmp_path)
    for client in CLIENTS:
        list(doctor.examine(client))
    assert files(tmp_path) == before


def test_a_server_that_starts_slowly_is_noted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server_start, "SLOW_MS", 0)
    put(tmp_path, "claude")
    register("claude")
    assert found("claude")["server"].level == NOTE


def test_hooks_that_codex_was_not_told_to_trust_are_named(tmp_path: Path) -> None:
    put(tmp_path, "codex")
    register("codex")
    hooks = found("codex")["hooks"]
    assert hooks.level == WRONG
    assert "Stop" in hooks.what
    assert hooks.fix == "ai-bridge install codex --trust-hooks"


def test_a_program_that_was_moved_is_named(tmp_path: Path) -> None:
    register("claude")
    path = tmp_path / "home" / MANIFEST
    entry = json.loads(path.read_text())
    entry["mcpServers"]["ai-bridge"]["command"] = str(tmp_path / "gone" / "ai-bridge")
    path.write_text(json.dumps(entry))
    looked = found("claude")
    assert (looked["registered"].level, looked["registered"].fix) == (WRONG, "ai-bridge install claude")
    assert str(tmp_path / "gone") in looked["registered"].what
    assert looked["server"].level == WRONG


def test_hooks_a_person_took_out_are_missed(tmp_path: Path) -> None:
    register("claude")
    path = tmp_path / "home" / HOOKS
    entry = json.loads(path.read_text())
    del entry["hooks"]["Stop"]
    path.write_text(json.dumps(entry))
    assert (found("claude")["hooks"].level, found("claude")["hooks"].what) == (WRONG, "none on Stop")


def test_a_file_that_cannot_be_understood_is_named(tmp_path: Path) -> None:
    put(tmp_path, "gemini")
    path = tmp_path / "home" / ".gemini" / "settings.json"
    path.parent.mkdir()
    path.write_text("{,}")
    looked = found("gemini")
    assert looked["files"].level == WRONG
    assert f"{path}: line 1, column 2" in looked["files"].what
    assert looked["files"].fix == f"$EDITOR {path}", "install would refuse the file"


def test_a_server_that_does_not_start_says_why(tmp_path: Path) -> None:
    register("claude")
    path = tmp_path / "home" / MANIFEST
    entry = json.loads(path.read_text())
    entry["mcpServers"]["ai-bridge"]["args"] = ["mcp", "--nonsense"]
    path.write_text(json.dumps(entry))
    assert found("claude")["server"].level == WRONG
    assert "--nonsense" in found("claude")["server"].what


def test_a_client_that_cannot_say_its_version_is_wrong(tmp_path: Path) -> None:
    put(tmp_path, "claude", "exit 3")
    assert found("claude")["installed"].level == WRONG


def test_an_old_codex_without_a_queue_is_told_to_update(tmp_path: Path) -> None:
    put(tmp_path, "codex", '[ "$1" = --version ] && echo codex-cli 0.1 || exit 2')
    register("codex")
    assert (found("codex")["reach"].level, "update" in found("codex")["reach"].what) == (WRONG, True)


def test_settings_that_keep_gemini_from_waking_are_wrong(tmp_path: Path) -> None:
    register("gemini")
    path = tmp_path / "home" / ".gemini" / "settings.json"
    entry = json.loads(path.read_text())
    entry["experimental"]["modelSteering"] = False
    path.write_text(json.dumps(entry))
    assert found("gemini")["reach"].level == WRONG


def test_gemini_without_the_policy_stops_at_a_question(tmp_path: Path) -> None:
    register("gemini")
    assert found("gemini")["policy"].level == OK
    (tmp_path / "home/.gemini/policies/ai-bridge.toml").unlink()
    policy = found("gemini")["policy"]
    assert (policy.level, policy.fix) == (WRONG, "ai-bridge install gemini")
    assert "asks a person before each `ai-bridge wait`" in policy.what


def test_what_a_project_registers_for_gemini_needs_the_policy_of_each_person(tmp_path: Path) -> None:
    (tmp_path / "project" / ".git").mkdir()
    register("gemini", "project")
    assert found("gemini")["policy"].level == NOTE


@pytest.mark.parametrize(
    ("place", "value", "level", "does"),
    [
        ("home/.claude/settings.json", "hold", WRONG, "holds"),
        ("home/.claude/settings.json", "refuse", WRONG, "drops"),
        ("home/.claude/settings.json", "a word of tomorrow", WRONG, "holds"),
        ("home/.claude/settings.json", "accept", None, ""),
        ("project/.claude/settings.json", "hold", WRONG, "holds"),
        ("project/.claude/settings.local.json", "refuse", WRONG, "drops"),
        ("managed/managed-settings.json", "hold", WRONG, "holds"),
        ("managed/managed-settings.d/10-mail.json", "refuse", WRONG, "drops"),
    ],
)
def test_a_setting_that_keeps_notices_from_a_session_of_claude_is_wrong(
    place: str, value: str, level: int | None, does: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(claude, "_MANAGED", str(tmp_path / "managed"))
    (tmp_path / "project" / ".git").mkdir()
    register("claude")
    path = tmp_path / place
    path.parent.mkdir(parents=True, exist_ok=True)
    settings = json.loads(path.read_text()) if path.exists() else {}
    path.write_text(json.dumps({**settings, "crossSessionInbound": value}))
    finding = found("claude").get("inbound")
    assert (finding.level if finding else None) == level
    if finding is not None:
        assert f"Claude Code {does} what is to wake an idle session" in finding.what
        assert str(path) in finding.what
        asks = "administrator" in finding.what
        assert (asks, finding.fix) == ((True, "") if "managed" in place else (False, f"$EDITOR {path}"))


def test_what_a_project_registers_has_to_be_approved_once(tmp_path: Path) -> None:
    (tmp_path / "project" / ".git").mkdir()
    register("claude", "project")
    register("gemini", "project")
    for client, check, level in (("claude", "approved", NOTE), ("gemini", "trusted", WRONG)):
        assert (found(client)[check].level, found(client)[check].fix.split()[-1]) == (level, client)
    project = str(tmp_path / "project")
    own = {"projects": {project: {"enabledMcpjsonServers": ["plugin:ai-bridge:ai-bridge"]}}}
    (tmp_path / "home" / ".claude.json").write_text(json.dumps(own))
    (tmp_path / "home" / ".gemini").mkdir()
    (tmp_path / "home" / ".gemini" / "trustedFolders.json").write_text(json.dumps({str(tmp_path): "TRUST_FOLDER"}))
    for client in ("claude", "gemini"):
        assert found(client)["approved"].level == OK


def test_json_has_an_object_a_check(tmp_path: Path) -> None:
    put(tmp_path, "claude")
    done = command("doctor", "--json", PATH=os.environ["PATH"])
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert [line["client"] for line in lines] == ["claude", "claude", "gemini", "codex"]
    assert set(lines[0]) == {"client", "check", "level", "found", "fix"}


def change(path: Path, *keys: str, value: object) -> None:
    """Set a value in a client's file of settings."""
    document = json.loads(path.read_text())
    inner = document
    for key in keys[:-1]:
        inner = inner.setdefault(key, {})
    inner[keys[-1]] = value
    path.write_text(json.dumps(document, indent=2))


@pytest.mark.parametrize(
    ("client", "file", "keys", "value"),
    [
        ("claude", ".claude/settings.json", ("disableAllHooks",), True),
        ("claude", ".claude/settings.json", ("permissions", "deny"), ["mcp__plugin_ai-bridge_ai-bridge"]),
        ("claude", ".claude/settings.json", ("enabledPlugins", "ai-bridge@skills-dir"), False),
        ("gemini", ".gemini/settings.json", ("hooksConfig", "enabled"), False),
        ("gemini", ".gemini/settings.json", ("mcp", "excluded"), ["ai-bridge"]),
        ("gemini", ".gemini/settings.json", ("mcpServers", "ai-bridge", "excludeTools"), ["peer_read"]),
    ],
)
def test_what_is_switched_off_is_no_success(
    tmp_path: Path, client: str, file: str, keys: tuple[str, ...], value: object
) -> None:
    register(client)
    change(tmp_path / "home" / file, *keys, value=value)
    switch = found(client)["switch"]
    assert switch.level == WRONG
    assert keys[-1].partition("@")[0] in switch.what
    assert found(client)["reach"].level == NOTE


@pytest.mark.parametrize("line", ["[mcp_servers.ai-bridge]\nenabled = false", "[features]\nhooks = false"])
def test_what_is_switched_off_in_codex_is_no_success(tmp_path: Path, line: str) -> None:
    register("codex")
    path = tmp_path / "home" / ".codex" / "config.toml"
    head = "[mcp_servers.ai-bridge]"
    path.write_text(path.read_text().replace(head, line) if head in line else f"{path.read_text()}\n{line}\n")
    assert found("codex")["switch"].level == WRONG


def test_hooks_that_were_altered_are_told_of(tmp_path: Path) -> None:
    register("claude")
    path = tmp_path / "home" / HOOKS
    path.write_text(path.read_text().replace('"matcher": "*"', '"matcher": "NoSuchTool"'))
    assert "--dry-run" in found("claude")["current"].what


def test_a_server_that_is_led_to_nowhere_is_wrong(tmp_path: Path) -> None:
    register("claude")
    path = tmp_path / "home" / MANIFEST
    change(path, "mcpServers", "ai-bridge", "env", value={"AI_BRIDGE_MAILBOXES": str(tmp_path / "gone")})
    assert found("claude")["mailboxes"].fix == f"ai-bridge init --mailboxes {tmp_path / 'gone'}"
    change(path, "mcpServers", "ai-bridge", "env", value={"AI_BRIDGE_AGENT": "NO ADDRESS"})
    assert found("claude")["agent"].level == WRONG


@pytest.mark.parametrize(
    "says", ["[]", "1", '{"id": 2, "result": {}}', '{"id": 2, "result": null}', '{"id": 2, "error": {}}', "no json"]
)
def test_a_server_that_says_odd_things_is_wrong(tmp_path: Path, says: str) -> None:
    register("claude")
    server = tmp_path / "server"
    server.write_text(f"#!/bin/sh\nread line\necho '{says}'\n")
    server.chmod(0o755)
    entry = {"command": str(server), "args": []}
    change(tmp_path / "home" / MANIFEST, "mcpServers", "ai-bridge", value=entry)
    assert found("claude")["server"].level == WRONG


def test_an_extension_is_a_registration(tmp_path: Path) -> None:
    put(tmp_path, "gemini")
    (tmp_path / "home" / ".gemini" / "extensions" / "ai-bridge").mkdir(parents=True)
    assert found("gemini")["registered"].level == OK


def test_what_is_registered_for_the_user_needs_a_trusted_folder_in_gemini(tmp_path: Path) -> None:
    register("gemini")
    trusted = found("gemini")["trusted"]
    assert (trusted.level, str(tmp_path / "project") in trusted.what) == (WRONG, True)
    trust = tmp_path / "home/.gemini/trustedFolders.json"
    trust.write_text(json.dumps({str(tmp_path / "project"): "TRUST_FOLDER"}))
    assert found("gemini")["approved"].level == OK
    trust.unlink()
    change(tmp_path / "home/.gemini/settings.json", "security", "folderTrust", "enabled", value=False)
    assert found("gemini")["approved"].level == OK
