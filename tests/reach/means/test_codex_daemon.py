"""The daemon of Codex CLI takes a text for an idle thread, a working one, or its queue; trouble is an OSError."""

from __future__ import annotations

import json
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from websockets.sync.server import ServerConnection, unix_serve

from ai_bridge.clients import CODEX_CLI
from ai_bridge.reach.means import codex_daemon
from ai_bridge.reach.ways import ways_of

THREAD, TURN = "0199-thread", "01a2-turn"
TEXT = [{"type": "text", "text": "a notice"}]


class Daemon:
    """A daemon whose one thread is `active` or not; `calls` are the requests, `refuses` names what it refuses."""

    def __init__(self) -> None:
        self.active = False
        self.refuses = ""
        self.says: str | None = None
        self.calls: list[tuple[str, dict[str, Any]]] = []

    def serve(self, connection: ServerConnection) -> None:
        for text in connection:
            asked = json.loads(text)
            if "id" not in asked:
                continue
            self.calls.append((asked["method"], asked["params"]))
            connection.send(json.dumps({"method": "thread/status/changed", "params": {}}))
            connection.send(
                self.says or json.dumps({"id": asked["id"], **self.answer(asked["method"], asked["params"])})
            )

    def answer(self, method: str, words: dict[str, Any]) -> dict[str, Any]:
        if method == self.refuses:
            return {"error": {"code": -32600, "message": "no active turn to steer"}}
        if method != "thread/read":
            return {"result": {}}
        turns = [{"id": "01a0", "status": "completed"}, {"id": TURN, "status": "inProgress"}]
        thread = {"status": {"type": "active" if self.active else "idle"}}
        return {"result": {"thread": {**thread, "turns": turns if words.get("includeTurns") else []}}}

    @property
    def last(self) -> tuple[str, dict[str, Any]]:
        return self.calls[-1]


@pytest.fixture
def home(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Codex's folder, with a path that is short enough for a socket."""
    with tempfile.TemporaryDirectory() as folder:
        monkeypatch.setenv("CODEX_HOME", folder)
        yield folder


@pytest.fixture
def daemon(home: str) -> Iterator[Daemon]:
    path = Path(codex_daemon.socket_path())
    path.parent.mkdir()
    made = Daemon()
    with unix_serve(made.serve, str(path)) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield made
        server.shutdown()
        thread.join()


def test_an_idle_thread_begins_a_turn(daemon: Daemon) -> None:
    assert codex_daemon.deliver(THREAD, "a notice", urgent=False)
    assert daemon.last == ("turn/start", {"threadId": THREAD, "input": TEXT})
    assert daemon.calls[0][1]["clientInfo"]["name"] == "ai-bridge"


def test_a_working_thread_is_steered_if_it_is_urgent(daemon: Daemon) -> None:
    daemon.active = True
    assert codex_daemon.deliver(THREAD, "a notice", urgent=True)
    assert daemon.last == ("turn/steer", {"threadId": THREAD, "expectedTurnId": TURN, "input": TEXT})


def test_else_it_waits_for_the_end_of_the_turn(daemon: Daemon) -> None:
    daemon.active = True
    assert codex_daemon.deliver(THREAD, "a notice", urgent=False) is False
    method, words = daemon.last
    assert (method, words["threadId"], words["input"]) == ("thread/queue/add", THREAD, TEXT)


def test_what_the_daemon_refuses_is_refused(daemon: Daemon) -> None:
    daemon.active, daemon.refuses = True, "turn/steer"
    with pytest.raises(codex_daemon.DaemonRefused, match="no active turn"):
        codex_daemon.deliver(THREAD, "a notice", urgent=True)


@pytest.mark.parametrize("said", ["no JSON", "[]", '{"id": 1, "result": null}'])
def test_an_answer_of_another_form_is_an_oserror(daemon: Daemon, said: str) -> None:
    daemon.says = said
    with pytest.raises(OSError, match="answered otherwise"):
        codex_daemon.deliver(THREAD, "a notice", urgent=False)


@pytest.mark.usefixtures("home")
def test_without_a_daemon_it_is_an_oserror() -> None:
    with pytest.raises(OSError, match="No such file"):
        codex_daemon.deliver(THREAD, "a notice", urgent=False)


def test_a_session_is_reached_by_the_daemon_and_else_by_the_queue(
    daemon: Daemon, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways, queued = ways_of(CODEX_CLI), list[str]()
    monkeypatch.setattr(ways, "_queue", lambda key, text: queued.append(text))
    assert ways.can_push(THREAD)
    assert ways.push(THREAD, "a notice") is True
    daemon.refuses = "turn/start"
    assert ways.push(THREAD, "another") is False
    assert queued == ["another"]
