"""The gaps of a hand-written file: what is plain text, what is a header, and what is filled in."""

from __future__ import annotations

import pytest

from ai_bridge.errors import Malformed
from ai_bridge.message import gaps
from ai_bridge.message.message import parse

DATE = "2026-11-22T03:24:05Z"


NO_HEADER = [
    "hello",
    "hello\nFrom: root\n\nx",
    "http://x.y/z",
    "12:30 lunch",
    "two words: x",
    ": x",
    "",
    "---\nID: a",
]


@pytest.mark.parametrize("text", NO_HEADER)
def test_a_first_line_that_is_no_header_is_text(text: str) -> None:
    assert not gaps.begins_like_message(text)


@pytest.mark.parametrize("text", ["Note: x", "ID:a1", "id:a1", "X-Y:\n\nb", "Subject:\r\n\r\nb", "\ufeffID: a1\n\nb"])
def test_a_first_line_that_is_a_header_is_none(text: str) -> None:
    assert gaps.begins_like_message(text)


@pytest.mark.parametrize(
    ("name", "word"),
    [("gemini.txt", "gemini"), ("a b.c.gemini@web.txt", "gemini@web"), (".txt", ""), ("x (1).txt", "x (1)")],
)
def test_the_recipient_is_the_last_word_of_the_name(name: str, word: str) -> None:
    assert gaps.recipient_in(name) == word


@pytest.mark.parametrize(
    ("body", "subject"),
    [
        ("hi\nthere", "hi"),
        ("\n\n  two   words \r\nx", "two words"),
        ("\ufeffmarked", "marked"),
        ("a\x1b[2J\u2028b", "a [2J b"),
        ("\x00\n\t\n", "message"),
        ("x" * 500, "x" * 119 + "…"),
    ],
)
def test_the_subject_is_the_first_line_that_says_anything(body: str, subject: str) -> None:
    assert gaps.subject_of(body, "message") == subject
    made = parse(gaps.filled(gaps.of_plain_text(body, "claude", "gemini", "message"), "a1", DATE))
    assert (made.subject, made.body) == (subject, body)


def test_only_what_is_missing_is_filled_in() -> None:
    found = gaps.of_headers("X-Own: 1\nto: gemini\nsubject: mine\nHops: 3\n\nb\r\n", "claude", "message")
    assert found is not None
    made = parse(gaps.filled(found, "a1", DATE))
    assert made.headers == {
        "ID": "a1",
        "From": "claude",
        "To": "gemini",
        "Subject": "mine",
        "Date": "2026-11-22T03:24:05Z",
        "Completed-By": "router",
        "X-Own": "1",
        "Hops": "3",
    }
    assert made.body == "b\r\n"


def test_a_given_id_gets_no_date_and_what_is_whole_has_no_gap() -> None:
    found = gaps.of_headers("ID: mine\nTo: gemini\n\nfirst\nsecond", "claude", "message")
    assert found is not None
    made = parse(gaps.filled(found, "a1", DATE))
    assert (made.id, made.subject, made.get("Date")) == ("mine", "first", None)
    assert gaps.of_headers("ID: a\nFrom: claude\nTo: x y\nSubject: s\n\nb", "claude", "message") is None


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("To: gemini", "no blank line"),
        ("To: gemini\nhello\n\nb", "header line 2"),
        ("Subject: s\n\nb", "To is missing"),
        ("To: x y\n\nb", "not an address"),
        ("To: gemini\nFrom: ??\n\nb", "not an address"),
    ],
)
def test_what_is_no_message_even_so_is_refused(text: str, sentence: str) -> None:
    with pytest.raises(Malformed, match=sentence):
        _whole(text)


def _whole(text: str) -> bytes:
    found = gaps.of_headers(text, "claude", "message")
    assert found is not None
    return gaps.filled(found, "a1", DATE)


def test_text_that_is_not_utf8_or_says_nothing_is_none() -> None:
    assert [gaps.decoded(raw) for raw in (b"caf\xe9", b"", b" \n", b"x")] == [None, None, None, "x"]
