"""One disk in a guest, with mailboxes, a home and a state directory of its own, and the commands that use them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

_LIMIT_S = 120


class Failed(Exception):
    """A command did not do what it was asked; the text says what it said."""


class Site:
    """The disk mounted at `root`; its commands are those of the Python module `program`."""

    def __init__(self, root: Path, program: str = "ai_bridge") -> None:
        self.root = root
        self.program = program
        self.mailboxes = root / "mailboxes"

    def run(self, *words: str, body: str = "", **environment: str) -> str:
        """Run `ai-bridge` on this disk; returns what it printed, raises `Failed`."""
        own = {
            "PATH": os.environ["PATH"],
            "HOME": str(self.root / "home"),
            "AI_BRIDGE_STATE": str(self.root / "state"),
            "AI_BRIDGE_MAILBOXES": str(self.mailboxes),
            "AI_BRIDGE_SETTLE_S": "0",
        }
        done = subprocess.run(
            [sys.executable, "-m", self.program, *words],
            input=body,
            capture_output=True,
            text=True,
            timeout=_LIMIT_S,
            env=own | environment,
            check=False,
        )
        if done.returncode:
            raise Failed(f"{' '.join(words)}: {done.stderr.strip()}")
        return done.stdout

    def card(self, agent: str) -> dict[str, str]:
        """Return the fields of an agent's card, as the command shows them."""
        fields: dict[str, str] = json.loads(self.run("card", "show", agent, "--json"))["fields"]
        return fields

    def send(self, body: str) -> str:
        """Send from alice to bob; returns the ID."""
        return self.run("send", "bob", "--from", "alice", body=body).strip()

    def read(self) -> str:
        """Return what is unread for bob."""
        return self.run("read", "--agent", "bob")

    def drop(self, name: str, text: str) -> None:
        """Put a file into alice's outbox by hand."""
        (self.mailboxes / "alice-outbox" / name).write_text(text)

    def files(self, state: str) -> list[str]:
        """Return the names in a directory of alice's outbox."""
        return sorted(os.listdir(self.mailboxes / "alice-outbox" / state))
