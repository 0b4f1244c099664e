"""Whether the reader took the output: asked of the kernel, for pipes and sockets, and never assumed."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ai_bridge.system.pipes import is_taken, unread_bytes

LONG_S, SHORT_S = 60.0, 0.05

Ends = tuple[int, int]


def _pipe() -> Ends:
    return os.pipe()


def _socket() -> Ends:
    ours, theirs = socket.socketpair()
    return theirs.detach(), ours.detach()


@pytest.fixture(params=[_pipe, _socket], ids=["pipe", "socket"])
def ends(request: pytest.FixtureRequest) -> Iterator[Ends]:
    """Two ends: the one the other reads from, and ours, which we write to."""
    make: Callable[[], Ends] = request.param
    theirs, ours = make()
    yield theirs, ours
    for fd in (theirs, ours):
        try:
            os.close(fd)
        except OSError:
            continue


def test_what_lies_there_is_counted_and_what_was_read_is_not(ends: Ends) -> None:
    theirs, ours = ends
    assert unread_bytes(ours) == 0
    os.write(ours, b"twelve bytes")
    assert unread_bytes(ours) > 0
    assert not is_taken(ours, SHORT_S)
    assert os.read(theirs, 100) == b"twelve bytes"
    assert unread_bytes(ours) == 0
    assert is_taken(ours, 0)


def test_it_is_waited_for_until_all_is_read(ends: Ends) -> None:
    theirs, ours = ends
    os.write(ours, b"x" * 4000)
    answers: list[bool] = []
    thread = threading.Thread(target=lambda: answers.append(is_taken(ours, LONG_S)))
    thread.start()
    os.read(theirs, 2000)
    assert unread_bytes(ours) > 0
    assert answers == []
    os.read(theirs, 2000)
    thread.join(LONG_S / 3)
    assert answers == [True]


def test_an_end_that_left_without_reading_has_taken_nothing(ends: Ends) -> None:
    theirs, ours = ends
    os.write(ours, b"twelve bytes")
    os.close(theirs)
    started = time.monotonic()
    assert not is_taken(ours, SHORT_S)
    assert time.monotonic() - started < LONG_S / 3


def test_an_end_that_read_and_left_has_taken_it(ends: Ends) -> None:
    theirs, ours = ends
    os.write(ours, b"twelve bytes")
    os.read(theirs, 100)
    os.close(theirs)
    assert is_taken(ours, 0)


def test_what_a_file_has_is_taken(tmp_path: Path) -> None:
    with (tmp_path / "file").open("wb") as file:
        file.write(b"x")
        file.flush()
        assert is_taken(file.fileno(), 0)


def test_what_a_terminal_has_is_taken() -> None:
    ours, theirs = os.openpty()
    os.write(theirs, b"x")
    assert is_taken(theirs, 0)
    os.close(ours)
    os.close(theirs)


def test_where_the_system_cannot_say_what_the_kernel_has_is_taken(
    ends: Ends, monkeypatch: pytest.MonkeyPatch
) -> None:
    os.write(ends[1], b"x")
    monkeypatch.setattr(sys, "platform", "win32")
    assert is_taken(ends[1], 0)


def test_an_end_that_leaves_a_part_has_not_taken_it_and_is_not_waited_for(ends: Ends) -> None:
    theirs, ours = ends
    os.write(ours, b"twelve bytes")
    os.read(theirs, 6)
    os.close(theirs)
    started = time.monotonic()
    assert not is_taken(ours, LONG_S)
    assert time.monotonic() - started < LONG_S / 3


# --- an input that is given -----------------------------------------------------------------------------

ASK = [sys.executable, "-c", "from ai_bridge.system.pipes import is_given; print(is_given(0))"]
NEEDS_PROC = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="nothing says what the parent has open")


def _answer(words: list[str], stdin: int) -> str:
    done = subprocess.run(words, stdin=stdin, capture_output=True, text=True, timeout=60, check=True)
    return done.stdout.strip()


@NEEDS_PROC
def test_an_input_is_given_if_it_holds_something_and_is_not_the_parents_own() -> None:
    theirs, ours = os.pipe()
    assert _answer(ASK, theirs) == "False"
    os.write(ours, b"x")
    assert _answer(ASK, theirs) == "True"
    assert _answer(["sh", "-c", '"$@"; exit', "sh", *ASK], theirs) == "False"
    os.close(ours)
    assert _answer(ASK, theirs) == "True"
    os.read(theirs, 10)
    assert _answer(ASK, theirs) == "False"
    os.close(theirs)


@NEEDS_PROC
def test_a_file_is_given_as_far_as_it_is_not_read(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    fd = os.open(tmp_path / "file", os.O_RDONLY)
    assert _answer(ASK, fd) == "True"
    os.read(fd, 10)
    assert _answer(ASK, fd) == "False"
    os.close(fd)
    assert _answer(ASK, subprocess.DEVNULL) == "False"
