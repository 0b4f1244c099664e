"""A client over raw pipes: one line out, one line in, and no library between the clock and the server."""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import common

BARE_SERVER = [sys.executable, str(Path(__file__).with_name("bare_server.py"))]


class PipeClient:
    """The client's side of one server process."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        assert process.stdin is not None
        assert process.stdout is not None
        self._to, self._from = process.stdin, process.stdout
        self.pid = process.pid
        self._last_id = 0

    def initialize(self) -> None:
        """Send `initialize` and return when it is answered."""
        asked = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "gemini-cli-mcp-client", "version": "1"},
        }
        self._ask("initialize", asked)
        self._write({"method": "notifications/initialized"})

    def call(self, tool: str, **words: object) -> str:
        """Call a tool; returns the line that answers."""
        return self._ask("tools/call", {"name": tool, "arguments": words})

    def _ask(self, method: str, params: dict[str, Any]) -> str:
        self._last_id += 1
        self._write({"id": self._last_id, "method": method, "params": params})
        line = self._from.readline().decode()
        if '"result"' not in line or '"isError":true' in line:
            raise SystemExit(f"error: {method} was answered with {line or 'nothing'}")
        return line

    def _write(self, message: dict[str, Any]) -> None:
        self._to.write(json.dumps({"jsonrpc": "2.0", **message}).encode() + b"\n")
        self._to.flush()


def mcp(mailboxes: str) -> list[str]:
    """Return the command of the server that reads for the reader."""
    return [common.PROGRAM, "mcp", "--mailboxes", mailboxes, "--agent", common.READER]


@contextmanager
def connected(words: Sequence[str]) -> Iterator[PipeClient]:
    """Yield a client whose `initialize` was answered; its server ends with the block."""
    with common.child(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        client = PipeClient(process)
        client.initialize()
        yield client


def seconds_to_initialize(words: Sequence[str]) -> float:
    """Return the seconds from before the start of a server to its answer."""
    before = time.perf_counter()
    with connected(words):
        return time.perf_counter() - before
