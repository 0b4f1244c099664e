"""ended: the mail of a further session that has ended is offered to the sessions of its agent, and to no others."""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.agents.presence import SESSION
from ai_bridge.agents.sessions import ended
from ai_bridge.mailboxes.tree import Tree
from tests.support.presence import session


def ends(where: Tree, *names: str, ago_s: float = 60.0) -> None:
    """Let the sessions of these names have ended some time ago."""
    for name in names:
        then = time.time() - ago_s
        os.utime(where.lock_file(SESSION, name), (then, then))


@pytest.fixture
def two(where: Tree) -> Iterator[Tree]:
    """Mailboxes where claude-2 and claude-3 have ended, and claude lives."""
    with session(where, "claude"):
        with session(where, "claude"), session(where, "claude"):
            pass
        ends(where, "claude-2", "claude-3")
        yield where


def test_a_session_of_the_agent_is_offered_what_has_ended(two: Tree) -> None:
    assert ended.offered_to(two, "claude") == ended.rung_for(two, "claude") == ["claude-2", "claude-3"]


def test_a_further_session_is_offered_the_others_numbers_and_never_the_agents_own(two: Tree) -> None:
    with session(two, "claude") as third:
        assert third == "claude-2"
        assert ended.offered_to(two, "claude-2") == ["claude-3"]
        assert ended.offered_to(two, "claude") == ["claude-3"]


def test_nobody_else_is_offered_anything(two: Tree) -> None:
    for agent in ("gemini", "claude@web", "claud", "codex"):
        assert ended.offered_to(two, agent) == []
    assert ended.nobodys(two, "claude") == []


def test_a_live_session_keeps_its_mail(where: Tree) -> None:
    with session(where, "claude"), session(where, "claude"):
        assert ended.offered_to(where, "claude") == []
        assert not ended.has_ended(where, "claude-2")
    assert ended.has_ended(where, "claude-2")


def test_one_session_of_several_is_rung(two: Tree) -> None:
    with session(two, "claude"), session(two, "claude"), session(two, "claude") as fourth:
        assert fourth == "claude-4"
    ends(two, "claude-2", "claude-3", "claude-4")
    with session(two, "claude") as second:
        assert second == "claude-2"
        assert ended.rung_for(two, "claude") == ["claude-3", "claude-4"]
        assert ended.rung_for(two, "claude-2") == []
        assert ended.offered_to(two, "claude-2") == ["claude-3", "claude-4"]


def test_the_lowest_number_is_rung_if_the_agents_own_session_has_ended_too(where: Tree) -> None:
    with session(where, "claude"), session(where, "claude"), session(where, "claude"), session(where, "claude"):
        pass
    ends(where, "claude-2", "claude-3", "claude-4")
    assert ended.rung_for(where, "claude") == ["claude-2", "claude-3", "claude-4"]  # a shell, while nobody lives
    with session(where, "claude"), session(where, "claude"), session(where, "claude") as third:
        assert third == "claude-3"
        assert ended.rung_for(where, "claude") == ["claude-4"]
        assert ended.rung_for(where, "claude-3") == []


def test_nobody_is_rung_while_the_session_may_be_restarting(two: Tree) -> None:
    ends(two, "claude-2", ago_s=1.0)
    assert ended.rung_for(two, "claude") == ["claude-3"]
    assert ended.offered_to(two, "claude") == ["claude-2", "claude-3"]
    ends(two, "claude-2", ago_s=-5.0)  # the clock went back
    assert ended.rung_for(two, "claude") == ["claude-2", "claude-3"]


def test_another_machine_offers_nothing(two: Tree) -> None:
    cards.put(two, "claude-2", {"home": "laptop-abcd1234"})
    assert ended.offered_to(two, "claude") == ["claude-3"]


def test_a_project_has_its_own(where: Tree) -> None:
    with session(where, "claude@web"), session(where, "claude@web") as second:
        assert second == "claude-2@web"
    assert ended.offered_to(where, "claude@web") == ["claude-2@web"]
    assert ended.offered_to(where, "claude") == ended.offered_to(where, "claude@api") == []


def test_a_lock_that_the_disk_does_not_show_is_not_free(two: Tree) -> None:
    path = Path(two.lock_file(SESSION, "claude-2"))
    path.unlink()
    path.mkdir()
    assert not ended.has_ended(two, "claude-2")
    assert ended.offered_to(two, "claude") == ended.rung_for(two, "claude") == ["claude-3"]
