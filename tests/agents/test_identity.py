"""Identity: the option comes first, then the environment, then the connected client; the reason is always given."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.agents.identity import NoIdentity, who
from ai_bridge.clients.record import Client
from ai_bridge.mailboxes.find import user_wide
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import BadAddress


def _found(where: Tree, option: str | None = None, client: str | None = None) -> tuple[str, str]:
    found = who(where, option, client)
    return found.address, found.why


def test_the_option_goes_over_the_environment_and_that_over_the_client(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert _found(where, None, "claude-code") == ("claude", "from the client's name, claude-code")
    monkeypatch.setenv("AI_CONNECT_PEER_NAME", "older")
    assert _found(where, None, "claude-code") == ("older", "from AI_CONNECT_PEER_NAME")
    monkeypatch.setenv("AI_BRIDGE_AGENT", "newer@web")
    assert _found(where, None, "claude-code") == ("newer@web", "from AI_BRIDGE_AGENT")
    assert _found(where, "mine", "claude-code") == ("mine", "given as an option")


def test_an_empty_variable_says_nothing_and_an_empty_option_is_no_address(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_AGENT", "")
    assert _found(where, None, "codex-mcp-client")[0] == "codex"
    with pytest.raises(BadAddress):
        who(where, "", "codex-mcp-client")


@pytest.mark.parametrize("client", [None, "", "123", "世界", "Postmaster", "--"])
def test_where_nothing_tells_it_is_said_how_to_tell(where: Tree, client: str | None) -> None:
    with pytest.raises(NoIdentity, match=r"give --agent ADDRESS or set AI_BRIDGE_AGENT \(known: claude, gemini\)"):
        who(where, None, client)


@pytest.mark.parametrize(
    ("client", "address"),
    [
        ("opencode", "opencode"),
        ("copilot-cli", "copilot"),
        ("github-copilot-developer", "copilot"),
        ("qwen-cli-mcp-client-ai-bridge", "qwen"),
        ("qwen-cli-mcp-client-anything at all", "qwen"),
        ("Visual Studio Code", "visual-studio-code"),
        ("../../etc\n" + "x" * 100_000, "etc-" + "x" * 28),
        ("claude-ai", "claude-ai"),
    ],
)
def test_any_other_client_has_a_name_of_its_own(where: Tree, client: str, address: str) -> None:
    found, why = _found(where, None, client)
    assert found == address
    assert why.startswith("from the client's name, ")
    assert why.isprintable()
    assert len(why) < 120


def test_without_agents_none_is_known_yet(tmp_path: Path) -> None:
    empty = Tree(str(tmp_path / "new"))
    empty.make([])
    with pytest.raises(NoIdentity, match=r"\(known: none yet\)"):
        who(empty)


@pytest.mark.parametrize("text", ["Claude", "a b", "a@b@c", "../x", "x\n"])
def test_what_is_no_address_is_refused_wherever_it_comes_from(
    where: Tree, monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    with pytest.raises(BadAddress):
        who(where, text)
    monkeypatch.setenv("AI_CONNECT_PEER_NAME", text)
    with pytest.raises(BadAddress):
        who(where)


@pytest.mark.parametrize(
    ("folder", "address"),
    [
        ("Web Shop", "claude@web-shop"),
        ("2nd_site", "claude@nd_site"),
        ("shop2", "claude@shop2"),
        ("123", "claude@project"),
    ],
)
def test_in_the_users_own_mailboxes_the_project_is_part_of_the_address(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str, address: str
) -> None:
    shared = Tree(user_wide())
    shared.make(["claude"])
    (tmp_path / folder).mkdir()
    monkeypatch.chdir(tmp_path / folder)
    assert _found(shared, None, "claude-code") == (address, "from the client's name, claude-code")
    assert _found(shared, "claude", "claude-code")[0] == "claude"


def test_any_other_clients_name_has_the_project_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    shared = Tree(user_wide())
    shared.make(["claude"])
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    assert _found(shared, None, "opencode")[0] == "opencode@shop"


@pytest.mark.parametrize("project", ["/home/someone/shop", "/home/someone/shop/"])
def test_the_project_a_client_names_goes_over_the_working_directory(
    monkeypatch: pytest.MonkeyPatch, project: str
) -> None:
    shared = Tree(user_wide())
    shared.make(["claude"])
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", project)
    assert _found(shared, None, "claude-code")[0] == "claude@shop"


@pytest.mark.parametrize("client", clients.registrable(), ids=lambda client: client.name)
def test_in_a_projects_own_mailboxes_the_clients_name_is_enough(where: Tree, client: Client) -> None:
    assert _found(where, None, client.own_name)[0] == client.agent


def test_an_option_may_name_an_agent_of_the_project_without_the_project(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    shared = Tree(user_wide())
    shared.make(["codex@shop", "gemini@web", "claude@shop", "claude"])
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    assert who(shared, "codex").address == "codex@shop"
    assert who(shared, "claude").address == "claude"
    assert who(shared, "gemini").address == "gemini"
