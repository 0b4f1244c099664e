"""Standard error that takes nothing: no command fails because of it, and each keeps its usual exit code."""

from __future__ import annotations

import os
import subprocess

import pytest

from ai_bridge.health.mail import router_of
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import Tree
from tests.support.command import BY_ENTRY, without_output
from tests.support.mail import post, states
from tests.support.wait import until

ERRORS = {"closed": "2>&-", "full": "2>/dev/full"}
HOOK = b'{"hook_event_name": "BeforeAgent"}'
# What is run, what it is given, and the exit code it has where standard error is in order.
COMMANDS: dict[str, tuple[list[str], bytes, int]] = {
    "a refused read": (["read", "--agent", "nobody"], b"", 1),
    "a refused send": (["send", "nobody", "--from", "claude"], b"x", 1),
    "a refused hook": (["hook", "gemini"], b"no JSON", 1),
    "a hook": (["hook", "gemini"], HOOK, 0),
    "a server": (["mcp", "--agent", "claude"], b"no JSON\n", 0),
    "an unknown command": (["raed"], b"", 2),
    "a send without its recipient": (["send"], b"", 2),
    "a send that tells of its receipts": (["send", "gemini", "--from", "claude", "--wait-read", "0"], b"x", 3),
    "a status of nobody": (["status"], b"", 0),
    "an operator's health": (["health"], b"", 1),
    "a pass": (["router", "--once"], b"", 0),
}


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def _run(errors: str, *words: str, body: bytes = b"") -> subprocess.CompletedProcess[bytes]:
    line = ["sh", "-c", f'"$@" {ERRORS[errors]}', "sh", *BY_ENTRY, *words]
    return subprocess.run(line, input=body, capture_output=True, timeout=60, check=False)


@pytest.mark.parametrize("errors", ERRORS)
@pytest.mark.parametrize("case", COMMANDS)
def test_the_exit_code_is_what_it_is_otherwise(where: Tree, errors: str, case: str) -> None:
    words, body, code = COMMANDS[case]
    done = _run(errors, *words, body=body)
    assert (done.returncode, done.stderr) == (code, b"")
    assert b"rror" not in done.stdout


@pytest.mark.parametrize("errors", ERRORS)
def test_a_router_goes_on_and_moves_the_mail(
    where: Tree, errors: str, processes: list[subprocess.Popen[bytes]]
) -> None:
    processes.append(subprocess.Popen(["sh", "-c", f'exec "$@" {ERRORS[errors]}', "sh", *BY_ENTRY, "router"]))
    until(lambda: (found := router_of(where, "gemini")) is not None and found.ready)
    for body in ("one", "two"):
        id_ = post(where, body)
        until(lambda id_=id_: f"{id_}.gemini.txt" in states(where, "claude").get(UNREAD, []))


def test_a_routers_line_that_is_not_taken_leaves_no_trace(
    where: Tree, processes: list[subprocess.Popen[bytes]]
) -> None:
    """A pipe that is full for a while takes nothing, and then something again."""
    ours, theirs = os.pipe()
    os.set_blocking(theirs, False)
    os.set_blocking(ours, False)
    filled = _fill(theirs)
    router = subprocess.Popen([*BY_ENTRY, "router"], stderr=theirs)
    processes.append(router)
    until(lambda: (found := router_of(where, "gemini")) is not None and found.ready)
    assert len(os.read(ours, filled)) == filled
    id_ = post(where)
    until(lambda: UNREAD in states(where, "claude"))
    router.terminate()
    router.wait(60)
    os.close(theirs)
    said = os.read(ours, 65536).decode()
    os.close(ours)
    assert f"INFO deliver claude/{id_}.gemini.txt\n" in said
    assert "Logging error" not in said
    assert "Traceback" not in said


def _fill(fd: int) -> int:
    written = 0
    while True:
        try:
            written += os.write(fd, b"." * 65536)
        except BlockingIOError:
            return written


def test_a_log_on_a_full_disk_costs_its_lines_and_nothing_else(where: Tree) -> None:
    id_ = post(where)
    done = subprocess.run(
        [*BY_ENTRY, "router", "--once", "--log", "/dev/full"], capture_output=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert states(where, "claude") == {UNREAD: [f"{id_}.gemini.txt"]}


@pytest.mark.parametrize("words", [("--help",), ("--version",), ("read", "--help")])
def test_help_on_a_full_disk_is_refused_in_one_sentence(words: tuple[str, ...]) -> None:
    done = without_output("full", *words)
    assert (done.returncode, done.stderr) == (
        1,
        "error: standard output: the disk is full; free some space and try again\n",
    )
