"""Real servers as processes of their own, met through a raw pipe (`serve`) or through the SDK's client (`connect`)."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from mcp.client.stdio import stdio_client
from mcp_types import CallToolResult, Implementation, TextContent

from ai_bridge import health
from ai_bridge.mailboxes import Mailboxes
from tests.conftest import until
from tests.server import wire
from tests.server.wire import Wire

ERAS = ("legacy", "modern")
_NOT_OURS = ("AI_BRIDGE_", "AI_CONNECT_", "CLAUDE_", "XDG_")

Serve = Callable[..., Wire]
Connect = Callable[..., AbstractAsyncContextManager[Client]]


def command(*words: str) -> list[str]:
    """Return the command line of the server."""
    return [sys.executable, "-m", "ai_bridge", "mcp", *words]


def environment(state: str, home: str, **variables: str) -> dict[str, str]:
    """Return an environment that holds nothing of the person's."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(_NOT_OURS)}
    return kept | {"AI_BRIDGE_STATE": state, "HOME": home} | variables


def start(
    base: Path,
    words: list[str],
    variables: dict[str, str],
    client: str = "claude-code",
    era: str = "legacy",
    kind: str = "pipes",
    cwd: Path | None = None,
) -> Wire:
    """Start a process whose input and output are ours; its standard error goes to a file under `base`."""
    theirs_in, ours_in, ours_out, theirs_out = wire.ends(kind)
    stderr = base / f"stderr-{ours_in}-{os.urandom(4).hex()}"
    with stderr.open("wb") as errors:
        process = subprocess.Popen(
            words, stdin=theirs_in, stdout=theirs_out, stderr=errors, env=variables, cwd=cwd or base
        )
    os.close(theirs_in)
    os.close(theirs_out)
    made = Wire(process, (ours_in, ours_out), client, era)
    made.stderr = stderr
    return made


@pytest.fixture()
def serve(where: Mailboxes, tmp_path: Path, processes: list[subprocess.Popen[bytes]]) -> Iterator[Serve]:
    """Start servers on the test's mailboxes: `serve(*words, client=, era=, kind=, opened=, argv=, cwd=, **variables)`."""
    started: list[Wire] = []

    def begin(
        *words: str,
        client: str = "claude-code",
        era: str = "legacy",
        kind: str = "pipes",
        opened: bool = True,
        argv: list[str] | None = None,
        cwd: Path | None = None,
        **variables: str,
    ) -> Wire:
        given = {"AI_BRIDGE_MAILBOXES": where.path} | variables
        own = environment(os.environ["AI_BRIDGE_STATE"], os.environ["HOME"], **given)
        found = start(tmp_path, argv or command(*words), own, client, era, kind, cwd)
        started.append(found)
        processes.append(found.process)
        if opened:
            found.open()
        return found

    yield begin
    for one in started:
        one.close_in()
        one.close_out()


@pytest.fixture()
def router(where: Mailboxes, tmp_path: Path, processes: list[subprocess.Popen[bytes]]) -> None:
    """Run the router of all agents in a process of its own, ready."""
    words = [sys.executable, "-m", "ai_bridge", "router", "--mailboxes", where.path]
    own = environment(os.environ["AI_BRIDGE_STATE"], os.environ["HOME"])
    with (tmp_path / "router-stderr").open("wb") as errors:
        process = subprocess.Popen(words, stdin=subprocess.DEVNULL, stdout=errors, stderr=errors, env=own, cwd=tmp_path)
    processes.append(process)
    until(lambda: all((found := health.router_of(where, agent)) and found.ready for agent in where.agents()))


# --- the SDK's client -----------------------------------------------------------------------------------


@pytest.fixture()
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(params=ERAS)
def era(request: pytest.FixtureRequest) -> str:
    """Each of the two protocol eras a client may speak."""
    chosen: str = request.param
    return chosen


@pytest.fixture()
def connect(where: Mailboxes, tmp_path: Path) -> Connect:
    """Start a server and connect the SDK's client: `async with connect(era, client=, **variables) as client`."""

    @asynccontextmanager
    async def begin(era: str, client: str = "claude-code", **variables: str) -> AsyncIterator[Client]:
        own = environment(os.environ["AI_BRIDGE_STATE"], os.environ["HOME"], AI_BRIDGE_MAILBOXES=where.path)
        words = command()
        server = StdioServerParameters(command=words[0], args=words[1:], env=own | variables, cwd=tmp_path)
        with (tmp_path / "sdk-stderr").open("a") as errors:
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
