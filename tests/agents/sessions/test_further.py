"""further: whose further session a name is, as the sessions themselves wrote it down."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.agents.sessions import further
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import number_of, numbered
from tests.support.presence import session


def test_the_names_of_further_sessions_are_known_by_whose_they_are(where: Tree) -> None:
    with session(where, "claude"), session(where, "claude") as second, session(where, "claude") as third:
        assert (second, third) == ("claude-2", "claude-3")
    assert [further.own_of(where, name) for name in ("claude", "claude-2", "claude-3")] == ["", "claude", "claude"]
    assert further.names_of(where, "claude") == ["claude-2", "claude-3"]
    assert further.names_of(where, "claude-2") == []


def test_an_agent_whose_own_name_has_a_number_is_nobodys_further_session(where: Tree) -> None:
    with session(where, "reviewer-2"), session(where, "reviewer"), session(where, "reviewer") as second:
        assert second == "reviewer-3"
    assert further.own_of(where, "reviewer-2") == ""
    assert further.names_of(where, "reviewer") == ["reviewer-3"]


def test_a_name_that_becomes_an_agents_own_is_nobodys_from_then_on(where: Tree) -> None:
    with session(where, "claude"), session(where, "claude"):
        pass
    with session(where, "claude-2"):
        pass
    assert further.own_of(where, "claude-2") == ""


def test_more_than_nine_are_in_the_order_of_their_numbers(where: Tree) -> None:
    for number in (10, 2, 3):
        further.record(where, f"claude-{number}", "claude")
    assert further.names_of(where, "claude") == ["claude-2", "claude-3", "claude-10"]


@pytest.mark.parametrize("content", [b"", b"gemini", b"\xff\xfe", b"claude@web", b"x" * 1000])
def test_a_damaged_note_makes_it_nobodys(where: Tree, content: bytes) -> None:
    further.record(where, "claude-2", "claude")
    Path(where.state_file("named", "claude-2")).write_bytes(content)
    assert further.own_of(where, "claude-2") == ""
    assert further.is_recorded(where, "claude-2")


def test_a_disk_that_takes_no_note_stops_no_session(where: Tree) -> None:
    Path(where.state_directory()).mkdir(parents=True, exist_ok=True)
    Path(where.state_file("named")).write_text("in the way")
    with session(where, "claude"), session(where, "claude") as second:
        assert second == "claude-2"
    assert further.recorded(where) == []


@pytest.mark.parametrize("own", ["claude", "claude@web", "a" * 32, f"{'a' * 32}@web"])
@pytest.mark.parametrize("number", [2, 9, 10, 99])
def test_the_number_of_a_name_is_the_one_that_made_it(own: str, number: int) -> None:
    assert number_of(numbered(own, number), own) == number
    assert number_of(own, own) == 0


@pytest.mark.parametrize(
    "name", ["claude-1", "claude-02", "claude-x", "claude-2@web", "claude", "claude-²", "clau-2"]
)
def test_no_other_name_has_a_number(name: str) -> None:
    assert number_of(name, "claude") == 0
