"""What all tests share: mailboxes of their own, and an environment that holds nothing of the person's."""

from __future__ import annotations

import fcntl
import os
import signal
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import STATES
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.router.step import Step
from ai_bridge.sending.send import send
from ai_bridge.settings import Settings

# Whoever runs the tests in the background has it ignored, and so would every process a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

ROOT = Path(__file__).resolve().parent.parent
LIMIT = 1_048_576


@pytest.fixture(autouse=True)
def _own_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own home and state, and no setting from outside."""
    for name in list(os.environ):
        if name.startswith(("AI_BRIDGE_", "AI_CONNECT_", "CLAUDE", "CODEX_", "GEMINI_", "XDG_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("AI_BRIDGE_PAIR_PER_HOUR", "0")  # many tests send more; those of the guard say otherwise


@pytest.fixture
def where(tmp_path: Path) -> Mailboxes:
    """Mailboxes with the agents claude and gemini."""
    made = Mailboxes(str(tmp_path / "mailboxes"))
    made.make(["claude", "gemini"])
    return made


@pytest.fixture
def settings(where: Mailboxes) -> Settings:
    """The default settings, with nothing to wait for before a file is refused."""
    return settings_.load(where.path, {"settle_s": 0.0})


# Two machines, and a third, as their cards and pages name them.
LAPTOP, TOWER, MINI = "laptop-aaaaaaaa", "tower-bbbbbbbb", "mini-cccccccc"
On = Callable[[str], str]


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> On:
    """Make this process one of another machine, from now on: one with a state directory of its own."""

    def become(machine: str) -> str:
        monkeypatch.setenv("AI_BRIDGE_STATE", str(state_of(tmp_path, machine)))
        return machine

    return become


def state_of(base: Path, machine: str) -> Path:
    """Return the state directory of a machine of that ID."""
    state = base / f"state of {machine}"
    if not state.exists():
        state.mkdir(parents=True)
        (state / "home").write_text(f"{machine}\n")
    return state


def settle_on(where: Mailboxes, machine: str, *agents: str, epoch: int = 1, **fields: object) -> None:
    """Write the cards of agents that live on that machine."""
    where.make(list(agents))
    for agent in agents:
        said = {"name": agent, "home": machine, **({"epoch": epoch} if epoch > 1 else {}), **fields}
        lines = "".join(f"{name}: {value}\n" for name, value in said.items())
        replaced = Path(where.path, "agents", f".{agent}.new")
        replaced.write_text(f"---\n{lines}---\n")
        replaced.rename(replaced.with_name(f"{agent}.md"))


def post(where: Mailboxes, body: str = "hello", to: str = "gemini", sender: str = "claude", **words: str) -> str:
    """Send a message; returns its ID."""
    return send(where, sender, Draft([to], body, **words), LIMIT).id


def route(where: Mailboxes, settings: Settings, serves: set[str] | None = None) -> list[Step]:
    """Run recovery and passes until nothing moves; returns the steps that did something."""
    router = Router(where, serves or set(where.agents()), settings)
    done = list(recover(router))
    while steps := [step for step in router.one_pass() if step.verb not in ("leave", "retry")]:
        done += steps
    return done


def states(where: Mailboxes, owner: str) -> dict[str, list[str]]:
    """Return the message files of an outbox by state, leaving out states that hold none."""
    outbox = where.outbox(owner)
    found = {state: outbox.names(state) for state in STATES}
    return {state: names for state, names in found.items() if names}


def command(*words: str, body: str | bytes = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `ai-bridge` as a process of its own; returns its exit code and what it printed."""
    raw = body.encode() if isinstance(body, str) else body
    done = subprocess.run(
        [sys.executable, "-m", "ai_bridge", *words],
        input=raw,
        capture_output=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


def until(condition: Callable[[], object], seconds: float = 20.0) -> None:
    """Wait, within bounds, until the condition holds; fails the test where it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.005)


def waiting_bytes(fd: int) -> int:
    """Return how many bytes lie in the pipe whose end for reading this is."""
    count: int = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]
    return count


@pytest.fixture
def processes() -> Iterator[list[subprocess.Popen[bytes]]]:
    """A list for the processes a test starts; what still runs at its end is killed."""
    started: list[subprocess.Popen[bytes]] = []
    yield started
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream is not None:
                stream.close()
