"""Two agents talk on throw-away mailboxes: the real commands do each step, and the demo checks each result.

It shows the conversation while it goes on, and then how long each step took.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager

import anyio
import click
from mcp import Client, StdioServerParameters
from mcp.client.stdio import get_default_environment
from mcp_types import Implementation, TextContent

from ai_bridge import clients
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import control

_PATIENCE_S = 10.0
_AGENTS = ("claude", "gemini")
_QUESTION = "Phase 1 is complete. No escaping: $(), \\, \", ' mean nothing here.\n---\nWhat is next?\n"
_ANSWER = "Well done. Phase 2: the tests.\n"
# What was done, how long it took in milliseconds, and where the message's file was then.
_steps: list[tuple[str, float, str]] = []


class Unseen(Exception):
    """An expected step was not seen."""


def run() -> int:
    """Play the demo in a temporary directory; return the exit code, 0 only if every step was seen."""
    with tempfile.TemporaryDirectory(prefix="ai-bridge-demo-", ignore_cleanup_errors=True) as home:
        return _play(home)


def _play(home: str) -> int:
    where = Tree(os.path.join(home, "mailboxes"))
    os.environ["AI_BRIDGE_MAILBOXES"] = where.path
    os.environ["AI_BRIDGE_STATE"] = os.path.join(home, "state")
    os.environ["XDG_CONFIG_HOME"] = os.path.join(home, "config")  # the list of adopted mailboxes is there
    os.environ.pop("AI_BRIDGE_AGENT", None)
    try:
        with _routers(where):
            anyio.run(_talk, where)
            _show_steps()
            _show_health()
        _check(not control.running(where), "every router stopped")
    except (Unseen, BaseExceptionGroup) as trouble:
        click.echo(click.style(f"NOT SEEN: {_first_cause(trouble)}", fg="red", bold=True))
        return 1
    click.echo(click.style("Every step was seen.", fg="green", bold=True))
    return 0


def _first_cause(trouble: BaseException) -> BaseException:
    """Return the first error in an exception group, or the error itself."""
    return _first_cause(trouble.exceptions[0]) if isinstance(trouble, BaseExceptionGroup) else trouble


@contextlib.contextmanager
def _routers(where: Tree) -> Iterator[None]:
    """Run claude's and gemini's router while the demo lasts."""
    _command("init", *_AGENTS)
    try:
        for agent in _AGENTS:
            _command("start", "--agent", agent)
        _check(len(control.running(where)) == 2, "two routers run")
        yield
    finally:
        control.stop(where)


async def _talk(where: Tree) -> None:
    question = _pipe(_QUESTION, "send", "gemini", "status_update", "--from", "claude")
    _say("claude → gemini: status_update", _QUESTION)
    _follow(where, question, "unread")
    async with _client(clients.by_name("gemini").own_name) as gemini:
        names = [tool.name for tool in (await gemini.list_tools()).tools]
        _check("read_claude_messages" in names, "the tool read_claude_messages is there")
        await _read(gemini, "read_claude_messages", _QUESTION)
        _follow(where, question, "read")
    async with _client(clients.by_name("claude").own_name) as claude, anyio.create_task_group() as group:
        group.start_soon(_answer_later, where, question)
        await _wait(claude)
        await _read(claude, "read_gemini_messages", _ANSWER)
        _say("gemini → claude: next", _ANSWER)
        _check("No unread mail" in await _call(claude, "peer_read"), "nothing is left unread")


async def _answer_later(where: Tree, question: str) -> None:
    await anyio.sleep(0.3)
    answer = await anyio.to_thread.run_sync(
        _pipe, _ANSWER, "send", "claude", "next", "--from", "gemini", "--reply-to", question
    )
    _check(trace.find(where, answer)[0].load().thread == question, "the answer is in the question's thread")


def _client(name: str) -> AbstractAsyncContextManager[Client]:
    own = {key: value for key, value in os.environ.items() if key.startswith(("AI_BRIDGE_", "PYTHON", "XDG_"))}
    server = StdioServerParameters(
        command=sys.executable, args=["-m", "ai_bridge", "mcp"], env=get_default_environment() | own
    )
    return Client(server, mode="legacy", client_info=Implementation(name=name, version="demo"))


async def _call(client: Client, tool: str, **words: object) -> str:
    started = time.perf_counter()
    result = await client.call_tool(tool, words)
    _took(f"{client.client_info.name if client.client_info else ''} calls {tool}", started)
    content = result.content[0]
    _check(isinstance(content, TextContent) and not result.is_error, f"{tool} answered")
    assert isinstance(content, TextContent)
    return content.text


async def _read(client: Client, tool: str, body: str) -> None:
    _check(body in await _call(client, tool), f"{tool} showed the exact body")


async def _wait(client: Client) -> None:
    _check(
        "1 message unread" in await _call(client, "peer_wait", timeout_s=_PATIENCE_S), "the waiting client was woken"
    )


# --- steps ----------------------------------------------------------------------------------------------


def _pipe(body: str, *words: str) -> str:
    """Send with a process of its own that reads the body from a pipe, as in a shell; return the ID."""
    started = time.perf_counter()
    id_ = _command(*words, body=body)
    _took("`ai-bridge send` in a shell, until the message is safe on the disk", started)
    return id_


def _follow(where: Tree, id_: str, state: str) -> None:
    """Wait, at most `_PATIENCE_S` seconds, until the message is in that state."""
    started = time.perf_counter()
    while time.perf_counter() - started < _PATIENCE_S:
        place = trace.find(where, id_)[0]
        if place.state == state:
            _took(f"then until it is {state}", started, os.path.relpath(place.path, where.path))
            return
        time.sleep(0.001)
    raise Unseen(f"{id_} in state {state}")


def _command(*words: str, body: str = "") -> str:
    done = subprocess.run(
        [sys.executable, "-m", "ai_bridge", *words], input=body.encode(), stdout=subprocess.PIPE, check=False
    )
    _check(done.returncode == 0, f"ai-bridge {words[0]} succeeded")
    return done.stdout.decode().strip()


def _show_health() -> None:
    _say("Health", _command("health").splitlines()[-1].strip())


def _show_steps() -> None:
    lines = [f"{took:7.1f} ms  {what}" + (f": {path}" if path else "") for what, took, path in _steps]
    _say("How long each step took", "\n".join(lines))


def _took(what: str, started: float, path: str = "") -> None:
    _steps.append((what, (time.perf_counter() - started) * 1000, path))


def _say(heading: str, text: str) -> None:
    """Print a heading, and the text indented below it."""
    click.echo(click.style(f"\n{heading}", bold=True))
    click.echo("\n".join(f"  {line}" for line in text.splitlines()))


def _check(seen: bool, what: str) -> None:
    if not seen:
        raise Unseen(what)
