"""A session and agents that were removed: their tools go, and a session that begins retires unused names."""

from __future__ import annotations

from ai_bridge.agents import retirement
from ai_bridge.agents.retired import retired_since
from ai_bridge.mailboxes.tree import Tree
from tests.agents.test_retirement import WEEK_S, away_for, take_two
from tests.support.server import CLAUDE, Serve


def test_its_tool_goes_and_comes_back(serve: Serve, where: Tree) -> None:
    server = serve(client=CLAUDE)
    server.text("peer_status")

    def tools() -> set[str]:
        return {tool["name"] for tool in server.request("tools/list", {})["tools"]}

    assert "read_gemini_messages" in tools()
    retirement.retire(where, "gemini")
    assert "read_gemini_messages" not in tools()
    retirement.bring_back(where, "gemini")
    assert "read_gemini_messages" in tools()


def test_a_session_that_begins_retires_the_names_of_others(serve: Serve, where: Tree) -> None:
    take_two(where)
    away_for(where, "claude-2", WEEK_S + 60)
    serve(client=CLAUDE).text("peer_status")
    assert retired_since(where, "claude-2")


def test_a_session_of_a_removed_agent_is_told_who_brings_it_back(serve: Serve, where: Tree) -> None:
    retirement.retire(where, "claude")
    said = serve(client=CLAUDE).refusal("peer_read")
    assert "claude was removed: tell your user that `ai-bridge init claude` brings it back" in said
