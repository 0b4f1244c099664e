"""install codex: its sandboxed shell may write mailboxes and state only if the person wants it, until uninstall."""

from __future__ import annotations

import os
import tomllib
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import command, refused

MINE = '# mine\n[sandbox_workspace_write]\nroots_of_mine = 1\nwritable_roots = ["/mine"]  # here\n[tui]\nx = 1\n'


@pytest.fixture(autouse=True)
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The settings of Codex CLI in a home of its own; the working directory has no mailboxes in reach."""
    for name in ("CODEX_HOME", "AI_BRIDGE_MAILBOXES", "XDG_DATA_HOME", "XDG_STATE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "state"))
    (tmp_path / "here").mkdir()
    (tmp_path / "home" / ".codex").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "home" / ".codex" / "config.toml"


def _install(*words: str) -> str:
    done = command("install", "codex", *words)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout


def _read(config: Path) -> dict[str, Any]:
    return tomllib.loads(config.read_text())


def _roots(config: Path) -> list[str]:
    roots: list[str] = _read(config).get("sandbox_workspace_write", {}).get("writable_roots", [])
    return roots


def _own(tmp_path: Path) -> str:
    return str(tmp_path / "home/.local/share/ai-bridge/mailboxes")


def test_without_the_option_the_sandbox_stays_and_the_person_is_told_of_it_once(config: Path) -> None:
    assert "codex: the tools need nothing more; `ai-bridge send` works in its sandboxed shell only after" in _install(
        "--yes"
    )
    assert "sandbox_workspace_write" not in _read(config)
    assert "sandboxed" not in _install("--yes")


def test_the_option_is_planned_and_shown_and_lets_the_shell_write_the_users_own_mailboxes(
    config: Path, tmp_path: Path
) -> None:
    planned = _install("--dry-run", "--writable-roots")
    assert f'+writable_roots = ["{_own(tmp_path)}", "{tmp_path}/state"]\n' in planned
    assert not config.exists()
    assert "sandboxed" not in _install("--writable-roots")
    assert _roots(config) == [_own(tmp_path), str(tmp_path / "state")]


def test_own_entries_of_a_person_stay_and_uninstall_leaves_the_file_byte_for_byte(
    config: Path, tmp_path: Path
) -> None:
    config.write_text(MINE)
    _install("--writable-roots", "--mailboxes", str(tmp_path / "m"))
    assert _roots(config) == ["/mine", str(tmp_path / "m"), str(tmp_path / "state")]
    assert _read(config)["sandbox_workspace_write"]["roots_of_mine"] == 1
    assert command("uninstall", "codex").returncode == 0
    assert config.read_text() == MINE
    assert [entry.name for entry in config.parent.iterdir()] == ["config.toml"]


def test_granted_later_and_edited_meanwhile_only_ours_is_taken_out_again(config: Path, tmp_path: Path) -> None:
    config.write_text(MINE)
    _install()
    _install("--writable-roots")
    config.write_text(config.read_text().replace('["/mine"', '["/mine", "/new"') + "[later]\ny = 2\n")
    assert command("uninstall", "codex").returncode == 0
    left = _read(config)
    assert left == {**tomllib.loads(MINE.replace('["/mine"', '["/mine", "/new"')), "later": {"y": 2}}


def test_an_entry_that_a_person_had_made_stays_after_uninstall(config: Path, tmp_path: Path) -> None:
    config.write_text(f'[sandbox_workspace_write]\nwritable_roots = ["{tmp_path}/state"]\n')
    _install("--writable-roots")
    config.write_text(config.read_text() + "[later]\ny = 2\n")
    assert command("uninstall", "codex").returncode == 0
    assert _roots(config) == [str(tmp_path / "state")]


def test_another_install_keeps_them_and_moves_them_with_the_mailboxes(config: Path, tmp_path: Path) -> None:
    _install("--writable-roots")
    before = config.read_bytes()
    _install()
    assert config.read_bytes() == before
    refused(command("install", "codex", "--mailboxes", "m"), f"{config} exists with other content")
    shown = _install("--mailboxes", "m", "--yes")
    assert f'-writable_roots = ["{_own(tmp_path)}", "{tmp_path}/state"]\n' in shown
    assert sorted(_roots(config)) == sorted([os.path.realpath("m"), str(tmp_path / "state")])


def test_all_gives_the_option_to_the_client_that_has_such_a_list(config: Path, tmp_path: Path) -> None:
    assert command("install", "all", "--writable-roots").returncode == 0
    assert _roots(config) == [_own(tmp_path), str(tmp_path / "state")]


@pytest.mark.parametrize(
    ("words", "why"),
    [
        (["codex", "--scope", "project"], "names paths of this machine: use --scope user"),
        (["all", "--scope", "project"], "names paths of this machine: use --scope user"),
        (["gemini"], "--writable-roots goes with codex"),
        (["--plugin", "there"], "--writable-roots goes with codex"),
    ],
)
def test_nothing_else_takes_the_option(tmp_path: Path, words: list[str], why: str) -> None:
    done = command("install", *words, "--writable-roots")
    assert (done.returncode, done.stdout) == (2, "")
    assert why in " ".join(done.stderr.split())
    assert list((tmp_path / "here").iterdir()) == []


def test_a_project_never_has_such_a_list_nor_loses_its_own(tmp_path: Path) -> None:
    config = tmp_path / "here" / ".codex" / "config.toml"
    config.parent.mkdir()
    config.write_text(f'[sandbox_workspace_write]\nwritable_roots = ["{_own(tmp_path)}", "{tmp_path}/state"]\n')
    before = _roots(config)
    assert "sandboxed" not in _install("--scope", "project")
    assert _roots(config) == before
    config.write_text(config.read_text() + "[later]\ny = 2\n")
    assert command("uninstall", "codex", "--scope", "project").returncode == 0
    assert _roots(config) == before


def test_a_value_that_is_no_list_is_left_and_said(config: Path) -> None:
    config.write_text('[sandbox_workspace_write]\nwritable_roots = "/mine"\n')
    refused_ = command("install", "codex", "--writable-roots")
    assert refused_.returncode == 1
    assert "cannot be changed safely (sandbox_workspace_write.writable_roots is no list)" in refused_.stderr
    assert config.read_text() == '[sandbox_workspace_write]\nwritable_roots = "/mine"\n'


def test_a_session_waits_for_the_server_to_be_ready_unless_the_person_set_another_time(config: Path) -> None:
    _install()
    assert _read(config)["mcp_optional_startup_grace_ms"] == 10_000
    assert command("uninstall", "codex").returncode == 0
    assert not config.exists()
    config.parent.mkdir()
    config.write_text("mcp_optional_startup_grace_ms = 0\n")
    _install()
    assert _read(config)["mcp_optional_startup_grace_ms"] == 0
    assert command("uninstall", "codex").returncode == 0
    assert config.read_text() == "mcp_optional_startup_grace_ms = 0\n"
