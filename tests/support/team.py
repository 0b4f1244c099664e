"""A team that a link joins to others: its mailboxes, its state directory and its router."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

from ai_bridge.mailboxes.tree import Tree


class Team:
    """One team: its mailboxes, its state directory, and the router that carries its link."""

    def __init__(self, directory: Path, name: str, agents: list[str]) -> None:
        self.name = name
        self.where = Tree(str(directory / name / "mailboxes"))
        self.where.make(agents)
        self.state = str(directory / name / "state")
        self.log = directory / name / "router.log"
        self.environment = {**os.environ, "AI_BRIDGE_STATE": self.state, "AI_BRIDGE_SWEEP_S": "1.0"}
        self.process: subprocess.Popen[bytes] | None = None

    def run(self, *words: str, body: str = "", check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run a command of this team."""
        return subprocess.run(
            [sys.executable, "-m", "ai_bridge", *words, "--mailboxes", self.where.path],
            input=body,
            capture_output=True,
            text=True,
            timeout=60,
            env=self.environment,
            check=check,
        )

    def json(self, *words: str) -> list[dict[str, object]]:
        return [json.loads(line) for line in self.run(*words, "--json").stdout.splitlines()]

    def link(self, url: str) -> None:
        self.run("link", url, "--as", self.name)

    def sweep_every(self, seconds: float) -> None:
        """Have the router, once it is started, look at everything this often."""
        self.environment["AI_BRIDGE_SWEEP_S"] = str(seconds)

    def start(self) -> None:
        """Start the router, with its link, and wait until it is connected."""
        words = ["router", "--mailboxes", self.where.path, "--log", str(self.log)]
        self.process = subprocess.Popen([sys.executable, "-m", "ai_bridge", *words], env=self.environment)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def stop(self) -> int:
        assert self.process is not None
        self.process.terminate()
        code = self.process.wait(20)
        self.process = None
        return code

    def is_connected(self) -> bool:
        return any(bool(one["connected"]) for one in self.json("link"))

    def send(self, sender: str, recipient: str, body: str, *options: str) -> str:
        return self.run("send", recipient, "--from", sender, *options, body=body).stdout.strip()

    def state_of(self, id_: str) -> str:
        return str(self.json("status", id_)[0]["state"])


def make_streams(url: str, *teams: str, tls_ca: str = "") -> subprocess.CompletedProcess[str]:
    """Do what the administrator of the server does for these teams."""
    words = ["link", url, "--make-streams", ",".join(teams), *(["--tls-ca", tls_ca] if tls_ca else [])]
    return subprocess.run(
        [sys.executable, "-m", "ai_bridge", *words], capture_output=True, text=True, timeout=60, check=True
    )
