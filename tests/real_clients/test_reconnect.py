"""A server that was killed: its session says so once, and what it says to type brings mail back."""

from __future__ import annotations

import os
import signal
import time

import pytest

from tests.real_clients.ground import PATIENCE_S, Ground
from tests.real_clients.model import Model, Request
from tests.real_clients.sessions import Client, Session
from tests.real_clients.terminal import ENTER
from tests.support.wait import until

pytestmark = pytest.mark.clients

SAID = "The MCP server ai-bridge of this session has ended"
COMMANDS = {"claude": "/mcp reconnect plugin:ai-bridge:ai-bridge", "gemini": "/mcp reload", "codex": "/fork"}


def says(request: Request) -> bool:
    return SAID in request.new


def _kill(ground: Ground) -> None:
    (server,) = ground.servers()
    os.kill(server, signal.SIGKILL)
    until(lambda: not ground.servers(), PATIENCE_S)


def _type_command(client: Client, session: Session, ground: Ground) -> None:
    """Type what the client was told, until its server is there; a key may be lost on the way, so it is repeated."""
    session.terminal.type(COMMANDS[client.name])
    deadline = time.monotonic() + PATIENCE_S
    while not ground.servers() and time.monotonic() < deadline:
        session.terminal.wait_until_quiet(1.0)
        session.terminal.type(ENTER)
    assert ground.servers(), session.terminal.text[-2000:]
    session.terminal.wait_until_quiet(3.0)


def test_a_session_whose_server_died_says_so_once_and_what_it_says_helps(
    installed: Client, model: Model, ground: Ground
) -> None:
    session = installed.begin()
    session.say("begin")
    model.wait_until_quiet()
    ground.wait_until_served()
    _kill(ground)
    session.say("go on")
    model.wait_for(says)
    model.wait_until_quiet()
    session.say("go on again")
    model.wait_until_quiet()
    assert len([request for request in model.requests if says(request)]) == 1
    assert COMMANDS[installed.name] in next(request.new for request in model.requests if says(request))
    _type_command(installed, session, ground)
    ground.drop(installed.name, "The build is green.")
    model.plan(installed.call("peer_read"))
    session.say("read your mail")
    model.wait_for(lambda request: "The build is green." in "".join(request.results))
    ground.wait_until_read(installed.name)


def test_a_server_that_ends_with_its_session_is_nobodys_news(installed: Client, model: Model, ground: Ground) -> None:
    """The next session of the client begins as if nothing had been."""
    installed.ask_once("begin")
    until(lambda: not ground.servers(), PATIENCE_S)
    installed.ask_once("begin again")
    assert not any(SAID in str(request.body) for request in model.requests)
