"""The ground of all tests of the server: mailboxes, a state, a home, and real servers as processes of their own."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

from mcp import Client
from mcp_types import CallToolResult, TextContent

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.locks import holder
from tests.support import wire
from tests.support.wait import until
from tests.support.wire import Wire

CLAUDE, GEMINI, CODEX = "claude-code", "gemini-cli-mcp-client", "codex-mcp-client"


_NOT_OURS = ("AI_BRIDGE_", "AI_CONNECT_", "CLAUDE", "CODEX_", "GEMINI_", "XDG_")


Serve = Callable[..., Wire]


Connect = Callable[..., AbstractAsyncContextManager[Client]]


def command(*words: str) -> list[str]:
    """Return the command line of the server."""
    return [sys.executable, "-m", "ai_bridge", "mcp", *words]


class Ground:
    """What all tests of the server stand on: mailboxes, a state, a home, and the sessions that tests share."""

    def __init__(self, base: Path) -> None:
        self.base = base
        self.where = Tree(str(base / "mailboxes"))
        self.state, self.home = base / "state", base / "home"
        self._started = 0
        self._shared: dict[tuple[str, str], Wire] = {}

    def clear(self) -> None:
        """Make everything as if nothing had happened yet."""
        self._end_what_is_busy()
        for path in (self.where.path, self.state, self.home):
            shutil.rmtree(path, ignore_errors=True)
        self.where.make(["claude", "gemini"])
        self.home.mkdir()

    def _end_what_is_busy(self) -> None:
        """Wait until the shared sessions are done with the last test's mail; one that is not has its end."""
        for key in [key for key, server in self._shared.items() if not server.is_idle()]:
            self._shared.pop(key).end()
        try:
            until(lambda: not any(holder(str(lock)) for lock in self._locks()), 5.0)
        except AssertionError:
            self.end()

    def _locks(self) -> list[Path]:
        """Return the locks but for those by which live sessions hold their names."""
        return [lock for lock in self.state.rglob("*.lock") if not lock.name.startswith("session-")]

    def environment(self, **variables: str) -> dict[str, str]:
        """Return an environment that holds nothing of the person's."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_OURS)}
        ours = {"AI_BRIDGE_STATE": str(self.state), "HOME": str(self.home), "AI_BRIDGE_MAILBOXES": self.where.path}
        ours["AI_BRIDGE_PAIR_PER_HOUR"] = "0"
        return kept | ours | variables

    def start(
        self,
        words: list[str],
        client: str = CLAUDE,
        era: str = "legacy",
        kind: str = "pipes",
        cwd: Path | None = None,
        **variables: str,
    ) -> Wire:
        """Start a server whose input and output are ours; its standard error goes to a file."""
        theirs_in, ours_in, ours_out, theirs_out = wire.ends(kind)
        self._started += 1
        stderr = self.base / f"stderr-{self._started}"
        with stderr.open("wb") as errors:
            process = subprocess.Popen(
                words,
                stdin=theirs_in,
                stdout=theirs_out,
                stderr=errors,
                env=self.environment(**variables),
                cwd=cwd or self.base,
            )
        os.close(theirs_in)
        os.close(theirs_out)
        return Wire(process, (ours_in, ours_out), client, era, stderr)

    def shared(self, client: str, era: str = "legacy") -> Wire:
        """Return the shared session of a client, started at its first use."""
        found = self._shared.get((client, era))
        if found is None:
            found = self._shared[client, era] = self.start(command(), client, era)
            found.open()
        found.progress.clear()
        return found

    def end(self) -> None:
        """End the shared sessions."""
        while self._shared:
            self._shared.popitem()[1].end()


async def said(client: Client, tool: str, **words: object) -> str:
    """Call a tool that is expected to do what it is asked; returns its text."""
    result = await client.call_tool(tool, words)
    assert isinstance(result, CallToolResult)
    assert not result.is_error, result.content
    content, *_ = result.content  # the first reply also has an introduction
    assert isinstance(content, TextContent)
    return content.text
