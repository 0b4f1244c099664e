"""Disk calls and visits to modules of each operation, with three agents, warm; and what parsing a message costs.

A disk call is a call of the operating system with a path: open, stat, list, link, rename, remove. A visit is a
change from one module to another on the way of an operation; a return is a visit to a module that was left before.
With strace on this machine, the calls of a whole server are counted from outside, too.
"""

from __future__ import annotations

import collections
import io
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from types import FrameType

import common
import pipe_client
from pipe_client import PipeClient

from ai_bridge import settings
from ai_bridge.cli import fast_send, sending
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.route import Router
from ai_bridge.server.client_session import Session
from ai_bridge.server.membership import Caller

_WITH_PATH = {"stat", "lstat", "open", "listdir", "scandir", "mkdir", "link", "unlink", "rename", "replace", "utime"}
_PACKAGE = f"{os.sep}ai_bridge{os.sep}"
_EVENT = "PreToolUse"
_TRACED = "trace=%file"


class Counts:
    """What one operation did: `disk` calls, `calls` of our functions, `files` visited, `visits`, `returns`."""

    def __init__(self) -> None:
        self.disk = 0
        self.way: list[str] = []

    def note(self, frame: FrameType, event: str, argument: object) -> None:
        """Count one event of the interpreter's profiler."""
        name = getattr(argument, "__name__", "")
        module = getattr(argument, "__module__", "")
        if event == "c_call":
            self.disk += (module == "posix" and name in _WITH_PATH) or (module in ("io", "_io") and name == "open")
        elif event == "call" and _PACKAGE in frame.f_code.co_filename:
            self.way.append(frame.f_code.co_filename)

    def row(self, name: str, most: str) -> list[str]:
        """Return the line of the table."""
        visits = sum(before != now for before, now in zip(["", *self.way], self.way, strict=False))
        files = len(set(self.way))
        return [name, str(self.disk), most, str(len(self.way)), str(files), str(visits), str(visits - files)]


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--rounds", type=int, default=40)
    chosen = options.parse_args()
    with common.throw_away(chosen.dir) as directory:
        os.environ["AI_BRIDGE_PAIR_PER_HOUR"] = "1000"  # out of reach, but counted
        headings = ["operation", "disk calls", "most", "calls", "files", "visits", "returns"]
        common.print_table("calls: in process", headings, _operations(directory))
        if shutil.which("strace"):
            rows = _from_outside(directory)
            common.print_table("calls: of a server, by strace", ["tool", "calls with a path", "most"], rows)
        common.print_table("parse: whole processes", ["process", "median ms", "over bare ms", "most"], _parse(chosen))


# --- in process -----------------------------------------------------------------------------------------


def _counted(action: Callable[[], object]) -> Counts:
    counts = Counts()
    sys.setprofile(counts.note)
    try:
        action()
    finally:
        sys.setprofile(None)
    return counts


class Actors:
    """A sender on the command line, a router, and a session that reads, on mailboxes of three agents."""

    def __init__(self, where: Tree, directory: Path) -> None:
        self.body = directory / "body"
        self.body.write_text(common.BODY)
        os.environ["AI_BRIDGE_MAILBOXES"] = where.path
        self.router = Router(where, set(where.agents()), settings.load(where.path))
        self.session = Session(None, common.READER)
        self.caller = Caller("gemini-cli-mcp-client", "a session")
        self._request = 0

    def send(self) -> None:
        request = fast_send.parse([common.READER, "--from", common.SENDER, "--file", str(self.body)])
        assert request is not None
        sending.run(request, io.StringIO())

    def route(self) -> None:
        for _ in self.router.one_pass():
            pass

    def deliver(self) -> None:
        self.send()
        self.route()

    def read(self) -> None:
        self._request += 1
        self.session.read(self._request, self.caller, None, {})

    def check(self) -> None:
        self._request += 1
        self.session.check(self._request, self.caller, _EVENT)

    def settle(self) -> None:
        self.session.finish(self._request, taken=True)


def _operations(directory: Path) -> list[list[str]]:
    where = common.make_mailboxes(directory, "in-process")
    where.make(["codex"])
    actors = Actors(where, directory)
    for _ in range(2):  # the first time, modules are imported and files made
        for action in (actors.deliver, actors.check, actors.settle, actors.read, actors.settle, actors.check):
            action()
    rows = [_counted(actors.send).row("send, command line", "30")]
    rows.append(_counted(actors.route).row("a pass that delivers it", "25"))
    rows.append(_counted(actors.read).row("peer_read that shows it", "70"))
    rows.append(_counted(actors.settle).row("its acknowledgment", ""))
    actors.deliver()
    rows.append(_counted(actors.check).row("check_mail with news", ""))
    actors.settle()
    rows.append(_counted(actors.check).row("check_mail without news", "70"))
    actors.session.close()
    return rows


# --- from outside ---------------------------------------------------------------------------------------


def _from_outside(directory: Path) -> list[list[str]]:
    where = common.make_mailboxes(directory, "outside")
    where.make(["codex"])
    with pipe_client.connected(pipe_client.mcp(where.path)) as client:
        check = partial(client.call, "check_mail", event=_EVENT)
        read = partial(client.call, "peer_read")
        send = partial(client.call, "peer_send", to=common.SENDER, body=common.BODY)
        for action in (read, check, send, read, check):  # the first time, modules are imported and files made
            action()
        rows = [["check_mail without news", str(_traced(client, check)), "115"]]
        common.send(where)
        rows.append(["peer_read of one message, dropped before", str(_traced(client, read)), "130"])
        rows.append(["peer_send", str(_traced(client, send)), "66"])
    return rows


def _traced(client: PipeClient, action: Callable[[], object]) -> int:
    """Return the calls with a path that the server makes while it answers, and until it has settled."""
    words = ["strace", "-f", "-qq", "-e", _TRACED, "-p", str(client.pid)]
    with subprocess.Popen(words, stderr=subprocess.PIPE, text=True) as strace:
        time.sleep(0.5)  # strace says nothing once it is attached
        action()
        time.sleep(0.5)
        strace.send_signal(signal.SIGINT)
        assert strace.stderr is not None
        made = collections.Counter(found[1] for line in strace.stderr if (found := re.search(r"(\w+)\(", line)))
    return sum(made.values())


# --- parse ----------------------------------------------------------------------------------------------


def _parse(chosen: object) -> list[list[str]]:
    raw = b"ID: a-1\nFrom: claude\nTo: gemini\nSubject: s\n\n" + common.BODY.encode()
    script = f"from ai_bridge.message import message; message.parse({raw!r})"
    nothing = Path(os.devnull)
    bare, parse = common.alternate(
        getattr(chosen, "rounds", 40),
        partial(common.whole_process, [sys.executable, "-c", "pass"], nothing),
        partial(common.whole_process, [sys.executable, "-c", script], nothing),
    )
    over = common.median([ours - other for ours, other in zip(parse, bare, strict=True)])
    return [
        ["python -c pass", common.ms(common.median(bare)), "", ""],
        ["message.parse", common.ms(common.median(parse)), common.ms(over), "25"],
    ]


if __name__ == "__main__":
    main()
