"""The tools that a client lists: their names, their descriptions, and the form of a reply."""

from __future__ import annotations

import pytest

from ai_bridge.mailboxes.tree import Tree
from tests.support.mail import post
from tests.support.server import CODEX, Connect, Serve
from tests.support.wire import Wire

CHANGES_NOTHING = {"peer_wait", "peer_list", "peer_history"}
FIXED = {
    "peer_read",
    "peer_send",
    "peer_context",
    "peer_status",
    "acknowledge_messages",
} | CHANGES_NOTHING
INSTRUCTION_BYTES = 1024


def reading(names: list[str]) -> list[str]:
    return [name for name in names if name.startswith("read_")]


@pytest.mark.anyio
async def test_a_client_is_told_the_use_and_a_tool_for_each_other_agent_and_the_fixed_ones(
    connect: Connect, era: str, where: Tree
) -> None:
    where.make(["claude@web", "codex"])
    async with connect(era) as client:
        names = [tool.name for tool in (await client.list_tools()).tools]
        told = client.instructions or ""
    assert reading(names) == ["read_gemini_messages"]
    assert {*names} - {*reading(names)} == FIXED, "check_mail is for hooks, which need no list"
    assert 0 < len(told.encode()) < INSTRUCTION_BYTES
    for word in ("peer_read", "read_<agent>_messages", "peer_send", "peer_wait", "peer_list", "peer_history"):
        assert word in told


def test_an_agent_that_comes_later_has_its_tool_without_a_restart(serve: Serve, where: Tree) -> None:
    codex = serve(client=CODEX, AI_BRIDGE_PAIR_PER_HOUR="60")
    where.make(["codex"])
    assert "read_newcomer_messages" not in [tool["name"] for tool in codex.tools()]
    where.make(["newcomer"])
    post(where, "new here", to="codex", sender="newcomer")
    assert "new here" in codex.text("read_newcomer_messages")
    assert "read_newcomer_messages" in [tool["name"] for tool in codex.tools()]


def test_no_two_tools_have_the_same_name_and_all_mail_can_be_read(claude: Wire, where: Tree) -> None:
    where.make(["claude@web", "claude_web"])
    post(where, "from the project", to="claude", sender="claude@web")
    post(where, "from the other", to="claude", sender="claude_web")
    names = [tool["name"] for tool in claude.tools()]
    assert sorted(set(names)) == sorted(names)
    assert "from the project" in claude.text("peer_read", sender="claude@web")
    assert "from the other" in claude.text("peer_read", sender="claude_web")


def test_of_very_many_agents_those_not_listed_can_be_read_all_the_same(claude: Wire, where: Tree) -> None:
    agents = [f"agent{number:02}" for number in range(30)]
    where.make([*agents, "aaa@web"])
    assert reading([tool["name"] for tool in claude.tools()]) == ["read_gemini_messages"]
    post(where, "from the last", to="claude", sender="agent29")
    assert "from the last" in claude.text("read_agent29_messages")


def test_every_tool_says_what_it_does_and_whether_it_changes_anything(claude: Wire) -> None:
    for tool in claude.tools():
        hints = tool["annotations"]
        assert tool["description"], tool
        assert hints.get("readOnlyHint", False) is (tool["name"] in CHANGES_NOTHING), tool
        assert hints.get("readOnlyHint") or hints["destructiveHint"] is False, tool


def test_an_argument_that_no_tool_has_is_refused_in_words(claude: Wire) -> None:
    for tool in ("peer_read", "peer_list", "read_gemini_messages"):
        assert "nonsense" in claude.refusal(tool, nonsense=1)


def test_an_argument_that_a_list_leaves_out_is_taken_all_the_same(gemini: Wire, where: Tree) -> None:
    post(where, "hello", to="gemini", sender="claude")
    listed = {tool["name"]: tool["inputSchema"]["properties"] for tool in gemini.tools()}
    assert not {"acknowledge", "max_chars"} & {*listed["peer_read"], *listed["read_claude_messages"]}
    for tool in ("peer_read", "read_claude_messages"):
        assert "hello" in gemini.text(tool, acknowledge="manual", max_chars=5000, limit=1)


def test_every_tool_the_instructions_name_exists(serve: Serve) -> None:
    server = serve(opened=False)
    told = server.open()["instructions"]
    named = {word.strip(".,:;()") for word in told.replace("(", " ").split()}
    assert {word for word in named if word.startswith(("peer_", "acknowledge_"))} <= {
        tool["name"] for tool in server.tools()
    }


def test_a_reply_is_text_alone_and_never_structured(claude_of_era: Wire, where: Tree) -> None:
    id_ = post(where, "hello", to="claude", sender="gemini")
    server = claude_of_era
    assert not [tool["name"] for tool in server.tools() if "outputSchema" in tool]
    calls = {
        "peer_status": {"id": id_},
        "peer_list": {},
        "peer_history": {},
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
        assert {part["type"] for part in answer.result["content"]} == {"text"}
