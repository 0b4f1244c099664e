"""The table of what was seen has a row per test and a column per client, and takes the place of the earlier one."""

from __future__ import annotations

import pytest

from tests.real_clients import table
from tests.real_clients.table import BEGIN, END, Seen


def test_a_test_with_one_client_is_a_cell() -> None:
    seen: Seen = {}
    for node, outcome in (
        ("tests/x.py::test_it_is_woken[claude]", "passed"),
        ("tests/x.py::test_it_is_woken[hold-codex]", "failed"),
        ("tests/x.py::test_without_a_client", "passed"),
        ("tests/x.py::test_of_another[else]", "passed"),
    ):
        table.add(seen, node, outcome, {"after": "0.5 s"} if "claude" in node else {})
    assert seen == {"it is woken": {"claude": "yes, 0.5 s", "codex": "no"}}
    assert [*table.lines(seen)][-1] == "| it is woken | yes, 0.5 s |  | no |\n"


def test_the_rest_of_the_page_stays() -> None:
    page = f"before\n{BEGIN}the earlier table\n{END}after\n"
    made = table.put(page, {"it is woken": {"gemini": "yes"}})
    assert made.startswith(f"before\n{BEGIN}| seen | Claude Code ")
    assert made.endswith(f"| it is woken |  | yes |  |\n{END}after\n")
    assert table.put(made, {"it is woken": {"gemini": "yes"}}) == made
    with pytest.raises(ValueError, match="no place for the table"):
        table.put("no mark\n", {})


def test_the_page_has_a_place_for_it() -> None:
    assert table.put(table.PAGE.read_text(), {})
