"""The place where words were found: the right line, at most so long, and every word of the search in it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ai_bridge.history.snippets import Snippet, cut, marked, pattern


def shown(parts: Snippet) -> str:
    """Return a snippet as one text, its words in brackets."""
    return "".join(f"[{text}]" if is_word else text for text, is_word in parts)


@pytest.mark.parametrize(
    ("words", "text", "snippet"),
    [
        ("slow", "The parser is slow.", "The parser is [slow]."),
        ("SLOW parser", "first\n  The Parser is slow.  \nlast", "The [Parser] is [slow]."),
        ("pars*", "sparse\nparsers", "[parsers]"),
        ("pars", "parsers", ""),
        ('"is slow"', "It is\nIt is  slow", "It [is  slow]"),
        ('"is slow"', "It is\nslow", "It [is]"),
        ("a.b", "x a.b y", "x [a.b] y"),
        ("naive", "so naïve", "so [naïve]"),
        ("Straße", "die STRASSE, die straße", "die STRASSE, die [straße]"),
        ("snake", "a snake_case name", "a [snake]_case name"),
        ("*", "anything", ""),
        ("😀", "😀 x", ""),
        ("", "anything", ""),
        ("nothing", "", ""),
    ],
)
def test_the_line_of_the_first_word_is_shown_with_all_words_in_it(words: str, text: str, snippet: str) -> None:
    assert shown(cut(text, pattern(words))) == snippet


def test_a_long_line_is_cut_on_both_sides_of_the_word() -> None:
    text = f"{'a ' * 200}needle{' b' * 200}"
    found = shown(cut(text, pattern("needle")))
    assert found.startswith("…a a")
    assert found.endswith("b b…")
    assert "[needle]" in found
    assert len(found) <= 70 + len("……[]")


def test_a_long_line_is_cut_on_one_side_if_the_word_is_at_the_other() -> None:
    assert shown(cut(f"needle{' b' * 200}", pattern("needle"))).startswith("[needle] b")
    assert shown(cut(f"{'a ' * 200}needle", pattern("needle"))).endswith("a [needle]")


def test_a_word_that_is_longer_than_a_snippet_is_cut() -> None:
    assert shown(cut(f"see {'x' * 200}", pattern("x" * 200))) == f"see [{'x' * 66}]…"


def test_a_subject_is_marked_as_a_whole() -> None:
    assert shown(marked("the slow parser", pattern("parser the"))) == "[the] slow [parser]"
    assert shown(marked("the slow parser", None)) == "the slow parser"


@given(st.text(), st.text())
def test_no_text_and_no_words_are_wrong_and_nothing_is_invented(words: str, text: str) -> None:
    wanted = pattern(words)
    assert "".join(part for part, _ in marked(text, wanted)) == text
    snippet = cut(text, wanted)
    assert "".join(part for part, _ in snippet).strip("…") in text
    assert not snippet or any(is_word for _, is_word in snippet)
