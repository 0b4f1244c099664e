"""The identity of a session: by option, environment or client name, decided at its first use and not before."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.server.uses import EVERY_USE, everything
from tests.support.mail import post, route, states
from tests.support.server import CLAUDE, CODEX, GEMINI, Ground, Serve
from tests.support.wire import Wire


def agent_of(server: Wire) -> str:
    return server.text("peer_status").split()[2]


# --- by what ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("client", "agent"), [(CLAUDE, "claude"), (GEMINI, "gemini"), (CODEX, "codex")])
def test_the_clients_name_tells_who_it_is(ground: Ground, era: str, client: str, agent: str) -> None:
    assert agent_of(ground.shared(client, era)) == agent


def test_the_environment_wins_over_the_clients_name(serve: Serve) -> None:
    assert agent_of(serve(AI_BRIDGE_AGENT="gemini", AI_CONNECT_PEER_NAME="codex")) == "gemini"


def test_the_older_variable_is_honoured_too(serve: Serve) -> None:
    assert agent_of(serve(AI_CONNECT_PEER_NAME="gemini")) == "gemini"


def test_the_option_wins_over_all(serve: Serve) -> None:
    server = serve("--agent", "claude@web", AI_BRIDGE_AGENT="gemini", AI_CONNECT_PEER_NAME="codex")
    assert agent_of(server) == "claude@web"
    assert "read_gemini_messages" in [tool["name"] for tool in server.tools()]


def test_without_mailboxes_near_a_client_is_its_project_in_the_users_own(serve: Serve, tmp_path: Path) -> None:
    data, project = tmp_path / "data", tmp_path / "My Project"
    project.mkdir()
    server = serve(cwd=project, XDG_DATA_HOME=str(data), AI_BRIDGE_MAILBOXES="")
    server.tools()
    assert not data.exists()
    assert agent_of(server) == "claude@my-project"
    assert (data / "ai-bridge" / "mailboxes" / "claude@my-project-outbox").is_dir()


# --- nobody known -------------------------------------------------------------------------------------------


def test_a_client_whose_name_is_no_address_is_told_at_every_use_how_to_say_who_it_is(
    ground: Ground, era: str, where: Tree
) -> None:
    post(where, "hello", to="claude", sender="gemini")
    before = everything(where.path)
    server = ground.shared("2026", era)
    for tool, words in EVERY_USE.items():
        refusal = server.refusal(tool, **words)
        assert refusal.startswith("error: it is not known which agent you are"), tool
        assert "AI_BRIDGE_AGENT" in refusal
    assert everything(where.path) == before


def test_a_client_nothing_is_known_of_has_its_own_name_at_every_use(serve: Serve, era: str, where: Tree) -> None:
    id_ = post(where, "hello", to="gemini", sender="claude")
    server = serve(client="MCP Inspector", era=era)
    for tool, words in EVERY_USE.items():
        said = server.call(tool, **words)
        assert "it is not known which agent you are" not in said.text, tool
    assert agent_of(server) == "mcp-inspector"
    sent = server.text("peer_send", to="gemini", body="and mine", reply_to=id_)
    assert sent.startswith("Sent to gemini. ID: mcp-inspector-")


@pytest.mark.parametrize("name", ["postmaster", "No Address"])
def test_a_name_nobody_may_have_is_refused_and_makes_nothing(serve: Serve, where: Tree, name: str) -> None:
    before = everything(where.path)
    server = serve(AI_BRIDGE_AGENT=name)
    assert server.tools()
    assert server.refusal("peer_status").startswith("error: ")
    assert everything(where.path) == before


# --- at first use -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tool", ["peer_read", "peer_list", "peer_status", "peer_wait", "peer_send"])
def test_a_new_agents_outbox_is_made_at_its_first_use(ground: Ground, where: Tree, tool: str) -> None:
    codex = ground.shared(CODEX)
    codex.tools()
    assert where.agents() == ["claude", "gemini"]
    codex.text(tool, **EVERY_USE[tool])
    assert where.agents() == ["claude", "codex", "gemini"]


@pytest.mark.parametrize("client", [CLAUDE, CODEX, "inspector"])
def test_starting_and_listing_tools_changes_nothing_on_the_disk(
    serve: Serve, ground: Ground, where: Tree, settings: Settings, client: str
) -> None:
    post(where, "delivered", to="claude", sender="gemini")
    route(where, settings)
    post(where, "dropped", to="claude", sender="gemini")
    before = everything(where.path, str(ground.state), str(ground.home))
    for era in ("legacy", "modern"):
        server = serve(client=client, era=era)
        assert server.tools()
        assert server.leave() == 0
    assert everything(where.path, str(ground.state), str(ground.home)) == before
    assert [*states(where, "gemini")] == ["dropped", "unread"]
