"""Tables: aligned columns, each line within the terminal's width, and the widest columns narrowed first."""

from __future__ import annotations

import click
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_bridge.cli.screen import tables, terminal
from ai_bridge.cli.screen.tables import Cell

ROWS = [
    ["k7f2", "unread", "claude → gemini", "a subject"],
    ["03gh", "read", "codex → claude", "终 another, longer one"],
]


def table(rows: list[list[str]], most: int, elastic: tuple[int, ...] = (2, 3)) -> list[str]:
    return tables.lines([[Cell(text) for text in row] for row in rows], elastic, most)


def test_columns_are_aligned_and_whole_if_there_is_room() -> None:
    assert table(ROWS, 120) == [
        "k7f2  unread  claude → gemini  a subject",
        "03gh  read    codex → claude   终 another, longer one",
    ]


def test_the_widest_elastic_columns_are_narrowed_and_the_others_stay() -> None:
    assert table(ROWS, 42) == [
        "k7f2  unread  claude → gem…  a subject",
        "03gh  read    codex → clau…  终 another,…",
    ]
    assert table(ROWS, 20) == ["k7f2  unread  c…  a…", "03gh  read    c…  …"]


def test_an_empty_column_takes_no_room() -> None:
    assert table([["a", "", "b"], ["c", "", "d"]], 80) == ["a  b", "c  d"]
    assert table([["a", "", "b"], ["c", "x", "d"]], 80) == ["a     b", "c  x  d"]


def test_there_may_be_no_rows() -> None:
    assert tables.lines([], (0,), 80) == []


def test_a_style_goes_round_the_text_and_not_round_its_blanks() -> None:
    rows = [[Cell("a", bold=True), Cell("b")], [Cell("long"), Cell("", dim=True)]]
    assert tables.lines(rows, (), 80) == ["\x1b[1ma\x1b[0m     b", "long"]


@pytest.mark.parametrize("most", [50, 120])
@given(rows=st.lists(st.lists(st.text("ab →世👍", max_size=60), min_size=4, max_size=4), min_size=1, max_size=5))
def test_no_line_is_wider_than_the_terminal(most: int, rows: list[list[str]]) -> None:
    short = [[row[0][:8].replace("👍", "x").replace("世", "x"), *row[1:]] for row in rows]
    assert all(terminal.width(click.unstyle(line)) <= most for line in table(short, most))
