"""The trust for our hooks in Codex CLI's settings: given only if a person agrees, and for our hooks alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.install.changes import plan_changes
from ai_bridge.install.entries import Choice
from ai_bridge.install.places import SCOPES
from ai_bridge.install.plan import NotPlain, Piece, carry_out, planned
from ai_bridge.install.trust import trust_pieces, trust_states
from tests.support.command import command

ORIGINALS = [
    "",
    "# mine\n",
    'model = "x"',
    '[hooks.state."/other/hooks.json:stop:0:0"]\ntrusted_hash = "sha256:00"\n',
    '[hooks]\nstate = { "/other/hooks.json:stop:0:0" = { enabled = false } }\n',
    "a = 1\r\n\r\n[b]\r\nc = 2\r\n",
]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a project of a new home."""
    for folder in ("home/.codex", "project"):
        (tmp_path / folder).mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "project")
    return tmp_path / "home"


def carried_out(verb: str, pieces: list[Piece]) -> None:
    for _ in carry_out(planned(verb, pieces)):
        pass


def put_hooks(scope: str = "user") -> None:
    for _ in carry_out(plan_changes("install", ["codex"], scope)):
        pass


@pytest.mark.parametrize("scope", SCOPES)
def test_hooks_that_are_trusted_are_known_to_be(scope: str) -> None:
    put_hooks(scope)
    assert set(trust_states("codex", scope).values()) == {"untrusted"}
    carried_out("install", trust_pieces("codex", scope, Choice()))
    assert set(trust_states("codex", scope).values()) == {"trusted"}
    assert len(trust_states("codex", scope)) == 4


@pytest.mark.parametrize("original", ORIGINALS[:4] + ORIGINALS[5:])
def test_what_was_there_stays_and_comes_back_byte_for_byte(home: Path, original: str) -> None:
    path = home / ".codex" / "config.toml"
    path.write_bytes(original.encode())
    pieces = trust_pieces("codex", "user", Choice())
    carried_out("install", pieces)
    assert path.read_bytes().startswith(original.encode())
    before = path.stat().st_mtime_ns
    carried_out("install", pieces)
    assert path.stat().st_mtime_ns == before
    carried_out("uninstall", pieces)
    assert path.read_bytes() == original.encode()


def test_a_layout_that_cannot_be_added_to_is_refused_and_stays(home: Path) -> None:
    path = home / ".codex" / "config.toml"
    path.write_text(ORIGINALS[4])
    with pytest.raises(NotPlain):
        planned("install", trust_pieces("codex", "user", Choice()))
    assert path.read_text() == ORIGINALS[4]


def test_a_digest_of_an_older_hook_is_replaced_and_what_else_is_said_of_it_kept(home: Path) -> None:
    path = home / ".codex" / "config.toml"
    key = f"{home}/.codex/hooks.json:stop:0:0"
    path.write_text(f'[hooks.state."{key}"]\ntrusted_hash = "sha256:00"\nenabled = true\n')
    put_hooks()
    assert trust_states("codex", "user")["Stop"] == "modified"
    carried_out("install", trust_pieces("codex", "user", Choice()))
    assert trust_states("codex", "user")["Stop"] == "trusted"
    assert "enabled = true" in path.read_text()


def test_the_command_trusts_only_where_it_is_told_to_and_takes_it_back(home: Path) -> None:
    path = home / ".codex" / "config.toml"
    path.write_text("# mine\n")
    assert command("install", "codex").returncode == 0
    assert "trusted_hash" not in path.read_text()
    assert command("install", "codex", "--trust-hooks").returncode == 0
    assert path.read_text().count("trusted_hash") == 4
    assert command("uninstall", "codex").returncode == 0
    assert path.read_text() == "# mine\n"
    assert sorted(file.name for file in path.parent.rglob("*")) == ["config.toml"]


def test_nobody_else_is_told_to_trust() -> None:
    assert command("install", "claude", "--trust-hooks").returncode == 2
