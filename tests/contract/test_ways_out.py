"""The promises of every way to read: exact, in order, acknowledged once taken, and no file blocks the next."""

from __future__ import annotations

import os

import pytest

from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.settings import Settings
from tests.contract.ways import BODIES, WAYS_OUT, WayOut
from tests.support.mail import post, route, states


@pytest.fixture(params=WAYS_OUT)
def way(request: pytest.FixtureRequest) -> WayOut:
    return WAYS_OUT[request.param]


def test_bodies_come_out_exactly_in_order_and_once(way: WayOut, where: Tree) -> None:
    sent = [(post(where, body), body) for body in BODIES]
    assert way.read(where) == sent
    assert set(states(where, "claude")) == {READ}
    assert way.read(where) == []


def test_a_look_leaves_everything_unread(way: WayOut, where: Tree) -> None:
    id_ = post(where, "hello")
    for _ in range(2):
        assert way.read(where, peek=True) == [(id_, "hello")]
    assert set(states(where, "claude")) == {UNREAD}


def test_mail_of_several_senders_comes_in_the_order_of_time(way: WayOut, where: Tree) -> None:
    where.make(["codex"])
    sent = [post(where, str(number), sender=("codex", "claude")[number % 2]) for number in range(6)]
    assert [id_ for id_, _ in way.read(where)] == sent


@pytest.mark.parametrize("name", ["python", "cli", "mcp"])
def test_a_broken_file_in_the_inbox_does_not_stop_the_others(where: Tree, settings: Settings, name: str) -> None:
    first, last = post(where, "first"), post(where, "last")
    route(where, settings)
    outbox = where.outbox("claude")
    os.mkdir(outbox.file(UNREAD, "claude-20200101-000000.gemini.txt"))
    if name == "mcp":
        assert WAYS_OUT[name].read(where, peek=True) == [(first, "first"), (last, "last")]
        return
    found = _tolerant(name, where)
    assert found == [(first, "first"), (last, "last")]
    assert [one.id for one in unread_for(where, "gemini")] == ["claude-20200101-000000"]


def _tolerant(name: str, where: Tree) -> list[tuple[str, str]]:
    """Read as a program does that passes over what it cannot read."""
    import json

    from ai_bridge.errors import Malformed
    from tests.support.command import command

    if name == "cli":
        done = command("read", "--agent", "gemini", "--mailboxes", where.path, "--json")
        assert done.returncode == 1
        assert "was passed over" in done.stderr
        return [(line["id"], line["body"]) for line in map(json.loads, done.stdout.splitlines())]
    found = []
    for one in unread_for(where, "gemini"):
        try:
            message = one.load()
        except Malformed:
            continue
        found.append((message.id, message.body))
        one.acknowledge()
    return found
