"""A real NATS server on a free port of the loopback address."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from pathlib import Path

from tests.support.wait import until

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
