"""The limits by every way to send: the same messages count, and the same words say which limit was reached."""

from __future__ import annotations

import json
import os
import pty
import subprocess
import sys
from collections import Counter

import pytest

import ai_bridge
from ai_bridge import settings as settings_
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import DROPPED, HELD, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.contract.ways import WAYS_IN, Refused, WayIn
from tests.support.checkout import ROOT
from tests.support.command import command
from tests.support.mail import LIMIT, Draft, route, send, states


class ApiWay(WayIn):
    """The Python API, which keeps the limits."""

    def send(self, where: Tree, to: str, body: str, subject: str = "s", sender: str = "claude") -> str:
        try:
            return ai_bridge.Mailboxes(where.path).agent(sender).send(to, body, subject=subject).id
        except BridgeError as refusal:
            raise Refused(str(refusal)) from None


WAYS = {**WAYS_IN, "python": ApiWay()}
SHELLS = [name for name in WAYS if name != "hand"]
PROGRAMS = [name for name in WAYS if not WAYS[name].is_models]


@pytest.fixture
def loaded(where: Tree, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A budget of three messages per hour, for senders and router."""
    monkeypatch.setenv("AI_BRIDGE_PAIR_PER_HOUR", "3")
    return settings_.load(where.path, {"settle_s": 0.0})


@pytest.fixture
def in_clients_shell(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")


def _say(way: WayIn, where: Tree, loaded: Settings, sender: str = "claude", to: str = "gemini") -> tuple[str, str]:
    """Send and route one message; returns its state, or `refused`, and the words of the limit."""
    try:
        id_ = way.send(where, to, "b", sender=sender)
    except Refused as refusal:
        return "refused", str(refusal)
    route(where, loaded)
    (place,) = trace.find(where, f"{sender}/{id_}")
    return place.state, place.reason() or ""


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_nobody_answers_sends_as_much_as_it_likes(where: Tree, loaded: Settings, name: str) -> None:
    assert [_say(WAYS[name], where, loaded)[0] for _ in range(7)] == [UNREAD] * 7


@pytest.mark.parametrize("name", SHELLS)
@pytest.mark.usefixtures("in_clients_shell")
def test_a_model_reaches_the_limit_by_every_way(where: Tree, loaded: Settings, name: str) -> None:
    way = WAYS[name]
    assert [_say(way, where, loaded)[0] for _ in range(3)] == [UNREAD] * 3
    state, words = _say(way, where, loaded)
    assert state == (HELD if way.holds else "refused")
    assert "claude and gemini have exchanged 3 messages within an hour, the most that is set" in words
    assert "pair_per_hour" in words
    assert "`ai-bridge allow claude`" in words
    assert ("tell your user" in words) == (not way.holds)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_that_is_answered_reaches_the_limit_by_every_way(where: Tree, loaded: Settings, name: str) -> None:
    way, heard = WAYS[name], Counter[str]()
    for number in range(8):
        sender, to = ("claude", "gemini") if number % 2 else ("gemini", "claude")
        state, words = _say(way, where, loaded, sender, to)
        heard[state] += 1
        if state != UNREAD:
            assert "the most that is set" in words
    assert heard[UNREAD] == 4  # the first of them answers nobody
    assert heard[HELD if way.holds else "refused"] == 4


@pytest.mark.parametrize("name", SHELLS)
def test_the_header_says_that_a_client_composed_it(where: Tree, name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    way = WAYS[name]
    alone = way.send(where, "gemini", "b")
    monkeypatch.setenv("CODEX_THREAD_ID", "t-1")
    within = way.send(where, "gemini", "b")
    told = [trace.find(where, id_)[0].load().get("Composed-By") for id_ in (alone, within)]
    assert told == ["model" if way.is_models else None, "model"]


@pytest.mark.parametrize("program", ["ai-bridge", "send.sh"])
def test_what_a_person_types_is_free_and_says_so(
    where: Tree, loaded: Settings, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = _program(program, where)
    for _ in range(5):
        _say(WAYS["hand"], where, loaded, "gemini", "claude")
        id_ = _typed([*words, "gemini"])
        assert trace.find(where, id_)[0].load().get("Hops") == "0"
    assert {step.verb for step in route(where, loaded)} == {"deliver"}
    monkeypatch.setenv("GEMINI_CLI", "1")
    found = trace.find(where, _typed([*words, "gemini"]))[0].load()
    assert (found.get("Hops"), found.get("Composed-By")) == (None, "model")


def _program(program: str, where: Tree) -> list[str]:
    path = [str(ROOT / "management/send.sh")] if program == "send.sh" else [sys.executable, "-m", "ai_bridge", "send"]
    return [*path, "--from", "claude", "--mailboxes", where.path]


def _typed(words: list[str]) -> str:
    """Run a command whose standard error is a terminal; returns what it printed."""
    ours, theirs = pty.openpty()
    try:
        done = subprocess.run(words, input=b"b", stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=True)
    finally:
        os.close(theirs)
        os.close(ours)
    return done.stdout.decode().strip()


@pytest.mark.parametrize("program", ["ai-bridge", "send.sh"])
def test_an_answer_that_no_person_wrote_is_stopped_by_its_depth(
    where: Tree, program: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAX_HOPS", "2")
    loaded = settings_.load(where.path, {"settle_s": 0.0})
    last = send(where, "gemini", Draft(["claude"], "x"), LIMIT).id
    for number in range(3):
        route(where, loaded)
        sender, to = ("claude", "gemini") if number % 2 == 0 else ("gemini", "claude")
        words = [*_program(program, where), to, "--from", sender, "--reply-to", last]
        done = subprocess.run(words, input=b"b", capture_output=True, timeout=60, check=False)
        last = done.stdout.decode().strip()
    if program == "ai-bridge":
        assert done.returncode == 1
        assert "this thread has gone on for 2 answers" in done.stderr.decode()
        return
    route(where, loaded)
    (place,) = trace.find(where, last)
    assert (place.state, "this thread has gone on for 2 answers" in (place.reason() or "")) == (HELD, True)


def test_a_hundred_lines_of_cron_go_through(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """With the limit as it is by default: a batch, a loop of commands with their errors in a file, and `send.sh`."""
    monkeypatch.delenv("AI_BRIDGE_PAIR_PER_HOUR")
    lines = "".join(json.dumps({"body": f"line {number}"}) + "\n" for number in range(100))
    done = command("send", "gemini", "--from", "claude", "--batch", "--mailboxes", where.path, body=lines)
    assert (done.returncode, done.stderr, len(done.stdout.split())) == (0, "", 100)
    for number in range(100):
        done = command("send", "gemini", f"n {number}", "--from", "claude", "--mailboxes", where.path, body="x")
        assert (done.returncode, done.stderr) == (0, "")
    for _ in range(100):
        subprocess.run([*_program("send.sh", where), "gemini"], input=b"x", capture_output=True, check=True)
    assert len(states(where, "claude")[DROPPED]) == 300
    assert {step.verb for step in route(where, settings_.load(where.path))} == {"deliver"}
