"""Real servers as processes of their own, met through a raw pipe or through the SDK's client.

A server keeps nothing between two calls but its client's name, and starting one takes half a second: so `claude`
and `gemini` are sessions that many tests share, on mailboxes emptied before each. A test that ends its server, or
wants one of its own, starts it with `serve`.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, Implementation, TextContent

from ai_bridge.health import mail
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.system.locks import holder
from tests.conftest import until
from tests.server import wire
from tests.server.wire import Wire

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
        self.where = Mailboxes(str(base / "mailboxes"))
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


@pytest.fixture(scope="session")
def _ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    ground = Ground(tmp_path_factory.mktemp("server"))
    yield ground
    ground.end()


@pytest.fixture
def ground(_ground: Ground, monkeypatch: pytest.MonkeyPatch) -> Ground:
    """The common ground, cleared, and this process's own state in it."""
    _ground.clear()
    monkeypatch.setenv("AI_BRIDGE_STATE", str(_ground.state))
    return _ground


@pytest.fixture
def where(ground: Ground) -> Mailboxes:
    """Mailboxes with the agents claude and gemini, which the shared sessions use."""
    return ground.where


@pytest.fixture(params=["legacy", "modern"])
def era(request: pytest.FixtureRequest) -> str:
    """Each of the two protocol eras a client may speak."""
    chosen: str = request.param
    return chosen


@pytest.fixture
def claude(ground: Ground) -> Wire:
    """Claude's shared session."""
    return ground.shared(CLAUDE)


@pytest.fixture
def gemini(ground: Ground) -> Wire:
    """Gemini's shared session."""
    return ground.shared(GEMINI)


@pytest.fixture
def claude_of_era(ground: Ground, era: str) -> Wire:
    """Claude's shared session in each of the two eras."""
    return ground.shared(CLAUDE, era)


@pytest.fixture
def serve(ground: Ground) -> Iterator[Serve]:
    """Start servers of the test's own: `serve(*words, opened=, argv=, client=, era=, kind=, cwd=, **variables)`."""
    own: list[Wire] = []

    def begin(*words: str, opened: bool = True, argv: list[str] | None = None, **options: Any) -> Wire:
        own.append(ground.start(argv or command(*words), **options))
        if opened:
            own[-1].open()
        return own[-1]

    yield begin
    for server in own:
        server.end()


@pytest.fixture
def router(ground: Ground, processes: list[subprocess.Popen[bytes]]) -> None:
    """Run the router of all agents in a process of its own, ready."""
    words = [sys.executable, "-m", "ai_bridge", "router"]
    with (ground.base / "router-stderr").open("wb") as errors:
        process = subprocess.Popen(
            words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=ground.environment(), cwd=ground.base
        )
    processes.append(process)
    where = ground.where
    until(lambda: all((found := mail.router_of(where, agent)) and found.ready for agent in where.agents()))


# --- the SDK's client -----------------------------------------------------------------------------------


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def connect(ground: Ground) -> Connect:
    """Start a server and connect the SDK's client: `async with connect(era, client=) as client`."""

    @asynccontextmanager
    async def begin(era: str, client: str = CLAUDE) -> AsyncIterator[Client]:
        words = command()
        server = StdioServerParameters(command=words[0], args=words[1:], env=ground.environment(), cwd=ground.base)
        with (ground.base / "sdk-stderr").open("a") as errors:
            mode = "legacy" if era == "legacy" else "auto"
            name = Implementation(name=client, version="1")
            async with Client(stdio_client(server, errors), mode=mode, client_info=name) as connected:
                assert (connected.protocol_version == wire.MODERN) is (era == "modern")
                yield connected

    return begin


async def said(client: Client, tool: str, **words: object) -> str:
    """Call a tool that is expected to do what it is asked; returns its text."""
    result = await client.call_tool(tool, words)
    assert isinstance(result, CallToolResult)
    assert not result.is_error, result.content
    (content,) = result.content
    assert isinstance(content, TextContent)
    return content.text
