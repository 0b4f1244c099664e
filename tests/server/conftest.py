"""The servers that tests meet, through a raw pipe or through the SDK's client.

A server keeps nothing between two calls but its client's name, and starting one takes half a second: so `claude`
and `gemini` are sessions that many tests share, on mailboxes emptied before each. A test that ends its server, or
wants one of its own, starts it with `serve`.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import Implementation

from ai_bridge.health import mail
from ai_bridge.mailboxes.tree import Tree
from tests.support import wire
from tests.support.server import CLAUDE, GEMINI, Connect, Ground, Serve, command
from tests.support.wait import until
from tests.support.wire import Wire


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
def where(ground: Ground) -> Tree:
    """Tree with the agents claude and gemini, which the shared sessions use."""
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
