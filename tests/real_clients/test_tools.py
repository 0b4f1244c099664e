"""Tools, called by a model through its real client: mail really moves."""

from __future__ import annotations

import pytest

from tests.real_clients.ground import Ground
from tests.real_clients.model import Model
from tests.real_clients.sessions import Claude, Client, Codex, Gemini
from tests.support.tokens import tokens

pytestmark = pytest.mark.clients


def test_a_model_sends_mail(installed: Client, model: Model, ground: Ground) -> None:
    body = "No escaping: $(), \\, \", ' mean nothing here."
    model.plan(installed.call("peer_send", to="postbox", subject="greeting", body=body))
    installed.ask_once("send a greeting")
    (result,) = model.requests[-1].results
    assert "Sent to postbox. ID: " in result
    assert body in ground.bridge("read", "--agent", "postbox")


def test_a_model_reads_its_mail(installed: Client, model: Model, ground: Ground) -> None:
    ground.drop(installed.name, "The build is green.")
    model.plan(installed.call("peer_read"))
    installed.ask_once("read your mail")
    (result,) = model.requests[-1].results
    assert "The build is green." in result
    ground.wait_until_read(installed.name)


MOST_TOKENS = 1200


def test_our_tools_and_instructions_are_few_tokens_in_a_request_of_codex(codex: Codex, model: Model) -> None:
    codex.ask_once("begin")
    ours = [tool for tool in model.requests[0].body["tools"] if tool.get("name") == "mcp__ai_bridge"]
    assert "peer_read()" in ours[0]["description"], "the instructions are there"
    assert 500 < tokens(ours) <= MOST_TOKENS


def test_our_tools_and_instructions_are_few_tokens_in_a_request_of_gemini(gemini: Gemini, model: Model) -> None:
    gemini.ask_once("begin")
    body = model.requests[0].body
    declared = [one for tools in body["tools"] for one in tools["functionDeclarations"]]
    ours = [one for one in declared if one["name"].startswith("mcp_ai-bridge_")]
    said = str(body).partition("[start of server instructions]")[2].partition("[end of server instructions]")[0]
    assert "peer_read()" in said
    assert 500 < tokens(ours) + tokens(said) <= MOST_TOKENS


def test_the_model_of_claude_sees_reading_and_sending_from_the_start(
    claude: Claude, model: Model, ground: Ground
) -> None:
    session = claude.begin()
    ground.wait_until_served()
    first = session.say("begin")
    ours = [tool for tool in first.body["tools"] if "ai-bridge" in tool["name"]]
    assert [tool["name"] for tool in ours] == [claude.tool("peer_read"), claude.tool("peer_send")]
    assert tokens([{key: tool[key] for key in ("name", "description", "input_schema")} for tool in ours]) <= 450
