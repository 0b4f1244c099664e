"""What a client stands on in a test: a throw-away home, a project with mailboxes, the model; nothing else."""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.headers import URGENCY
from ai_bridge.message.urgency import NEXT
from tests.real_clients.model import Model
from tests.real_clients.terminal import Terminal
from tests.support.mail import LIMIT, send, send_batch
from tests.support.wait import until

PROGRAM = str(Path(sys.executable).parent / "ai-bridge")
PATIENCE_S = 60.0
_OFF = (
    "DISABLE_AUTOUPDATER", "DISABLE_TELEMETRY", "DISABLE_ERROR_REPORTING", "DO_NOT_TRACK", "IS_SANDBOX",
    "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC",
)  # fmt: skip


class Ground:
    """One test's home and project; all that was started in that home is ended by `end`."""

    def __init__(self, base: Path, commands: Path, model: Model) -> None:
        self.model = model
        self.home, self.project = base / "home", base / "project"
        self.home.mkdir(exist_ok=True)
        self.project.mkdir()
        subprocess.run(["git", "init", "-q", str(self.project)], check=True)
        self.where = Tree(str(self.project / "mailboxes"))
        self.where.make(["claude", "gemini", "codex", "postbox"])
        self.environment = {
            "HOME": str(self.home),
            "PATH": os.pathsep.join([str(commands), "/usr/local/bin", "/usr/bin", "/bin"]),
            "LANG": "C.UTF-8",
            "TERM": "xterm-256color",
            "SHELL": "/bin/sh",
            **dict.fromkeys(_OFF, "1"),
            "GEMINI_TELEMETRY_ENABLED": "false",
        }
        self._terminals: list[Terminal] = []
        self.bridge("init")  # which adopts them

    def open(self, words: Sequence[str]) -> Terminal:
        """Start a program in a terminal of its own."""
        terminal = Terminal(words, self.project, self.environment)
        self._terminals.append(terminal)
        return terminal

    def run(self, *words: str, where: Path | None = None) -> str:
        """Run a command to its end, in the project or in the folder `where`; returns what it printed.

        Fails the test if the command failed.
        """
        process = subprocess.Popen(
            words, cwd=where or self.project, env=self.environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, start_new_session=True,
        )  # fmt: skip
        try:
            said, _ = process.communicate(timeout=PATIENCE_S)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
                process.communicate()
        assert process.returncode == 0, f"{words} exited with {process.returncode}: {said[-2000:]}"
        return said

    def bridge(self, *words: str) -> str:
        """Run `ai-bridge` as the person would."""
        return self.run(PROGRAM, *words)

    def set(self, setting: str, value: str | float | list[float]) -> None:
        """Write a setting into the person's own file."""
        file = self.home / ".config/ai-bridge/settings.toml"
        file.parent.mkdir(parents=True, exist_ok=True)
        with file.open("a") as written:
            written.write(f"{setting} = {json.dumps(value)}\n")

    def worktree(self) -> Path:
        """Return a worktree of the project's repository, beside the project."""
        folder = self.project.parent / "worktree"
        git = ("git", "-c", "user.name=tests", "-c", "user.email=tests@localhost")
        self.run(*git, "commit", "-q", "--allow-empty", "-m", "the first")
        self.run(*git, "worktree", "add", "-q", str(folder))
        return folder

    # --- a command that the test holds up ---------------------------------------------------------------

    def pause(self) -> str:
        """Return a shell command that lasts until the test says to go on."""
        return "touch paused; until test -e go-on; do sleep 0.05; done"

    def wait_until_paused(self) -> None:
        until((self.project / "paused").exists, PATIENCE_S)

    def go_on(self) -> None:
        (self.project / "go-on").touch()

    # --- mail -------------------------------------------------------------------------------------------

    def drop(self, to: str, body: str = "hello", urgency: str = NEXT, sender: str = "postbox") -> None:
        """Send a message from an agent that is no client here."""
        send(self.where, sender, Draft([to], body, extra={URGENCY: urgency}), LIMIT)

    def drop_all(self, to: str, bodies: list[str]) -> None:
        """Send some messages at once."""
        send_batch(self.where, "postbox", [Draft([to], body) for body in bodies], LIMIT)

    def unread(self, agent: str) -> list[str]:
        """Return the names of all that awaits an agent: dropped, or delivered and not yet acknowledged."""
        outboxes = [self.where.outbox(one) for one in self.where.agents()]
        found = [name for box in outboxes for state in (DROPPED, PROCESSING, UNREAD) for name in box.names(state)]
        return [name for name in found if name.endswith(f".{agent}.txt")]

    def read_mail(self, agent: str) -> list[str]:
        """Return the names of all that an agent has read, and has not archived."""
        found = [name for one in self.where.agents() for name in self.where.outbox(one).names(READ)]
        return [name for name in found if name.endswith(f".{agent}.txt")]

    def wait_until_read(self, agent: str) -> None:
        """Wait, within bounds, until nothing awaits an agent."""
        until(lambda: not self.unread(agent), PATIENCE_S)

    # --- processes --------------------------------------------------------------------------------------

    def servers(self) -> list[int]:
        """Return the processes that serve the sessions here."""
        return [pid for pid in self.started() if _arguments(pid)[-2:] == [PROGRAM.encode(), b"mcp"]]

    def end(self) -> None:
        """End what was started here, servers and daemons as well: each has this home in its environment."""
        for terminal in self._terminals:
            terminal.end()
        for number in (signal.SIGTERM, signal.SIGKILL):
            deadline = time.monotonic() + 5.0
            while (left := self.started()) and time.monotonic() < deadline:
                for pid in left:
                    with contextlib.suppress(OSError):
                        os.kill(pid, number)
                time.sleep(0.05)
        for terminal in self._terminals:
            terminal.close()
        # Half a gigabyte of Codex's daemon.
        shutil.rmtree(self.home / ".codex" / "packages", ignore_errors=True)

    def wait_until_served(self) -> None:
        """Wait, within bounds, until a server here serves its session: that may take some seconds."""
        until(lambda: list((self.home / ".local/state").rglob("servers/*")), PATIENCE_S)

    def started(self) -> list[int]:
        """Return all processes that have this home in their environment."""
        mark = f"HOME={self.home}".encode()
        return [pid for pid in _pids() if mark in _environ(pid).split(b"\0") and pid != os.getpid()]


def _pids() -> list[int]:
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def _environ(pid: int) -> bytes:
    return _read(f"/proc/{pid}/environ")


def _arguments(pid: int) -> list[bytes]:
    return _read(f"/proc/{pid}/cmdline").split(b"\0")[:-1]


def _read(path: str) -> bytes:
    try:
        return Path(path).read_bytes()
    except OSError:
        return b""
