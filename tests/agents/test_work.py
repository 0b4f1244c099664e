"""A session says in one line what it works on, and the others see it; the line can do nothing else."""

from __future__ import annotations

import pytest

from ai_bridge.agents import cards
from ai_bridge.agents.cards import Card
from ai_bridge.agents.work import FIELD, set_work, work_of
from ai_bridge.machines.homes import LivesElsewhere
from ai_bridge.mailboxes.tree import Tree
from tests.support.machine import On


@pytest.mark.parametrize(
    ("work", "line"),
    [
        ("the API: v2", "the API: v2"),
        ("  two\nlines\r\n\tand\x1b[31m colour ", "two lines and [31m colour"),
        ("a\u202eb\u2028c\x00", "a b c"),
        ("x" * 500, "x" * 119 + "…"),
        ("🙂 ünï", "🙂 ünï"),
    ],
)
def test_it_is_one_clean_short_line(where: Tree, work: str, line: str) -> None:
    assert set_work(where, "claude", work) == line
    assert work_of(cards.load(where, "claude")) == line


def test_an_empty_line_takes_it_away_and_leaves_the_rest_of_the_card(where: Tree) -> None:
    cards.change(where, "claude", {"description": "reviews", FIELD: "x"})
    assert set_work(where, "claude", " \n ") == ""
    assert cards.load(where, "claude").fields == {"name": "claude", "description": "reviews"}


def test_only_the_home_of_an_agent_says_what_it_works_on(where: Tree, on: On) -> None:
    on("laptop")
    cards.introduce(where, "claude")
    on("server")
    with pytest.raises(LivesElsewhere):
        set_work(where, "claude", "x")


def test_a_line_that_a_hand_wrote_is_shown_safely() -> None:
    assert work_of(Card("claude", {FIELD: "a\u202eb" + "x" * 200})) == "a\\u202eb" + "x" * 111 + "…"
