"""The whole report: the agents, what surrounds the mailboxes, and one level for both."""

from __future__ import annotations

import pytest

from ai_bridge.health import report
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding
from ai_bridge.health.report import Report
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings


def test_it_has_the_agents_in_order_and_one_object_for_programs_each(where: Tree, settings: Settings) -> None:
    found = report.examine(where, settings, ["gemini", "claude"])
    assert [agent.agent for agent in found.agents] == ["gemini", "claude"]
    objects = found.as_json()
    assert [one["agent"] for one in objects[:2]] == ["gemini", "claude"]
    assert [one["around"] for one in objects[2:-1]] == [one.where for one in found.around]
    assert (found.level, objects[-1]) == (NOTE, {"level": "warning"})  # no router runs


def test_without_agents_it_is_critical(where: Tree, settings: Settings) -> None:
    assert report.examine(where, settings, []).level == WRONG


@pytest.mark.parametrize(("around", "level"), [(OK, OK), (NOTE, NOTE), (WRONG, NOTE)])
def test_surroundings_alone_are_never_critical(where: Tree, settings: Settings, around: int, level: int) -> None:
    agents = report.examine(where, settings, ["claude"]).agents
    agents[0].findings.clear()
    assert Report(agents, [Finding("disk", around, "something")]).level == level
