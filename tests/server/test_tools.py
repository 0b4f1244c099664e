"""What a client is told of the tools: which there are, how they are described, and what a reply is made of."""

from __future__ import annotations

import json

import pytest

from ai_bridge.mailboxes import Mailboxes
from tests.conftest import post
from tests.server.conftest import Connect, Serve
from tests.server.wire import Wire

FIXED = {"peer_read", "peer_send", "peer_wait", "peer_list", "peer_status", "acknowledge_messages"}
CHANGES_NOTHING = {"peer_wait", "peer_list", "peer_status"}
# The rule of thumb for JSON: four characters a token.
CHARACTERS_A_TOKEN = 4
TOKENS = 1500
INSTRUCTION_BYTES = 2048


def reading(names: list[str]) -> list[str]:
    return [name for name in names if name.startswith("read_")]


@pytest.mark.anyio
async def test_a_client_is_told_the_use_and_a_tool_for_each_other_agent_and_the_fixed_ones(
    connect: Connect, era: str, where: Mailboxes
) -> None:
    where.make(["claude@web", "codex"])
    async with connect(era) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        told = client.instructions or ""
    assert reading(names) == ["read_claude_web_messages", "read_codex_messages", "read_gemini_messages"]
    assert set(names) >= FIXED
    assert 0 < len(told.encode()) < INSTRUCTION_BYTES
    for word in ("peer_read", "read_<agent>_messages", "peer_send", "peer_wait", "peer_list", "peer_status"):
        assert word in told


def test_an_agent_that_comes_later_has_its_tool_without_a_restart(claude: Wire, where: Mailboxes) -> None:
    claude.tools()
    where.make(["codex"])
    post(where, "new here", to="claude", sender="codex")
    assert "read_codex_messages" in [tool["name"] for tool in claude.tools()]
    assert "new here" in claude.text("read_codex_messages")


def test_no_two_tools_have_the_same_name_and_all_mail_can_be_read(claude: Wire, where: Mailboxes) -> None:
    where.make(["claude@web", "claude_web"])
    post(where, "from the project", to="claude", sender="claude@web")
    post(where, "from the other", to="claude", sender="claude_web")
    names = [tool["name"] for tool in claude.tools()]
    assert sorted(set(names)) == sorted(names)
    assert "from the project" in claude.text("peer_read", sender="claude@web")
    assert "from the other" in claude.text("peer_read", sender="claude_web")


def test_all_definitions_for_two_agents_fit_in_the_budget_of_tokens(claude: Wire) -> None:
    assert len(json.dumps(claude.tools())) / CHARACTERS_A_TOKEN < TOKENS


def test_every_tool_says_what_it_does_and_whether_it_changes_anything(claude: Wire) -> None:
    for tool in claude.tools():
        hints = tool["annotations"]
        assert tool["description"], tool
        assert hints["readOnlyHint"] is (tool["name"] in CHANGES_NOTHING), tool
        assert hints["readOnlyHint"] or hints["destructiveHint"] is False, tool
        assert tool["inputSchema"]["additionalProperties"] is False, tool


def test_every_tool_the_instructions_name_exists(serve: Serve) -> None:
    server = serve(opened=False)
    told = server.open()["instructions"]
    named = {word.strip(".,:;()") for word in told.replace("(", " ").split()}
    assert {word for word in named if word.startswith(("peer_", "acknowledge_"))} <= {
        tool["name"] for tool in server.tools()
    }


def test_a_reply_is_text_alone_and_never_structured(claude_of_era: Wire, where: Mailboxes) -> None:
    id_ = post(where, "hello", to="claude", sender="gemini")
    server = claude_of_era
    assert not [tool["name"] for tool in server.tools() if "outputSchema" in tool]
    calls = {
        "peer_status": {"id": id_},
        "peer_list": {},
        "peer_wait": {"timeout_s": 0},
        "peer_send": {"to": "gemini", "body": "hello"},
        "peer_read": {"acknowledge": "manual"},
        "acknowledge_messages": {"ids": [id_]},
        "read_gemini_messages": {},
    }
    answers = [server.call(tool, **words) for tool, words in calls.items()]
    answers.append(server.call("peer_send", to="nobody", body="refused"))
    assert [answer.is_error for answer in answers] == [False] * len(calls) + [True]
    for answer in answers:
        assert "structuredContent" not in answer.result
        assert [part["type"] for part in answer.result["content"]] == ["text"]
