"""The server's two ends: files, a shell's pipeline, one socket, a terminal; no other output gets in between."""

from __future__ import annotations

import json
import os
import pty
import signal
import subprocess
import sys
import tty
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.locks import Lock
from tests.support.mail import post, states
from tests.support.server import CLAUDE, Ground, Serve, command
from tests.support.shown import NOTHING, bodies, is_being_read
from tests.support.wait import until
from tests.support.wire import PATIENCE_S, Json, Wire, as_lines, hello, result_of

CLIENT = {"name": "claude-code", "version": "1"}
SCRIPT: list[Json] = [
    {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello(CLIENT)},
    {"jsonrpc": "2.0", "method": "notifications/initialized"},
    {"jsonrpc": "2.0", "id": 2, "method": "tools/list", "params": {}},
    {"jsonrpc": "2.0", "id": 3, "method": "tools/call", "params": {"name": "peer_read", "arguments": {}}},
]
# A server whose code, and whose child, write to standard output and read standard input where they should not.
NOISY = """
import os, subprocess
from ai_bridge.server import run, client_session as session
read = session.Session.read
def noisy(*words):
    print("a stray print", flush=True)
    os.write(1, b"a stray write\\n")
    subprocess.run(["sh", "-c", "cat; echo a stray child"], check=True)
    return read(*words)
session.Session.read = noisy
run.main(None, None)
"""
# A server that, at the moment its client's end is closed, opens other pipes until one has the closed one's number.
REUSING = """
import asyncio.unix_events, os
from ai_bridge.server import run
transport = asyncio.unix_events._UnixWritePipeTransport
lost = transport._call_connection_lost
def reuse(self, error):
    number = self._fileno
    lost(self, error)
    while number not in os.pipe():
        pass
transport._call_connection_lost = reuse
run.main(None, None)
"""


def begin(ground: Ground, stdin: int, stdout: int) -> subprocess.Popen[bytes]:
    """Start the server on the given input and output; its standard error is ours."""
    return subprocess.Popen(command(), stdin=stdin, stdout=stdout, env=ground.environment(), cwd=ground.base)


def replies(raw: bytes) -> dict[int, Json]:
    return {line["id"]: line for line in map(json.loads, raw.splitlines()) if "id" in line}


def assert_script_answered(where: Tree, raw: bytes) -> None:
    """Every request of the script has its result, and what that shows is acknowledged."""
    answered = replies(raw)
    assert sorted(answered) == [1, 2, 3]
    assert result_of(answered[2])["tools"]
    assert bodies(result_of(answered[3])["content"][0]["text"]) == ["hello"]
    assert states(where, "gemini").keys() == {READ}


def test_requests_in_a_file_are_answered_into_a_file(
    ground: Ground, where: Tree, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    post(where, "hello", to="claude", sender="gemini")
    asked, answered = tmp_path / "asked", tmp_path / "answered"
    asked.write_bytes(as_lines(*SCRIPT))
    with asked.open("rb") as stdin, answered.open("wb") as stdout:
        processes.append(begin(ground, stdin.fileno(), stdout.fileno()))
    assert processes[0].wait(PATIENCE_S) == 0
    assert_script_answered(where, answered.read_bytes())


def test_requests_from_a_shells_pipe_are_answered_although_it_says_no_more(
    ground: Ground, where: Tree, processes: list[subprocess.Popen[bytes]]
) -> None:
    post(where, "hello", to="claude", sender="gemini")
    process = begin(ground, subprocess.PIPE, subprocess.PIPE)
    processes.append(process)
    raw, _ = process.communicate(as_lines(*SCRIPT), PATIENCE_S)
    assert process.returncode == 0
    assert_script_answered(where, raw)


def test_a_slow_answer_is_waited_for_although_the_client_says_no_more(
    ground: Ground, where: Tree, processes: list[subprocess.Popen[bytes]]
) -> None:
    lock = Lock(where.lock_file("reader", "claude"))
    assert lock.acquire("test")  # the read waits for it longer than any other call takes
    process = begin(ground, subprocess.PIPE, subprocess.PIPE)
    processes.append(process)
    raw, _ = process.communicate(as_lines(*SCRIPT), PATIENCE_S)
    lock.release()
    assert process.returncode == 0
    assert "another session is reading" in result_of(replies(raw)[3])["content"][0]["text"]


def test_requests_from_a_pipe_are_answered_into_a_file(
    ground: Ground, where: Tree, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    post(where, "hello", to="claude", sender="gemini")
    answered = tmp_path / "answered"
    with answered.open("wb") as stdout:
        process = begin(ground, subprocess.PIPE, stdout.fileno())
    processes.append(process)
    assert process.stdin
    process.stdin.write(as_lines(*SCRIPT))
    process.stdin.flush()
    until(lambda: len(replies(answered.read_bytes().rpartition(b"\n")[0])) == len(SCRIPT) - 1)
    process.stdin.close()
    assert process.wait(PATIENCE_S) == 0
    assert_script_answered(where, answered.read_bytes())


# --- a terminal -----------------------------------------------------------------------------------------


@pytest.fixture
def terminal() -> Iterator[tuple[int, int]]:
    """A terminal that passes on what is typed as it is: our end, and the server's."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    yield ours, theirs
    os.close(theirs)


def test_at_a_terminal_mail_is_shown_and_acknowledged(
    ground: Ground, where: Tree, terminal: tuple[int, int], processes: list[subprocess.Popen[bytes]]
) -> None:
    post(where, "hello", to="claude", sender="gemini")
    ours, theirs = terminal
    process = begin(ground, theirs, theirs)
    processes.append(process)
    server = Wire(process, (os.dup(ours), ours), CLAUDE, "legacy", ground.base / "none")
    try:
        server.open()
        assert bodies(server.text("peer_read")) == ["hello"]
        until(lambda: states(where, "gemini").keys() == {READ})
        assert server.text("peer_read") == NOTHING
    finally:
        server.end()


def test_an_interrupt_ends_it_at_a_terminal(
    ground: Ground, terminal: tuple[int, int], processes: list[subprocess.Popen[bytes]]
) -> None:
    ours, theirs = terminal
    with open(ours, "wb", 0) as typed:
        process = begin(ground, theirs, subprocess.PIPE)
        processes.append(process)
        typed.write(as_lines(*SCRIPT[:1]))
        assert process.stdout
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGINT)
        assert process.wait(PATIENCE_S) == 0


# --- nothing gets in between ----------------------------------------------------------------------------


def test_a_pipe_that_gets_the_number_of_the_clients_closed_one_is_not_asked_what_the_client_took(
    serve: Serve, where: Tree
) -> None:
    post(where, "hello", to="claude", sender="gemini")
    server = serve(argv=[sys.executable, "-c", REUSING])
    server.ask_tool("peer_read")
    until(lambda: server.unread_bytes() > 0)
    server.close_out()
    until(lambda: not is_being_read(where))
    assert states(where, "gemini").keys() == {UNREAD}


@pytest.mark.parametrize(
    "line",
    [b"no json", b"\xff\xfe", b"[]", b"{}", b"", b"\0", b"[" * 100_000, b"9" * 100_000, b"x" * (65 << 20)],
    ids=["no json", "not UTF-8", "a list", "an object", "empty", "NUL", "deep", "a long number", "65 MB"],
)
def test_a_line_that_is_no_request_does_not_end_the_session(claude: Wire, line: bytes) -> None:
    claude.write_raw(line + b"\n")
    assert claude.text("peer_status").startswith("You are claude")


def test_a_request_nested_too_deeply_does_not_end_the_session(claude: Wire) -> None:
    deep = json.dumps(claude.line(999, "tools/call", {"name": "peer_list", "arguments": {"x": "DEEP"}}))
    claude.write_raw(deep.replace('"DEEP"', "[" * 5000 + "]" * 5000).encode() + b"\n")
    assert claude.text("peer_status").startswith("You are claude")


def test_stray_output_and_children_do_not_disturb_the_protocol(serve: Serve, where: Tree) -> None:
    post(where, "hello", to="claude", sender="gemini")
    server = serve(argv=[sys.executable, "-c", NOISY])
    request = server.ask_tool("peer_read")
    later = server.ask_tool("peer_status")  # what a child could have eaten
    assert bodies(server.answer(request).text) == ["hello"]
    assert server.answer(later).text.startswith("You are claude")
    assert server.said().split("\n") == ["a stray print", "a stray write", "a stray child", ""]
    server.close_in()
    assert server.ended() == 0
