"""The whole report: the agents, what surrounds the mailboxes, and one level for both."""

from __future__ import annotations

import pytest

from ai_bridge.health import report
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding
from ai_bridge.health.report import Report
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock


def test_it_has_the_agents_in_order_and_one_object_for_programs_each(where: Tree, settings: Settings) -> None:
    found = report.examine(where, settings, ["gemini", "claude"])
    assert [agent.agent for agent in found.agents] == ["gemini", "claude"]
    objects = found.as_json()
    assert [one["agent"] for one in objects[:2]] == ["gemini", "claude"]
    assert [one["around"] for one in objects[2:-1]] == [one.where for one in found.around] == ["router"]
    assert (found.level, objects[-1]) == (NOTE, {"level": "warning"})  # no router runs


def test_without_agents_it_is_critical(where: Tree, settings: Settings) -> None:
    assert report.examine(where, settings, []).level == WRONG


def test_a_missing_router_is_told_once_with_the_command_that_starts_one(where: Tree, settings: Settings) -> None:
    where.make(["codex", "qwen"])
    (finding,) = report.examine(where, settings, where.agents()).around
    assert (finding.level, finding.fix) == (NOTE, "ai-bridge start")
    assert finding.what.startswith("no router runs: mail is delivered when its recipient reads or waits; ")
    with Lock(where.lock_file("router", "codex")) as lock:
        assert lock.acquire("router", "codex")
        (finding,) = report.examine(where, settings, where.agents()).around
        assert finding.what.startswith("no router runs for claude, gemini, qwen: ")
        assert report.examine(where, settings, ["codex"]).around == []


def test_a_disk_that_takes_nothing_is_critical(where: Tree, settings: Settings) -> None:
    assert Report(report.examine(where, settings, ["claude"]).agents, [Finding("storage", WRONG, "x")]).level == WRONG


@pytest.mark.parametrize(("around", "level"), [(OK, OK), (NOTE, NOTE), (WRONG, NOTE)])
def test_surroundings_alone_are_never_critical(where: Tree, settings: Settings, around: int, level: int) -> None:
    agents = report.examine(where, settings, ["claude"]).agents
    agents[0].findings.clear()
    assert Report(agents, [Finding("disk", around, "something")]).level == level
