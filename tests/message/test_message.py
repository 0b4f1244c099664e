"""Parsing and formatting: byte-exact both ways, and each fault is refused with its own sentence."""

from __future__ import annotations

import contextlib
import subprocess
import sys

import frontmatter
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ai_bridge import errors
from ai_bridge.message import ids
from ai_bridge.message.handler import HANDLER
from ai_bridge.message.headers import BadHeaderLine, ControlCharacter, CrlfHeaders, DuplicateHeader, NoBlankLine
from ai_bridge.message.message import BadHeaderAddress, BadId, Message, MissingHeader, NotUtf8, format_message, parse

HEAD = b"ID: claude-1\nFrom: claude\nTo: gemini\nSubject: s\n"

bodies = st.text(st.characters(exclude_categories=["Cs"]))
values = st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"])).map(lambda text: text.strip(" \t"))


def _message(body: str, subject: str = "s") -> Message:
    return Message({"ID": "claude-1", "From": "claude", "To": "gemini", "Subject": subject}, body)


@given(bodies, values)
@example("", "")
@example("\r\nCRLF\r\n\r\n", "tail")
@example("\n\n\n", "trailing newlines")
@example("---\ntitle: x\n---\n", "---")
@example("a: \x00\x0b\x0c\x85\u2028", "colon: in: value")
@example("x" * 1_000_000, "one megabyte")
def test_what_is_formatted_is_parsed_back_exactly(body: str, subject: str) -> None:
    raw = format_message(_message(body, subject))
    parsed = parse(raw)
    assert (parsed.body, parsed.subject) == (body, subject)
    assert format_message(parsed) == raw


@given(bodies)
def test_the_handler_and_the_plain_formatter_write_the_same_bytes(body: str) -> None:
    made = _message(body)
    post = frontmatter.Post(made.body, HANDLER, **made.headers)
    assert HANDLER.format(post).encode() == format_message(made)
    assert frontmatter.dumps(post, HANDLER).encode() == format_message(made)
    block, content = HANDLER.split(format_message(made).decode())
    assert (HANDLER.load(block), content) == (made.headers, made.body)


def test_parsing_a_message_needs_no_library() -> None:
    script = (
        "import sys\n"
        "from ai_bridge.message import message\n"
        f"message.parse({format_message(_message('body'))!r})\n"
        "print(sorted({'frontmatter', 'yaml', 're'} & set(sys.modules)))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == "[]\n"


def test_the_library_itself_would_not_be_exact() -> None:
    """Why the handler is called directly: were this ever to change, the reason would be gone."""
    raw = (HEAD + b"\n\r\nbody \n\n").decode()
    assert frontmatter.loads(raw, handler=HANDLER).content != "\r\nbody \n\n"
    assert parse(raw.encode()).body == "\r\nbody \n\n"


@given(st.binary())
def test_any_bytes_are_a_message_or_malformed_and_nothing_else(raw: bytes) -> None:
    with contextlib.suppress(errors.Malformed):
        assert parse(format_message(parse(raw)))


@pytest.mark.parametrize(
    ("raw", "refusal", "fact"),
    [
        (HEAD + b"\nbody \xff", NotUtf8, "0xFF at offset 54"),
        (HEAD, NoBlankLine, "blank line"),
        (b"", BadHeaderLine, "line 1"),
        (HEAD + b"no colon\n\nbody", BadHeaderLine, "line 5"),
        (b" ID: x\n" + HEAD + b"\nbody", BadHeaderLine, "line 1"),
        (b"\xef\xbb\xbf" + HEAD + b"\nbody", BadHeaderLine, "line 1"),
        (HEAD + b"From: gemini\n\nbody", DuplicateHeader, "From"),
        (HEAD + b"FROM: gemini\n\nbody", DuplicateHeader, "FROM"),
        (HEAD.replace(b"Subject: s", b"Subject: s\x1b[2J") + b"\nbody", ControlCharacter, "U+001B"),
        (
            HEAD.replace(b"Subject: s", "Subject: s\u2028From: root".encode()) + b"\nx",
            ControlCharacter,
            "U+2028",
        ),
        (
            HEAD.replace(b"Subject: s", "Subject: s\x85From: root".encode()) + b"\nx",
            ControlCharacter,
            "U+0085",
        ),
        (HEAD.replace(b"\n", b"\r\n") + b"X: y\n\nbody", CrlfHeaders, "CR LF"),
        (HEAD.replace(b"ID: claude-1\n", b"") + b"\nbody", MissingHeader, "ID"),
        (HEAD.replace(b"From: claude\n", b"") + b"\nbody", MissingHeader, "From"),
        (HEAD.replace(b"To: gemini\n", b"") + b"\nbody", MissingHeader, "To"),
        (HEAD.replace(b"To: gemini\n", b"To: ,\n") + b"\nbody", MissingHeader, "To"),
        (HEAD.replace(b"Subject: s\n", b"") + b"\nbody", MissingHeader, "Subject"),
        (HEAD.replace(b"claude-1", b"../../etc/passwd") + b"\nbody", BadId, "../../etc/passwd"),
        (HEAD.replace(b"claude-1", b"x" * 129) + b"\nbody", BadId, "128"),
        (HEAD.replace(b"From: claude", b"From: /root") + b"\nbody", BadHeaderAddress, "From"),
        (HEAD.replace(b"To: gemini", b"To: gemini, Bob") + b"\nbody", BadHeaderAddress, "Bob"),
    ],
)
def test_each_fault_has_its_own_sentence(raw: bytes, refusal: type[errors.Malformed], fact: str) -> None:
    with pytest.raises(refusal) as caught:
        parse(raw)
    assert fact in str(caught.value)
    assert "\x1b" not in str(caught.value)


def test_headers_are_found_without_regard_to_case_and_unknown_ones_are_kept() -> None:
    parsed = parse(b"id: a1\nfrom: claude\nTO: gemini\nsubject:no space\nX-Mood:  calm \n\nbody")
    assert (parsed.id, parsed.sender, parsed.recipients, parsed.subject) == ("a1", "claude", ["gemini"], "no space")
    assert parsed.headers["X-Mood"] == "calm"


def test_a_body_of_any_line_ends_survives() -> None:
    for body in ("\r\n", "\n", "", "a\r\nb\n", "\n---\n", "no end"):
        assert parse(HEAD + b"\n" + body.encode()).body == body


@pytest.mark.parametrize(
    ("id_", "stamp"),
    [
        ("claude-20261122-032405-271828-k7", "20261122032405271828"),
        ("claude-20251007-123456", "20251007123456000000"),
        ("my-agent@web-20251007-123456", "20251007123456000000"),
        ("hello-1", ""),
        ("hello", ""),
    ],
)
def test_an_id_tells_its_time_if_it_holds_one(id_: str, stamp: str) -> None:
    assert ids.is_id(id_)
    assert ids.stamp_of(id_) == stamp


@pytest.mark.parametrize("id_", ["", "-x", ".x", "a/b", "a b", "a\n", "ä", "x" * 129])
def test_what_is_no_id_is_refused(id_: str) -> None:
    assert not ids.is_id(id_)
