"""away: what a sender is told of a recipient whose session has ended, or that nobody saw for a day."""

from __future__ import annotations

import time

import pytest

from ai_bridge.agents.sessions import away
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import times
from tests.agents.sessions.test_ended import ends
from tests.support.presence import session, tell

DAY_S = 86_400.0


def test_an_agent_that_was_seen_today_or_never_is_not_away(where: Tree) -> None:
    assert away.note(where, "gemini", DAY_S) == ""
    with session(where, "gemini"):
        pass
    ends(where, "gemini", ago_s=DAY_S - 60)
    assert away.note(where, "gemini", DAY_S) == ""


def test_an_agent_that_nobody_saw_for_days_is_away(where: Tree) -> None:
    with session(where, "gemini"):
        pass
    ends(where, "gemini", ago_s=3 * DAY_S)
    assert away.note(where, "gemini", DAY_S) == "gemini was last seen 3 d ago."
    with session(where, "gemini"):
        ends(where, "gemini", ago_s=3 * DAY_S)  # it lives, and made no call for days
        assert away.note(where, "gemini", DAY_S) == ""


def test_a_further_session_that_has_ended_is_named_with_who_gets_its_mail(where: Tree) -> None:
    with session(where, "claude"), session(where, "claude"):
        assert away.note(where, "claude-2", DAY_S) == ""
    said = "claude-2's session has ended; the next session of claude is offered it."
    assert away.note(where, "claude-2", DAY_S) == said
    assert away.note(where, "claude-2", DAY_S, ["gemini", "claude-2"]) == said
    assert away.note(where, "claude-2", DAY_S, ["claude", "claude-2"]) == ""  # it has a copy of its own


@pytest.mark.parametrize(("ago_s", "said"), [(60.0, ""), (2 * DAY_S + 60, "gemini was last seen 2 d ago.")])
def test_an_agent_of_another_machine_counts_by_its_page(where: Tree, ago_s: float, said: str) -> None:
    tell(where, age_s=120, seen={"gemini": times.format_utc(time.time() - ago_s)})
    assert away.note(where, "gemini", DAY_S) == said
