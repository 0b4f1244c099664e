"""A server whose package is replaced while it runs: it goes on with its own code, and its session is told once."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Awaitable, Callable
from contextlib import suppress

import anyio
import anyio.to_thread
import mcp_types as types

from ai_bridge.machines.installed import Installed
from ai_bridge.mailboxes import marker
from ai_bridge.reach.ways import MARK

# What a server never uses: the command line, and work of commands and routers.
_WITHOUT = ("cli", "install", "link")
# A tool whose answers are for a program, and the tool that reports how things stand.
_FOR_PROGRAMS, _REPORT = "check_mail", "peer_status"


class Update:
    """Tells one server's session of another package in the place of its own; if it `loads`, calls wait for that."""

    def __init__(self, loads: bool = False) -> None:
        self._installed = Installed()
        self._loaded = anyio.Event()
        if not loads:
            self._loaded.set()
        self._told: set[str] = set()

    async def load(self) -> None:
        """Load in a thread everything that the server may need later, so that the package may be replaced.

        Raises `NotWhole` if it was replaced before the end; calls then wait for good.
        """
        await anyio.to_thread.run_sync(self._load)
        self._loaded.set()

    def _load(self) -> None:
        with suppress(OSError, ImportError):  # the package is being replaced: `load` says so
            importlib.import_module("jsonschema")  # else the first call of a tool would load it
            marker.readme()
        self._installed.load(*_WITHOUT)

    async def answer(self, tool: str, call: Callable[[], Awaitable[types.CallToolResult]]) -> types.CallToolResult:
        """Return what `call` returns for the tool, with a note if the package was replaced.

        The session is told once, and by peer_status each time; check_mail answers a program, and never has the note.
        """
        if not self._loaded.is_set():
            await self._loaded.wait()
        return self._noted(tool, await call())

    def _noted(self, tool: str, result: types.CallToolResult) -> types.CallToolResult:
        change = self._installed.change()
        if not change or tool == _FOR_PROGRAMS or (change in self._told and tool != _REPORT):
            return result
        said = f"{change} while this session runs: mail goes on as before"
        if change not in self._told:
            print(f"{said}; restart the session to use what is installed now", file=sys.stderr)
        self._told.add(change)
        text = f"{MARK} {said}. Tell your user to restart this session when it suits."
        return result.model_copy(update={"content": [*result.content, types.TextContent(type="text", text=text)]})
