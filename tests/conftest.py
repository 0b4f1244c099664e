"""What all tests share: mailboxes of their own, and an environment that holds nothing of the person's."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from hypothesis import HealthCheck

from ai_bridge import clients
from ai_bridge import settings as settings_
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support import flush, started
from tests.support.machine import On, state_of
from tests.support.session_ends import Queue, SessionSocket

# A busy machine makes an example slow, and that is no fault of the program.
hypothesis.settings.register_profile(
    "ours", deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
hypothesis.settings.load_profile("ours")

# Whoever runs the tests in the background has it ignored, and so would every process a test starts.
signal.signal(signal.SIGINT, signal.default_int_handler)

# The long runs, in which every process is started, and every file flushed, for real.
LONG = ("faults", "clients", "cuts", "machines", "package")


@pytest.fixture(autouse=True)
def _own_environment(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Give each test its own home and state, no setting from outside, and none of the clients on this machine."""
    if not any(request.node.get_closest_marker(name) for name in LONG):
        folders = os.environ["PATH"].split(os.pathsep)
        monkeypatch.setenv("PATH", os.pathsep.join(folder for folder in folders if not _has_client(folder)))
    for name in list(os.environ):
        if name.startswith(("AI_BRIDGE_", "AI_CONNECT_", "CLAUDE", "CODEX_", "GEMINI_", "XDG_")):
            monkeypatch.delenv(name)
    for name in ("NO_COLOR", "FORCE_COLOR", "PAGER", "LESS", "COLUMNS", "LINES"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "state"))
    monkeypatch.setenv("AI_BRIDGE_PAIR_PER_HOUR", "0")  # many tests send more; those of the guard say otherwise


def _has_client(folder: str) -> bool:
    return any(os.path.lexists(os.path.join(folder, client.program)) for client in clients.registrable())


@pytest.fixture(scope="session", autouse=True)
def _templates() -> Iterator[None]:
    """End the processes that others are forked from."""
    yield
    started.end()


@pytest.fixture(autouse=True)
def _forked_starts(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have processes that only run `ai-bridge` forked from a template, unless the test is about their start."""
    if not any(request.node.get_closest_marker(name) for name in ("real_start", *LONG)):
        monkeypatch.setattr(subprocess, "Popen", started.Popen)


@pytest.fixture(autouse=True)
def _no_flushes(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not wait for the disk, unless the test is about that."""
    if not any(request.node.get_closest_marker(name) for name in ("real_flush", *LONG)):
        monkeypatch.setattr(os, "fsync", flush.check)


@pytest.fixture
def where(tmp_path: Path) -> Tree:
    """Tree with the agents claude and gemini."""
    made = Tree(str(tmp_path / "mailboxes"))
    made.make(["claude", "gemini"])
    return made


@pytest.fixture
def settings(where: Tree) -> Settings:
    """The default settings, with nothing to wait for before a file is refused."""
    return settings_.load(where.path, {"settle_s": 0.0})


@pytest.fixture
def on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> On:
    """Make this process one of another machine, from now on: one with a state directory of its own."""

    def become(machine: str) -> str:
        monkeypatch.setenv("AI_BRIDGE_STATE", str(state_of(tmp_path, machine)))
        return machine

    return become


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


@pytest.fixture
def session_socket() -> Iterator[SessionSocket]:
    """The socket of a session that listens."""
    made = SessionSocket()
    yield made
    made.close()


@pytest.fixture
def queue(tmp_path: Path) -> Queue:
    """A `codex` that takes what is queued; not in the PATH yet."""
    return Queue(tmp_path / "codex-bin")
