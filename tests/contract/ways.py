"""Every way a message gets in, and every way it gets out, behind one face each."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from abc import ABC, abstractmethod
from pathlib import Path

import anyio
from mcp import Client, StdioServerParameters
from mcp_types import TextContent

from ai_bridge import settings
from ai_bridge.errors import BridgeError
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, REASON
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.server.client_session import Session
from ai_bridge.server.notifications import Reaching
from ai_bridge.server.run import build
from ai_bridge.server.update import Update
from tests.support.checkout import ROOT
from tests.support.command import command
from tests.support.mail import LIMIT, route, send
from tests.support.wait import until


class Refused(Exception):
    """The way refused the message, at once or by the router."""


class WayIn(ABC):
    """Sends from an agent; returns the ID, or raises `Refused` with what the sender was told.

    `is_models`: only a model sends this way. `holds`: a message over a limit is sent, and the router holds it.
    """

    is_models = holds = False

    @abstractmethod
    def send(self, where: Tree, to: str, body: str, subject: str = "s", sender: str = "claude") -> str: ...


class PythonWay(WayIn):
    def send(self, where: Tree, to: str, body: str, subject: str = "s", sender: str = "claude") -> str:
        try:
            return send(where, sender, Draft([to], body, subject), LIMIT).id
        except BridgeError as refusal:
            raise Refused(str(refusal)) from None


class CliWay(WayIn):
    def send(self, where: Tree, to: str, body: str, subject: str = "s", sender: str = "claude") -> str:
        words = ("send", to, subject, "--from", sender, "--mailboxes", where.path)
        return _checked(command(*words, body=body.encode()))


class ShellWay(WayIn):
    holds = True

    def send(self, where: Tree, to: str, body: str, subject: str = "s", sender: str = "claude") -> str:
        done = subprocess.run(
            [ROOT / "management" / "send.sh", to, subject, "--from", sender, "--mailboxes", where.path],
            input=body.encode(),
            capture_output=True,
            timeout=60,
            check=False,
        )
        return _checked(
            subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())
        )


def _checked(done: subprocess.CompletedProcess[str]) -> str:
    if done.returncode == 0:
        return done.stdout.strip()
    assert done.returncode == 1
    assert done.stdout == ""
    assert re.fullmatch(r"error: [^\n]+\n", done.stderr)
    raise Refused(done.stderr)


class McpWay(WayIn):
    is_models = True

    def send(self, where: Tree, to: str, body: str, subject: str = "s", sender: str = "claude") -> str:
        return id_in(called_send(where, {"to": to, "body": body, "subject": subject}, sender))


def called_send(where: Tree, words: dict[str, str], sender: str) -> str:
    """Return what `peer_send` answers to a session of `sender`; raises `Refused` with its error."""
    return anyio.run(_called_send, where, words, sender)


def id_in(answer: str) -> str:
    """Return the ID in an answer of `peer_send`."""
    return answer.rpartition("ID: ")[2].split()[0]


async def _called_send(where: Tree, words: dict[str, str], sender: str) -> str:
    session = Session(where.path, sender)
    reaching = Reaching(session)
    try:
        async with Client(build(session, reaching, Update())) as client:
            result = await client.call_tool("peer_send", words)
    finally:
        reaching.end()
        session.close()
    content, *_ = result.content
    assert isinstance(content, TextContent)
    if result.is_error:
        raise Refused(content.text)
    return content.text


class HandWay(WayIn):
    """A file written straight into the outbox, as an editor or a script does; refused by the router."""

    holds = True
    number = 0

    def send(self, where: Tree, to: str, body: str, subject: str = "s", sender: str = "claude") -> str:
        HandWay.number += 1
        id_ = f"{sender}-{time.strftime('%Y%m%d-%H%M%S', time.gmtime())}-{self.number:06d}-hand"
        outbox = where.outbox(sender)
        name = f"note {self.number}.txt"
        if not os.path.isdir(outbox.path):
            raise Refused(f"there is no agent {sender}: the directory is missing")
        text = f"ID: {id_}\nFrom: {sender}\nTo: {to}\nSubject: {subject}\n\n{body}"
        Path(outbox.file(DROPPED, name)).write_bytes(text.encode())
        route(where, settings.load(where.path, {"settle_s": 0.0}))
        reason = Path(outbox.file(MALFORMED, name) + REASON)
        if reason.exists():
            raise Refused(reason.read_text())
        return id_


WAYS_IN: dict[str, WayIn] = {
    "python": PythonWay(),
    "cli": CliWay(),
    "send.sh": ShellWay(),
    "mcp": McpWay(),
    "hand": HandWay(),
}


class WayOut(ABC):
    """Reads what is unread for gemini; returns (ID, body) of each message, oldest first."""

    @abstractmethod
    def read(self, where: Tree, peek: bool = False) -> list[tuple[str, str]]: ...


class PythonReader(WayOut):
    def read(self, where: Tree, peek: bool = False) -> list[tuple[str, str]]:
        found = []
        for one in fetch(where, "gemini", settings.load(where.path)):
            message = one.load()
            found.append((message.id, message.body))
            assert peek or one.acknowledge()
        return found


class CliReader(WayOut):
    def read(self, where: Tree, peek: bool = False) -> list[tuple[str, str]]:
        words = ["read", "--agent", "gemini", "--mailboxes", where.path, "--json", *(["--peek"] if peek else [])]
        done = command(*words)
        assert (done.returncode, done.stderr) == (0, "")
        lines = [json.loads(line) for line in done.stdout.splitlines()]
        return [(line["id"], line["body"]) for line in lines]


class RawReader(WayOut):
    """A script of its own: `list`, then each file's exact bytes by `show --raw`, then `acknowledge`."""

    def read(self, where: Tree, peek: bool = False) -> list[tuple[str, str]]:
        common = ["--agent", "gemini", "--mailboxes", where.path]
        fetch(where, "gemini", settings.load(where.path))
        ids = [json.loads(line)["id"] for line in command("list", "--json", *common).stdout.splitlines()]
        found = [(id_, self._raw(id_, common).partition("\n\n")[2]) for id_ in ids]
        if ids and not peek:
            assert command("acknowledge", *ids, *common).returncode == 0
        return found

    def _raw(self, id_: str, common: list[str]) -> str:
        done = subprocess.run(
            [sys.executable, "-m", "ai_bridge", "show", "--raw", id_, *common], capture_output=True, check=True
        )
        return done.stdout.decode()


class McpReader(WayOut):
    """The real server over real pipes, with the SDK's client."""

    _MAIL = re.compile(
        r"^ID: (?P<id>\S+)\n(?:[A-Z][\w-]*: [^\n]*\n)*?"
        r"--- mail (?P<fence>\w+) ---\n(?P<body>.*?)\n--- end (?P=fence) ---",
        re.DOTALL | re.MULTILINE,
    )

    def read(self, where: Tree, peek: bool = False) -> list[tuple[str, str]]:
        return anyio.run(self._read, where, peek)

    async def _read(self, where: Tree, peek: bool) -> list[tuple[str, str]]:
        environment = {name: value for name, value in os.environ.items() if name.startswith("AI_BRIDGE_")}
        server = StdioServerParameters(
            command=sys.executable,
            args=["-m", "ai_bridge", "mcp", "--agent", "gemini", "--mailboxes", where.path],
            env={**environment, "HOME": os.environ["HOME"], "PATH": os.environ["PATH"]},
        )
        async with Client(server, mode="legacy") as client:
            result = await client.call_tool("peer_read", {"peek": peek, "max_chars": 4_000_000})
            content, *_ = result.content
            assert isinstance(content, TextContent)
            if not peek:
                await anyio.to_thread.run_sync(self._await_acknowledged, where)
        return [(mail["id"], mail["body"]) for mail in self._MAIL.finditer(content.text)]

    def _await_acknowledged(self, where: Tree) -> None:
        until(lambda: not unread.unread_for(where, "gemini"))


WAYS_OUT: dict[str, WayOut] = {
    "python": PythonReader(),
    "cli": CliReader(),
    "raw": RawReader(),
    "mcp": McpReader(),
}


BODIES = [
    "hello",
    "no escaping: $(id) `id` \\ \" ' $HOME %s %n\n",
    "\r\nCRLF\r\n\r\n",
    "\n\n\nnewlines around\n\n\n",
    "---\nID: forged\nFrom: root\n---\n",
    "NUL \x00 and \x1b[31m and \x85 stay in a body",
    "grüße 🎉 \u202e \U000e0041",
    "x" * 900_000,
]
