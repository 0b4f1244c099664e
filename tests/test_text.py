"""Text of strangers, shown to a person: nothing in it acts on the terminal, and languages stay whole."""

from __future__ import annotations

import sys
import unicodedata

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_bridge.text import counted, printable, shorten


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31m", "\\x1b[31m"),
        ("\x00\x07\x7f", "\\x00\\x07\\x7f"),
        ("\x9b\x85", "\\x9b\\x85"),
        ("a\nb\tc\rd", "a\\nb\\tc\\rd"),
        ("\u202e\u2066\u200b\ufeff\u00ad", "\\u202e\\u2066\\u200b\\ufeff\\xad"),
        ("\u2028\u2029", "\\u2028\\u2029"),
        ("\U000e0041", "\\U000e0041"),
        ("\ud800", "\\ud800"),
        ("back\\slash", "back\\slash"),
    ],
)
def test_what_could_act_on_a_terminal_is_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown


@pytest.mark.parametrize("text", ["", "plain", "grüße, мир, 世界", "👩\u200d💻", "a\u00a0b\u3000c", "e\u0301"])
def test_languages_and_emoji_stay_as_they_are(text: str) -> None:
    assert printable(text) == text


def test_what_is_to_be_kept_is_kept() -> None:
    assert printable("a\n\tb\x1b", keep="\n\t") == "a\n\tb\\x1b"


@settings(deadline=None)
@given(st.text(st.characters(codec=None)))
def test_nothing_that_acts_is_ever_left(text: str) -> None:
    shown = printable(text, keep="\n")
    for ch in shown:
        assert ch == "\u200d" or ch == "\n" or unicodedata.category(ch) not in ("Cc", "Cf", "Cs", "Zl", "Zp")


def test_no_single_character_that_acts_is_forgotten() -> None:
    acting = [chr(point) for point in range(sys.maxunicode + 1) if unicodedata.category(chr(point))[0] == "C"]
    left = [ch for ch in acting if printable(ch) == ch]
    assert {unicodedata.category(ch) for ch in left if ch != "\u200d"} <= {"Co", "Cn"}


@pytest.mark.parametrize(("text", "shown"), [("12345", "12345"), ("123456", "1234…"), ("", "")])
def test_what_is_too_long_ends_in_an_ellipsis(text: str, shown: str) -> None:
    assert shorten(text, 5) == shown


def test_a_number_goes_with_its_noun() -> None:
    assert [counted(number, "message") for number in (0, 1, 2)] == ["0 messages", "1 message", "2 messages"]
