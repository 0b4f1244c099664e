"""A message waits for an earlier one of its sender that is on its way, in whatever order the tool brings them."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest

from ai_bridge.machines.syncthing import nudge, on_its_way
from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from ai_bridge.system.directories import memory_of
from tests.support.loopback import Loopback
from tests.support.mail import post, states

EARLY, LATE = "claude-20200101-000000-000000-aaaa", "claude-20400101-000000-000000-aaaa"


class _Needs(Loopback):
    """A stand-in for Syncthing that says what it needs; `status` is what it answers with."""

    def __init__(self) -> None:
        self.files: list[dict[str, object]] = []
        self.status = 200
        needs = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                said = json.dumps({"progress": None, "queued": needs.files[:1], "rest": needs.files[1:]}).encode()
                self.send_response(needs.status)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

        super().__init__(Handler)


@pytest.fixture
def needs(where: Tree, monkeypatch: pytest.MonkeyPatch) -> Iterator[_Needs]:
    monkeypatch.setattr(nudge, "_places", {})
    monkeypatch.setattr(nudge, "flush", lambda answer=False: None)
    made = _Needs()
    path = memory_of(nudge.FOLDER, where.path)
    durable.make_directory(os.path.dirname(path))
    Path(path).write_text(json.dumps({"url": made.url, "key": "k", "folder": "f", "prefix": "mail"}))
    yield made
    made.close()


def _pass(where: Tree, settings: Settings) -> list[str]:
    return [step.verb for step in Router(where, set(where.agents()), settings).one_pass()]


@pytest.mark.parametrize(
    ("file", "verb"),
    [
        ({"name": f"mail/claude-outbox/{EARLY}.gemini.txt"}, "leave"),
        ({"name": f"mail/claude-outbox/{LATE}.gemini.txt"}, "deliver"),
        ({"name": f"mail/claude-outbox/{EARLY}.gemini.txt", "deleted": True}, "deliver"),
        ({"name": f"mail/claude-outbox/{EARLY}.codex.txt"}, "deliver"),
        ({"name": f"mail/gemini-outbox/{EARLY}.gemini.txt"}, "deliver"),
        ({"name": f"mail/claude-outbox/.unread/{EARLY}.gemini.txt"}, "deliver"),
        ({"name": f"claude-outbox/{EARLY}.gemini.txt"}, "deliver"),
        ({"name": "mail/README.md"}, "deliver"),
        ({"nonsense": 1}, "deliver"),
    ],
)
def test_only_an_earlier_message_of_the_same_two_is_waited_for(
    where: Tree, settings: Settings, needs: _Needs, file: dict[str, object], verb: str
) -> None:
    post(where)
    needs.files = [file]
    assert _pass(where, settings) == [verb]
    needs.files = []
    _pass(where, settings)
    assert set(states(where, "claude")) == {UNREAD}


def test_it_is_not_waited_for_without_end(
    where: Tree, settings: Settings, needs: _Needs, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(where)
    needs.files = [{"name": f"mail/claude-outbox/{EARLY}.gemini.txt"}]
    assert _pass(where, settings) == ["leave"]
    monkeypatch.setattr(on_its_way, "WAIT_S", 0.0)
    assert _pass(where, settings) == ["deliver"]


def test_where_syncthing_does_not_answer_nothing_waits(where: Tree, settings: Settings, needs: _Needs) -> None:
    post(where)
    needs.files, needs.status = [{"name": f"mail/claude-outbox/{EARLY}.gemini.txt"}], 500
    assert _pass(where, settings) == ["deliver"]


def test_without_set_up_nobody_is_asked(where: Tree, settings: Settings, needs: _Needs) -> None:
    os.remove(memory_of(nudge.FOLDER, where.path))
    needs.files = [{"name": f"mail/claude-outbox/{EARLY}.gemini.txt"}]
    post(where)
    assert states(where, "claude").keys() == {DROPPED}
    assert _pass(where, settings) == ["deliver"]
