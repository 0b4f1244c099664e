"""reconnect: after its server died, a session is told once how to start it again; else never."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach import reconnect
from ai_bridge.reach.ways import MARK
from ai_bridge.system import processes

SAID = f"{MARK} The MCP server ai-bridge of this session has ended"
CLAUDE = clients.by_name("claude")
SERVER = (
    "import sys; from ai_bridge.mailboxes.tree import Tree; from ai_bridge.reach import reconnect\n"
    "reconnect.begin(Tree(sys.argv[1]), 'one'); print('begun', flush=True); sys.stdin.read()\n"
    "reconnect.end(Tree(sys.argv[1]), 'one')"
)


@pytest.fixture(autouse=True)
def _in_a_hook(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let this process, which starts the servers, stand for a hook of the client that starts them."""
    if "command" not in request.node.name:
        monkeypatch.setattr(processes, "ancestor_keys", lambda most: [processes.own_key()])


class Served:
    """A process that serves the session `one`, as a server does."""

    def __init__(self, where: Tree, *before: str) -> None:
        words = [*before, sys.executable, "-c", SERVER, where.path]
        self.process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=dict(os.environ))
        assert self.process.stdout is not None
        assert self.process.stdout.readline() == b"begun\n"

    def die(self) -> None:
        self.process.send_signal(signal.SIGKILL)
        self.end()

    def end(self) -> None:
        self.process.communicate(timeout=60)


def said(where: Tree, client: clients.Client = CLAUDE, key: str = "one") -> str:
    return reconnect.ways_after(where, client, key).besides("Stop")


def test_after_a_death_it_is_said_once(where: Tree) -> None:
    Served(where).die()
    assert said(where).startswith(SAID)
    assert said(where) == ""


def test_each_client_is_told_its_own_way(where: Tree) -> None:
    for client in clients.with_hooks():
        Served(where).die()
        assert client.reach.reconnect
        assert said(where, client) == f"{reconnect_line(client)}"


def reconnect_line(client: clients.Client) -> str:
    return f"{SAID}, so its tools fail and mail does not wake you: ask your user to {client.reach.reconnect}."


def test_while_a_server_lives_and_after_it_ended_nothing_is_said(where: Tree) -> None:
    server = Served(where)
    assert said(where) == ""
    server.end()
    assert said(where) == ""


def test_of_a_session_that_never_had_a_server_nothing_is_said(where: Tree) -> None:
    assert said(where) == said(where, key="") == ""


def test_each_death_is_said(where: Tree) -> None:
    for _ in range(2):
        Served(where).die()
        assert said(where).startswith(SAID)


def test_a_server_that_was_started_again_in_time_is_no_death(where: Tree) -> None:
    Served(where).die()
    again = Served(where)
    assert said(where) == ""
    again.end()


def test_the_end_of_an_older_server_does_not_hide_the_death_of_a_newer_one(where: Tree) -> None:
    older = Served(where)
    Served(where).die()
    older.end()
    assert said(where).startswith(SAID)


def test_a_server_of_an_earlier_run_of_the_client_ended_with_it(where: Tree) -> None:
    """A session that is resumed has its key again, and another process of its client."""
    script = "import subprocess, sys; p = subprocess.Popen(sys.argv[1:]); p.wait()"
    earlier = Served(where, sys.executable, "-c", script)
    earlier.process.kill()
    earlier.end()
    assert said(where) == ""


def test_a_disk_that_refuses_hides_the_death_instead_of_saying_it_each_time(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    Served(where).die()

    def refuse(*_: object, **__: object) -> bool:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(reconnect.durable, "remove", refuse)
    assert said(where) == ""


def test_a_server_that_nobody_waited_for_is_dead(where: Tree) -> None:
    server = Served(where)
    server.process.kill()
    os.waitid(os.P_PID, server.process.pid, os.WEXITED | os.WNOWAIT)
    assert said(where).startswith(SAID)
    server.end()


def test_a_damaged_note_says_nothing(where: Tree) -> None:
    reconnect.begin(where, "one")
    (note,) = Path(where.state_file("servers")).iterdir()
    for text in ("", "\n", "process", f"process x y\n{processes.parent_key()}", "\0" * 9, "process 1 1"):
        note.write_text(text)
        assert said(where) == ""


def test_the_command_says_it_beside_the_mail(where: Tree) -> None:
    """The command itself: its answer is one JSON object with both."""
    from tests.support.command import command
    from tests.support.mail import post

    post(where, to="claude", sender="gemini")
    Served(where).die()
    told = json.dumps({"hook_event_name": "UserPromptSubmit", "session_id": "one"})
    known = {"CLAUDECODE": "1", "AI_BRIDGE_MAILBOXES": where.path}
    first, second = (json.loads(command("hook", "claude", body=told, **known).stdout) for _ in range(2))
    lines = first["hookSpecificOutput"]["additionalContext"].split("\n")
    assert lines[0].startswith(f"{MARK} 1 new message for claude")
    assert lines[1:] == [reconnect_line(CLAUDE)]
    assert second == {}
