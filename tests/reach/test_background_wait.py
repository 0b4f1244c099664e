"""`wait --new`: in a session's background it ends once there is news for the session, with one line."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge.agents import session_keys
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import acknowledge
from ai_bridge.reach.pace import pace_of
from ai_bridge.reach.rings import Rings
from ai_bridge.settings import Settings
from tests.support.command import command, without_output
from tests.support.mail import post, states
from tests.support.wait import until, waiting_bytes

WORDS = ("wait", "--new", "--agent", "gemini")


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    monkeypatch.setenv("CLAUDE_CODE_SESSION_ID", "session-1")
    monkeypatch.setenv("AI_BRIDGE_RING_AFTER_S", "3600")  # however slow the machine is, no ring is repeated


def begin(processes: list[subprocess.Popen[bytes]], *words: str, **variables: str) -> subprocess.Popen[bytes]:
    """Start a wait in the background of the session."""
    line = [sys.executable, "-m", "ai_bridge", *WORDS, *words]
    processes.append(subprocess.Popen(line, stdout=subprocess.PIPE, env={**os.environ, **variables}))
    return processes[-1]


def told_by(process: subprocess.Popen[bytes]) -> str:
    """Return what a wait printed, once it has ended well."""
    told = process.communicate(timeout=30)[0].decode()
    assert process.returncode == 0
    return told


def test_what_is_unread_is_told_in_one_line_and_stays_unread(where: Tree) -> None:
    post(where)
    post(where)
    done = command(*WORDS)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.count("\n") == 1
    assert "2 new messages for gemini, from claude" in done.stdout
    assert [*states(where, "claude")] == [UNREAD]


def test_it_waits_for_what_comes_and_the_next_one_for_the_next(
    where: Tree, processes: list[subprocess.Popen[bytes]]
) -> None:
    for _ in range(2):
        process = begin(processes)
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.5)
        id_ = post(where)
        assert "1 new message for gemini" in told_by(process)
        acknowledge(where, "gemini", [id_])


def test_what_was_told_is_not_told_again_but_to_another_session(where: Tree) -> None:
    post(where)
    assert command(*WORDS).returncode == 0
    again = command(*WORDS, "--timeout", "0")
    assert (again.returncode, again.stdout, again.stderr) == (3, "", "")
    assert command(*WORDS, CLAUDE_CODE_SESSION_ID="session-2").returncode == 0


def test_with_nothing_new_it_ends_after_its_time(where: Tree) -> None:
    done = command(*WORDS, "--timeout", "0.1")
    assert (done.returncode, done.stdout, done.stderr) == (3, "", "")


def test_what_a_hook_told_meanwhile_does_not_end_it(
    where: Tree, settings: Settings, processes: list[subprocess.Popen[bytes]]
) -> None:
    told = Rings(where, "gemini", session_keys.session_key("claude-code"), pace_of(settings))
    process = begin(processes, AI_BRIDGE_SWEEP_S="0.05")
    post(where)
    claim = told.begin_ring(lambda: fetch(where, "gemini", settings))
    while claim is None:  # the wait was first: it is asked again
        assert "1 new message" in told_by(process)
        acknowledge(where, "gemini", [one.id for one in fetch(where, "gemini", settings)])
        process = begin(processes, AI_BRIDGE_SWEEP_S="0.05")
        post(where)
        claim = told.begin_ring(lambda: fetch(where, "gemini", settings))
    claim.finish(told=True)
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(1)
    acknowledge(where, "gemini", [one.id for one in claim.news])
    last = post(where)
    line = told_by(process)
    assert "1 new message" in line, last


def test_only_the_asked_sender_ends_it(where: Tree, processes: list[subprocess.Popen[bytes]]) -> None:
    where.make(["codex"])
    post(where)
    process = begin(processes, "--from", "codex")
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.5)
    id_ = post(where, sender="codex")
    assert "1 new message for gemini, from codex" in told_by(process)
    acknowledge(where, "gemini", [id_])
    assert "from claude" in command(*WORDS).stdout, "of the other it was not told"


def test_a_ring_that_was_not_heard_is_repeated_by_the_next_wait(where: Tree) -> None:
    post(where)
    assert command(*WORDS).returncode == 0
    again = command(*WORDS, "--timeout", "20", AI_BRIDGE_RING_AFTER_S="0.01")
    assert "1 new message for gemini" in again.stdout


def test_as_json_each_message_is_a_line(where: Tree) -> None:
    ids = [post(where, "the body"), post(where)]
    lines = [json.loads(line) for line in command(*WORDS, "--json").stdout.splitlines()]
    assert [line["id"] for line in lines] == ids


def test_it_ends_with_whoever_began_it(where: Tree) -> None:
    line = [sys.executable, "-m", "ai_bridge", *WORDS]
    environment = {**os.environ, "AI_BRIDGE_SWEEP_S": "0.05"}
    # The shell is killed; what it started has then another parent.
    with subprocess.Popen(["sh", "-c", '"$@"; :', "sh", *line], env=environment) as parent:
        pids = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
        until(lambda: pids.read_text().split())
        (child,) = pids.read_text().split()
        until(lambda: "inotify" in links(child))
        parent.kill()
    until(lambda: not Path(f"/proc/{child}").exists() or Path(f"/proc/{child}/stat").read_text().split()[2] == "Z")


def links(pid: str) -> str:
    """Return what a process has open, in one text."""
    directory = f"/proc/{pid}/fd"
    found = []
    for name in os.listdir(directory):
        try:
            found.append(os.readlink(f"{directory}/{name}"))
        except OSError:
            continue
    return " ".join(found)


def test_a_line_that_nobody_read_is_told_again(where: Tree) -> None:
    post(where)
    ours, theirs = os.pipe()
    line = [sys.executable, "-m", "ai_bridge", *WORDS]
    with subprocess.Popen(line, stdout=theirs, stderr=subprocess.PIPE) as process:
        os.close(theirs)
        until(lambda: waiting_bytes(ours) or process.poll() is not None)
        os.close(ours)
        assert process.stderr is not None
        said = process.stderr.read().decode()
    assert process.returncode == 1
    assert re.fullmatch(r"error: standard output was not read: [^\n]+\n", said)
    assert "1 new message for gemini, from claude" in command(*WORDS).stdout
    assert command(*WORDS, "--timeout", "0").returncode == 3


def test_a_closed_standard_output_is_told_nothing(where: Tree) -> None:
    post(where)
    assert without_output("closed", *WORDS).returncode == 1
    assert "1 new message for gemini, from claude" in command(*WORDS).stdout
