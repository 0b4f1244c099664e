"""listed: the agents with a reading tool in a session's list are few, those it exchanges mail with, and they stay."""

from __future__ import annotations

from itertools import count

import pytest

from ai_bridge.clients import CLAUDE_CODE, CODEX_CLI, GEMINI_CLI
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.server.listed import choose
from tests.support.command import command
from tests.support.mail import post
from tests.support.server import CODEX, Serve
from tests.support.wire import Wire

OTHERS = [f"agent{number}" for number in range(9)]


def chosen(agents: list[str], me: str, *latest: str, listed: tuple[str, ...] = ()) -> list[str]:
    """Return the choice for an agent of Codex CLI that exchanged mail with `latest`, the last first."""
    times = dict(zip(latest, count(100.0, -1.0), strict=False))
    return choose(agents, me, CODEX_CLI, list(listed), lambda: times)


def test_the_agents_of_the_first_two_clients_are_always_there() -> None:
    assert chosen([*OTHERS, "claude", "gemini"], "codex", *OTHERS[:6]) == ["agent0", "agent1", "claude", "gemini"]
    assert chosen([*OTHERS], "codex") == []


def test_nobody_has_a_tool_for_its_own_mail() -> None:
    assert chosen(["codex", "gemini"], "claude") == ["gemini"]
    assert chosen(["claude", "gemini"], "claude-2") == ["claude", "gemini"]


def test_those_of_the_project_come_before_those_of_none() -> None:
    assert chosen(["claude", "claude@web", "gemini"], "codex@web") == ["claude@web", "gemini"]


def test_of_the_others_those_of_the_latest_mail_have_one_and_at_most_four_in_all() -> None:
    assert chosen(OTHERS, "codex", "agent7", "agent2", "agent5") == ["agent2", "agent5", "agent7"]
    assert chosen(OTHERS, "codex", *reversed(OTHERS)) == ["agent5", "agent6", "agent7", "agent8"]


def test_a_list_that_is_out_changes_only_while_there_is_room() -> None:
    listed = ("agent1", "agent2")
    assert chosen(OTHERS, "codex", *OTHERS[5:], listed=listed) == ["agent1", "agent2", "agent5", "agent6"]
    full = tuple(OTHERS[:4])
    assert chosen(OTHERS, "codex", "agent8", listed=full) == list(full)
    assert chosen(OTHERS[1:], "codex", "agent8", listed=full) == ["agent1", "agent2", "agent3", "agent8"]


def test_past_mail_is_looked_at_only_if_there_is_room() -> None:
    def never() -> dict[str, float]:
        raise AssertionError

    assert choose(OTHERS, "codex", CODEX_CLI, OTHERS[:4], never) == OTHERS[:4]
    assert choose(["claude", "gemini"], "codex", CLAUDE_CODE, [], never) == ["claude", "gemini"]


def test_a_client_that_adds_words_to_each_tool_has_fewer() -> None:
    times = dict.fromkeys(OTHERS, 1.0)
    assert len(choose([*OTHERS, "claude"], "gemini", GEMINI_CLI, [], lambda: times)) == 2


@pytest.fixture
def codex(serve: Serve) -> Wire:
    return serve(client=CODEX, AI_BRIDGE_PAIR_PER_HOUR="60")


def reading(server: Wire) -> list[str]:
    return [tool["name"] for tool in server.tools() if tool["name"].startswith("read_")]


@pytest.mark.parametrize("comes", [True, False], ids=["comes", "goes"])
def test_mail_that_comes_or_goes_gives_an_agent_its_tool(codex: Wire, where: Tree, comes: bool) -> None:
    where.make(["reviewer", "codex", "other"])
    assert reading(codex) == ["read_claude_messages", "read_gemini_messages"]
    if comes:
        post(where, "hello", to="codex", sender="reviewer")
        codex.text("peer_read")
    else:
        codex.text("peer_send", to="reviewer", body="hello")
        assert (
            "hello"
            in command(
                "read", "--agent", "reviewer", AI_BRIDGE_MAILBOXES=where.path, AI_BRIDGE_PAIR_PER_HOUR="60"
            ).stdout
        )
    assert reading(codex) == ["read_claude_messages", "read_gemini_messages", "read_reviewer_messages"]


def test_every_agents_tool_can_be_called_whether_it_is_listed_or_not(codex: Wire, where: Tree) -> None:
    where.make(["reviewer", "codex"])
    post(where, "from afar", to="codex", sender="reviewer")
    assert "from afar" in codex.text("read_reviewer_messages")
