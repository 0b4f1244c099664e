"""A group by every way to send: the same recipients, the same refusals, and never out of the project."""

from __future__ import annotations

import pytest

from ai_bridge.agents import cards, retirement
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes.outbox import MALFORMED
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.contract.ways import WAYS_IN, Refused, WayIn
from tests.support.mail import states


@pytest.fixture(params=WAYS_IN)
def way(request: pytest.FixtureRequest) -> WayIn:
    return WAYS_IN[request.param]


@pytest.fixture
def team(where: Tree) -> Tree:
    """Mailboxes with a group in each of two projects, and one among those without a project."""
    where.make(["codex", "mini", "other", "claude@web", "codex@web", "mini@web", "codex@api"])
    for agent in ("codex", "mini", "claude", "codex@web", "claude@web", "codex@api"):
        cards.change(where, agent, {"groups": "review, backend"})
    cards.change(where, "other", {"groups": "front"})
    return where


def _arrived(where: Tree, settings: Settings, sender: str) -> dict[str, list[str]]:
    found = {
        agent: [one.load().body for one in fetch(where, agent, settings) if one.sender == sender]
        for agent in where.agents()
    }
    return {agent: bodies for agent, bodies in found.items() if bodies}


def test_each_member_but_the_sender_gets_one(way: WayIn, team: Tree, settings: Settings) -> None:
    way.send(team, "#backend", "to the group")
    assert _arrived(team, settings, "claude") == {"codex": ["to the group"], "mini": ["to the group"]}


def test_a_group_and_agents_are_one_list(way: WayIn, team: Tree, settings: Settings) -> None:
    way.send(team, "gemini, #backend, codex", "x")
    assert list(_arrived(team, settings, "claude")) == ["codex", "gemini", "mini"]


def test_it_stays_in_the_project(way: WayIn, team: Tree, settings: Settings) -> None:
    way.send(team, "#backend", "x", sender="claude@web")
    assert list(_arrived(team, settings, "claude@web")) == ["codex@web"]


def test_a_removed_agent_is_left_out(way: WayIn, team: Tree, settings: Settings) -> None:
    retirement.retire(team, "mini")
    way.send(team, "#backend", "x")
    assert list(_arrived(team, settings, "claude")) == ["codex"]


@pytest.mark.parametrize("group", ["#backnd", "#", "#Backend"])
def test_an_unknown_group_is_refused(way: WayIn, team: Tree, group: str) -> None:
    with pytest.raises(
        Refused, match=r"nobody else in the project of claude is in the group|not an address"
    ) as refusal:
        way.send(team, group, "x")
    if group == "#backnd":
        assert "#backend" in str(refusal.value)
    assert set(states(team, "claude")) <= {MALFORMED}


def test_a_group_of_the_sender_alone_is_refused_with_the_groups_there_are(way: WayIn, team: Tree) -> None:
    with pytest.raises(Refused, match=r"is in the group #front.*: groups here are .*#backend"):
        way.send(team, "#front", "x", sender="other")


@pytest.mark.parametrize("name", ["cli", "mcp"])
def test_a_member_that_refuses_is_skipped_unless_it_is_named(team: Tree, settings: Settings, name: str) -> None:
    way = WAYS_IN[name]
    cards.change(team, "mini", {"refuse": "claude"})
    way.send(team, "#backend", "x")
    assert list(_arrived(team, settings, "claude")) == ["codex"]
    with pytest.raises(Refused, match="mini takes no mail from claude"):
        way.send(team, "#backend, mini", "x")
    cards.change(team, "codex", {"refuse": "claude"})
    with pytest.raises(Refused, match="takes no mail from claude"):
        way.send(team, "#backend", "x")
