"""A NATS server whose accounts are those that `ai-bridge link --permissions` prints, and a raw client of each."""

from __future__ import annotations

import asyncio
import re
import subprocess
import sys
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

from tests.support.nats_server import NatsServer

ADMINISTRATOR = "AIBRIDGE"


def permissions(name: str, directory: Path) -> str:
    """Return what the command prints, run where there are no mailboxes."""
    words = [sys.executable, "-m", "ai_bridge", "link", "--permissions", name]
    return subprocess.run(words, capture_output=True, text=True, timeout=60, check=True, cwd=directory).stdout


class Walled:
    """The server, and the URL of each account's user."""

    def __init__(self, directory: Path, *teams: str) -> None:
        directory.mkdir()
        self.users: dict[str, str] = {}
        for name in (ADMINISTRATOR, *teams):
            self._write(directory, name)
        accounts = "\n".join(f'  include "{name}.conf"' for name in self.users)
        self.server = NatsServer(directory, f"accounts {{\n{accounts}\n}}").start()

    def _write(self, directory: Path, name: str) -> None:
        text = permissions(name, directory)
        (directory / f"{name}.conf").write_text(text)
        found = re.search(r'user: "([\w-]+)", password: "(\w+)"', text)
        assert found is not None
        self.users[name] = f"{found[1]}:{found[2]}"

    def add(self, team: str) -> None:
        """Add the account of a team, and restart the server."""
        self._write(self.server.directory, team)
        config = self.server.config
        config.write_text(config.read_text().replace("accounts {\n", f'accounts {{\n  include "{team}.conf"\n'))
        self.server.kill()
        self.server.start()

    def url(self, name: str) -> str:
        return self.server.url.replace("//", f"//{self.users[name]}@")

    def do(self, name: str, work: Callable[[Any], Coroutine[Any, Any, Any]]) -> Any:
        """Do something with a raw client that has the credentials of `name`; returns what it returns."""
        import nats

        async def run() -> Any:
            client = await nats.connect(self.url(name), error_cb=_ignore)
            try:
                return await asyncio.wait_for(work(client), 60)
            finally:
                await client.close()

        return asyncio.run(run())


async def _ignore(_: Exception) -> None:
    """A client that is refused goes on."""
