"""kill -9 of router, reader and sender at any moment: every accepted message is read whole at least once."""

from __future__ import annotations

import random
import subprocess
import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import MALFORMED
from ai_bridge.mailboxes.tree import Tree
from tests.support.checkout import ROOT
from tests.support.mail import states
from tests.support.wait import until

ACTORS = str(ROOT / "tests" / "faults" / "actors.py")


class Actor:
    """A process that is started again whenever it was killed; `lines` collects all it ever printed."""

    def __init__(self, command: list[str]) -> None:
        self.command = command
        self.lines: list[str] = []
        self.start()

    def start(self) -> None:
        self.process = subprocess.Popen(self.command, stdout=subprocess.PIPE, cwd=ROOT, text=True)
        self._thread = threading.Thread(target=self._collect, args=(self.process,))
        self._thread.start()

    def _collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        with process.stdout as out:
            self.lines += [line.rstrip("\n") for line in out if line.endswith("\n")]

    def kill(self) -> None:
        assert self.process.poll() is None, "it ended by itself"
        self.process.kill()
        self.process.wait()
        self._thread.join()


def _actors(where: Tree) -> dict[str, Actor]:
    python = sys.executable
    return {
        "sender": Actor([python, "-m", "tests.faults.actors", "send", where.path]),
        "reader": Actor([python, "-m", "tests.faults.actors", "read", where.path]),
        "router": Actor(
            [python, "-m", "ai_bridge", "router", "--mailboxes", where.path, "--log", f"{where.path}.log"]
        ),
    }


def _kill_many(where: Tree, kills: int, seed: int) -> None:
    chance = random.Random(seed)
    actors = _actors(where)
    try:
        for _ in range(kills):
            # At any moment: while it starts, recovers, or is in the midst of its work.
            time.sleep(chance.uniform(0.0, 0.3))
            victim = actors[chance.choice(list(actors))]
            victim.kill()
            victim.start()
        until(lambda: actors["sender"].lines or actors["sender"].process.poll() is None)
        time.sleep(0.5)
        actors["sender"].kill()
        until(lambda: _all_read(where))
    finally:
        for actor in actors.values():
            if actor.process.poll() is None:
                actor.kill()
    _verdict(where, actors, kills)


def _all_read(where: Tree) -> bool:
    return set(states(where, "claude")) == {"read"}


def _verdict(where: Tree, actors: dict[str, Actor], kills: int) -> None:
    accepted, shown = actors["sender"].lines, Counter(actors["reader"].lines)
    lost = [id_ for id_ in accepted if id_ not in shown]
    unexpected = set(shown) - set(accepted)
    print(
        f"\nkills={kills} accepted={len(accepted)} lost={len(lost)} "
        f"shown_twice={sum(count > 1 for count in shown.values())} dropped_but_not_told={len(unexpected)}"
    )
    assert accepted
    assert lost == []
    assert len(accepted) == len(set(accepted))
    assert len(unexpected) <= kills, "only a message whose sender was killed before it was told"
    assert MALFORMED not in states(where, "claude")


def test_a_few_kills_lose_nothing(tmp_path: Path, where: Tree) -> None:
    _kill_many(where, 15, seed=1)


@pytest.mark.faults
@pytest.mark.timeout(1200)
@pytest.mark.parametrize("seed", range(4))
def test_many_kills_lose_nothing(tmp_path: Path, where: Tree, seed: int) -> None:
    _kill_many(where, 100, seed)
