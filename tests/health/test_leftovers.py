"""leftovers: what older programs left is found in each file, and nothing else is."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.health import leftovers
from ai_bridge.health.finding import WRONG
from ai_bridge.install.pieces import former_pieces
from ai_bridge.install.plan import carry_out, planned
from tests.support.project import home_and_project

CLIENTS = [client.name for client in clients.registrable()]


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    made, project = home_and_project(tmp_path)
    monkeypatch.chdir(project)
    return made


@pytest.mark.parametrize("ancestor", ["unified-ai-bridge", "ai-connect"])
@pytest.mark.parametrize(
    ("client", "name"),
    [
        ("claude", ".claude.json"),
        ("claude", "../here/.mcp.json"),
        ("gemini", ".gemini/settings.json"),
        ("codex", ".codex/config.toml"),
    ],
)
def test_the_server_of_an_older_program_is_named_with_its_file(
    home: Path, client: str, name: str, ancestor: str
) -> None:
    path = home / name
    path.parent.mkdir(exist_ok=True)
    is_toml = name.endswith("toml")
    text = f'[mcp_servers.{ancestor}]\ncommand = "x"\n' if is_toml else json.dumps({"mcpServers": {ancestor: {}}})
    path.write_text(text)
    (one,) = leftovers.examine(client)
    assert (one.where, one.level) == ("leftover", WRONG)
    assert ancestor in one.what
    assert path.resolve() == Path(one.fix.removeprefix("$EDITOR ")).resolve()


@pytest.mark.parametrize("client", CLIENTS)
def test_without_leftovers_nothing_is_found(client: str) -> None:
    assert list(leftovers.examine(client)) == []
    assert list(leftovers.around()) == []


@pytest.mark.parametrize("scope", ["user", "project"])
def test_what_an_older_install_wrote_is_named_with_the_command_that_removes_it(scope: str) -> None:
    list(carry_out(planned("install", former_pieces("claude", scope))))
    found = list(leftovers.examine("claude"))
    assert {one.where for one in found} == {"older"}
    assert any("settings.json" in one.what for one in found)
    assert {one.fix for one in found} == {"ai-bridge install claude" + (" --scope project" * (scope == "project"))}


def test_the_service_of_an_older_program_is_named(home: Path) -> None:
    unit = home / ".config/systemd/user/ai-connect-mcp.service"
    unit.parent.mkdir(parents=True)
    unit.write_text("")
    (one,) = leftovers.around()
    assert (one.level, str(unit) in one.what) == (WRONG, True)
    assert one.fix.startswith("systemctl --user disable --now ai-connect-mcp.service; rm ")
