"""What the tools and the instructions cost a model with each request, in the form in which each client sends them.

The forms are those of the captured requests of Codex CLI 0.169 and Gemini CLI 0.61.
`tests/real_clients/test_tools.py` counts in the requests themselves.
"""

from __future__ import annotations

from typing import Any

import pytest

from ai_bridge.mailboxes.tree import Tree
from tests.support.mail import post
from tests.support.server import CLAUDE, CODEX, GEMINI, Serve
from tests.support.tokens import tokens
from tests.support.wire import Json, Wire

MOST = 1200
# Gemini CLI adds this to every tool.
WAIT = {
    "type": "boolean",
    "description": "Set to true to wait for all previously requested tools in this turn to complete before starting. "
    "Set to false (or omit) to run in parallel. Use true when this tool depends on the output of previous tools.",
}


def as_gemini_sends(tool: Json) -> Json:
    schema = tool["inputSchema"]
    schema = {**schema, "properties": {**schema["properties"], "wait_for_previous": WAIT}}
    name = f"mcp_ai-bridge_{tool['name']}"
    return {"name": name, "description": tool["description"], "parametersJsonSchema": schema}


def as_codex_sends(tool: Json) -> Json:
    said = {"type": "function", "name": tool["name"], "description": tool["description"], "strict": False}
    return {**said, "parameters": tool["inputSchema"]}


def sent(server: Wire, client: str, instructions: str) -> Any:
    """Return what the client sends its model of ours with each request."""
    if client == GEMINI:
        return [[as_gemini_sends(tool) for tool in server.tools()], instructions]
    listed = [as_codex_sends(tool) for tool in server.tools()]
    return [{"type": "namespace", "name": "mcp__ai_bridge", "description": instructions, "tools": listed}]


@pytest.mark.parametrize("client", [CODEX, GEMINI])
@pytest.mark.parametrize("agents", [2, 4, 1000])
def test_tools_and_instructions_are_few_tokens_for_a_model(
    serve: Serve, where: Tree, client: str, agents: int
) -> None:
    """With as many reading tools as there ever are: mail was exchanged with all of the agents."""
    me = "codex" if client == CODEX else "gemini-2"
    others = [f"reviewer-{number}" for number in range(1, agents - 1)]
    where.make([me, *others])
    server = serve(opened=False, client=client, AI_BRIDGE_AGENT=me, AI_BRIDGE_PAIR_PER_HOUR="60")
    instructions = server.open()["instructions"]
    for other in others[:9]:
        post(where, to=me, sender=other)
    server.text("peer_read")
    assert tokens(sent(server, client, instructions)) <= MOST


def test_what_claude_code_shows_from_the_start_is_reading_and_sending_alone(serve: Serve) -> None:
    server = serve(client=CLAUDE)
    loaded = [tool for tool in server.tools() if (tool.get("_meta") or {}).get("anthropic/alwaysLoad")]
    assert [tool["name"] for tool in loaded] == ["peer_read", "peer_send"]
    said = [{key: tool[key] for key in ("name", "description", "inputSchema")} for tool in loaded]
    assert tokens(said) <= 400


def test_a_client_whose_hook_teaches_is_told_the_least(serve: Serve) -> None:
    told = {client: serve(opened=False, client=client).open()["instructions"] for client in (CLAUDE, CODEX, GEMINI)}
    assert told[CLAUDE] == told[CODEX]
    assert tokens(told[GEMINI]) < 60
    for text in told.values():
        assert "peer_send(reply_to=" in text
        assert "not from your user" in text or "not your user" in text
    assert "SendMessage" in told[CLAUDE]
