"""A host: a machine with a home, a state directory, one agent, and mailboxes as they look from there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

from tests.networks.nodes import Node, end, kill

ROOT = Path(__file__).resolve().parents[2]
_FOREIGN = ("AI_BRIDGE_", "AI_CONNECT_", "CLAUDE", "CODEX_", "GEMINI_", "XDG_")


class Host:
    """Where one agent lives."""

    def __init__(self, node: Node, agent: str, base: Path, mailboxes: Path) -> None:
        self.node = node
        self.agent = agent
        self.base = base
        self.mailboxes = mailboxes
        for directory in (self.home, mailboxes):
            directory.mkdir(parents=True, exist_ok=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith(_FOREIGN)},
            "HOME": str(self.home),
            "AI_BRIDGE_STATE": str(base / "state"),
            "AI_BRIDGE_MAILBOXES": str(mailboxes),
            "AI_BRIDGE_AGENT": agent,
            "AI_BRIDGE_PAIR_PER_HOUR": "0",  # more is sent than two agents may in an hour
        }

    @property
    def home(self) -> Path:
        return self.base / "home"

    @property
    def router_log(self) -> Path:
        return self.base / "router.log"

    def bridge(self, *words: str) -> str:
        """Run `ai-bridge`, which must succeed; returns what it said."""
        done = self.node.run(sys.executable, "-m", "ai_bridge", *words, environment=self.environment)
        assert done.returncode == 0, f"on {self.node.name}, `ai-bridge {' '.join(words)}`: {done.stdout}"
        return done.stdout

    def actor(self, *words: str) -> Actor:
        """Start one of `tests.networks.actors`."""
        return Actor(self, words[0], "-m", "tests.networks.actors", *words)

    def router(self) -> Actor:
        """Start this machine's router."""
        return Actor(self, "router", "-m", "ai_bridge", "router", "--log", str(self.router_log))

    def look(self, timeout_s: float = 60.0) -> dict[str, Any]:
        """Return what lies in the mailboxes as seen from here; raises where they cannot be seen in time."""
        words = (sys.executable, "-m", "tests.networks.actors", "look")
        said = self.node.run(*words, timeout_s=timeout_s, environment=self.environment).stdout
        try:
            found: dict[str, Any] = json.loads(said)
        except ValueError:
            raise OSError(f"the mailboxes cannot be seen from {self.node.name}: {said[-300:]}") from None
        return found


class Actor:
    """A Python process on a host; `lines` holds all it ever printed, each with the time it was seen to."""

    def __init__(self, host: Host, name: str, *words: str) -> None:
        self.host = host
        self.name = name
        self.lines: list[str] = []
        self._words = words
        self.start()

    def start(self) -> None:
        """Start it; also again, once it has ended."""
        log = self.host.base / f"{self.name}.err"
        self.process = self.host.node.spawn(
            sys.executable, *self._words, log=log, stdout=subprocess.PIPE, environment=self.host.environment
        )
        self._thread = threading.Thread(target=self._collect, args=(self.process,))
        self._thread.start()

    def _collect(self, process: subprocess.Popen[str]) -> None:
        assert process.stdout is not None
        for line in process.stdout:
            if line.endswith("\n"):  # else it was killed in the midst of it
                self.lines.append(line.rstrip("\n"))

    @property
    def code(self) -> int | None:
        """Its exit code, or None while it runs."""
        return self.process.poll()

    def kill(self) -> None:
        """kill -9 it; it must be alive."""
        kill(self.process, alone=True)
        self._thread.join()

    def end(self) -> None:
        end(self.process)
        self._thread.join()


def until(condition: Any, seconds: float, every_s: float = 0.05) -> bool:
    """Wait, at most so long, until the condition holds; tells whether it does. What it raises of OSError is no."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return True
        except (OSError, subprocess.TimeoutExpired):
            pass
        if time.monotonic() > deadline:
            return False
        time.sleep(every_s)
