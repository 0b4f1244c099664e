"""How wide a text is on a terminal, and how it is cut to a width: in columns, not in characters."""

from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_bridge.cli.screen import terminal
from ai_bridge.text import printable

texts = st.text(st.sampled_from("ab →…é世界👍e\u0301"), max_size=40)


@pytest.mark.parametrize(
    ("text", "columns"), [("", 0), ("abc", 3), ("a → b…", 6), ("世界", 4), ("e\u0301", 1), ("👍", 2)]
)
def test_a_wide_character_takes_two_columns_and_a_mark_none(text: str, columns: int) -> None:
    assert terminal.width(text) == columns


@pytest.mark.parametrize(
    ("text", "most", "cut"),
    [
        *[("abcdef", 6, "abcdef"), ("abcdef", 5, "abcd…"), ("abcdef", 1, "…"), ("abcdef", 0, "")],
        *[("世界世界", 8, "世界世界"), ("世界世界", 7, "世界世…"), ("世界世界", 6, "世界…")],
    ],
)
def test_a_text_that_is_too_wide_ends_in_an_ellipsis(text: str, most: int, cut: str) -> None:
    assert terminal.clipped(text, most) == cut


@given(texts, st.integers(0, 50))
def test_no_clipped_text_is_wider_than_its_room(text: str, most: int) -> None:
    assert terminal.width(terminal.clipped(printable(text), most)) <= most


@given(texts, st.integers(4, 50))
def test_no_wrapped_line_is_wider_than_its_room_and_no_word_is_lost(text: str, most: int) -> None:
    lines = terminal.wrapped(printable(text), most)
    assert all(terminal.width(line) <= most for line in lines)
    assert "".join("".join(lines).split()) == "".join(printable(text).split())


def test_a_line_is_cut_between_words_and_keeps_its_indent() -> None:
    assert terminal.wrapped("    one two three", 12) == ["    one two", "three"]
    assert terminal.wrapped("", 12) == [""]


@pytest.mark.parametrize("module", ["cli.commands.wait", "cli.commands.hook", "cli.fast_send", "server.run"])
def test_what_must_be_quick_or_speaks_to_models_knows_nothing_of_a_terminal(module: str) -> None:
    script = (
        f"import sys, ai_bridge.{module}; print([one for one in sys.modules if 'wcwidth' in one or '.screen' in one])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"[]\n"


def test_an_ordinary_text_is_measured_without_the_package_for_wide_ones() -> None:
    script = (
        "import sys; from ai_bridge.cli.screen import terminal\n"
        "terminal.width('a → é'), terminal.clipped('a → é', 3), terminal.wrapped('a → é', 3)\n"
        "print('wcwidth' in sys.modules)\n"
        "terminal.width('世'); print('wcwidth' in sys.modules)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, check=True)
    assert done.stdout == b"False\nTrue\n"


def test_the_width_is_that_of_the_variable_columns(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "33")
    assert terminal.columns() == 33
