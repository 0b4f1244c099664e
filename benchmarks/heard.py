"""How much mail a client's session hears of if some of its rings vanish and the session is killed now and then.

`reach.py --heard` runs it. The client is real, in a terminal. Its model is in this process: it reads all mail that it
is told of.
"""

from __future__ import annotations

import math
import os
import random
import signal
import tempfile
import time
from contextlib import suppress
from pathlib import Path

import common
import vanishing

from tests.real_clients import software
from tests.real_clients.answering import Answering
from tests.real_clients.ground import Ground
from tests.real_clients.model import Model, Request
from tests.real_clients.notices import told_from
from tests.real_clients.sessions import Claude, Client, CodexWithDaemon, Gemini
from tests.support.wait import until

CLIENTS: dict[str, type[Client]] = {"claude": Claude, "gemini": Gemini, "codex": CodexWithDaemon}
# The schedule, scaled down; Codex CLI is given 15 s for each ring, however short this is.
_RING_AFTER_S = "1,2,4,8"
# The last of them and the time of a request, on a loaded machine.
_PATIENCE_S = 90.0
_MOST_BEFORE_KILL_S = 1.0
_WAKES_TARGET = 1.1
# So long no request comes if the session is at rest. A wait of Gemini CLI that ends within a turn may go unheard.
_REST_S = 2.0
# Two messages that follow each other differ in their sender, which is all that a notice says of one.
_SENDERS = ("ada", "ben", "cleo")


class Message:
    """One message: its sender, its text, and what a living session's model was asked from `first` on."""

    def __init__(self, number: int, first: int) -> None:
        self.sender = _SENDERS[number % len(_SENDERS)]
        self.body = f"Message {number}."
        self.first = first
        self.seconds = math.inf  # until it was read

    def times_too_many(self, requests: list[Request]) -> int:
        """Return how often the model was told of it, or was shown it, after the first time."""
        told = sum(told_from(request).count(self.sender) for request in requests)
        seen = sum(request.new.count(f"---\n{self.body}\n---") for request in requests)
        return max(told - 1, 0) + max(seen - 1, 0)


class Trial:
    """One client, in whose sessions a share of all rings vanishes."""

    def __init__(self, directory: Path, commands: Path, model: Model, name: str, share: float) -> None:
        self._model = model
        self._random = random.Random(1)
        self._ground = Ground(directory, commands, model)
        self._ground.where.make(list(_SENDERS))
        program, self.log = vanishing.make(directory / "vanishing", share)
        self._client = CLIENTS[name](self._ground)
        self._ground.run(str(program), "install", name, "--yes")
        self._ground.set("ring_after_s", _RING_AFTER_S)
        self._ground.set("wakes_per_hour", 0)
        self._wait = f"{program} wait --new"

    def run(self, messages: int, kills: int) -> list[Message]:
        """Send the messages one after the other, each once the last one was read; kill the session now and then."""
        at = {messages * (number + 1) // (kills + 1) for number in range(kills)}
        try:
            self._begin()
            return [self._one(number, number in at) for number in range(messages)]
        finally:
            self._ground.end()

    def again(self, sent: list[Message]) -> int:
        """Return how often a living session was told of a message again; that of the next one may lie between."""
        ends = [one.first for one in sent[2:]] + [len(self._model.requests)] * 2
        return sum(
            one.times_too_many(self._model.requests[one.first : end]) for one, end in zip(sent, ends, strict=False)
        )

    def _begin(self) -> None:
        self._model.rule = Answering(self._client, answers=False, wait=self._wait)
        self._client.begin().say("begin")
        self._model.wait_until_quiet(1.0)

    def _one(self, number: int, kills: bool) -> Message:
        """Send a message, and wait until it was read."""
        one, begun = Message(number, len(self._model.requests)), time.monotonic()
        self._ground.drop(self._client.name, one.body, sender=one.sender)
        if kills:
            time.sleep(self._random.uniform(0.0, _MOST_BEFORE_KILL_S))
            self._kill()
            one.first = len(self._model.requests)
            self._begin()
        with suppress(AssertionError):
            until(lambda: not self._ground.unread(self._client.name), _PATIENCE_S)
            one.seconds = time.monotonic() - begun
        self._model.wait_until_quiet(_REST_S)
        return one

    def _kill(self) -> None:
        """Kill all that runs in the client's home, its daemon too."""
        while left := self._ground.started():
            for pid in left:
                with suppress(OSError):
                    os.kill(pid, signal.SIGKILL)
            time.sleep(0.05)


def report(names: list[str], messages: int, share: float, kills: int) -> None:
    """Measure these clients one after the other, and print the table."""
    try:
        commands = software.install(software.folder())
    except software.NotInstalled as trouble:
        raise SystemExit(f"error: the real clients could not be installed: {trouble}") from None
    rows = []
    for name in names:
        # Nothing above it registers servers, as this checkout does.
        with tempfile.TemporaryDirectory() as apart, Model() as model:
            os.environ["HOME"] = str(Path(apart, "home"))
            trial = Trial(Path(apart), commands, model, name, share)
            sent = trial.run(messages, kills)
            rows.append(_row(name, sent, trial.again(sent), *vanishing.counted(trial.log)))
    headings = [
        "client",
        "messages",
        "heard",
        "told twice",
        "rings vanished",
        "wakes per message",
        "p50 s",
        "p90 s",
        "",
    ]
    common.print_table(f"heard: {share:.0%} of the rings vanish, {kills} kills", headings, rows)


def _row(name: str, sent: list[Message], twice: int, passed: int, vanished: int) -> list[str]:
    read = [one.seconds for one in sent if one.seconds < math.inf]
    share, wakes = len(read) / len(sent), passed / len(sent)
    met = share == 1 and not twice and wakes <= _WAKES_TARGET
    times = [f"{common.percentile(read, percent):.1f}" if read else "-" for percent in (50, 90)]
    verdict = f"100 %, 0, {_WAKES_TARGET:g}: {'met' if met else 'missed'}"
    return [name, str(len(sent)), f"{share:.1%}", str(twice), str(vanished), f"{wakes:.2f}", *times, verdict]
