"""Mishaps: a session that is killed, a server that its client restarts, mail that comes while a call runs."""

from __future__ import annotations

import pytest

from ai_bridge.message.urgency import NOW
from tests.real_clients.ground import PROGRAM, Ground
from tests.real_clients.model import Model
from tests.real_clients.notices import notices, tells, told_of
from tests.real_clients.sessions import CLIENTS, Client, Gemini
from tests.real_clients.test_waking import idle

pytestmark = pytest.mark.clients

# A push that would cancel a call does so at once.
_RUNS_ON_S = 3.0


def test_mail_that_a_killed_session_had_not_read_is_told_to_the_next_one(
    installed: Client, model: Model, ground: Ground
) -> None:
    session = idle(installed, model)
    ground.drop(installed.name, "The build is green.")
    model.wait_for(tells)
    session.kill()
    model.wait_until_quiet()
    model.plan(installed.call("peer_read"))
    assert notices(installed.begin().say("go on")) == 1
    model.wait_for(lambda request: "The build is green." in "".join(request.results))
    ground.wait_until_read(installed.name)


def test_mail_cancels_no_call_that_runs(installed: Client, model: Model, ground: Ground) -> None:
    """The command ends by itself, and its model sees all that it printed."""
    if isinstance(installed, Gemini):
        model.plan(installed.in_background(f"{PROGRAM} wait --new"))
    model.plan(installed.shell(f"echo begun; {ground.pause()}; echo ended by itself"))
    installed.begin().say("work on")
    ground.wait_until_paused()
    before = len(model.requests)
    for number in range(3):
        ground.drop(installed.name, f"part {number}", NOW)
    assert not model.asks_within(_RUNS_ON_S)
    ground.go_on()
    after = model.wait_for(lambda request: "ended by itself" in "".join(request.results), before)
    assert "begun" in "".join(after.results)
    model.wait_until_quiet()
    assert sum(number for request in model.requests for number in told_of(request)) == 3


@pytest.mark.parametrize("name", [name for name, client in CLIENTS.items() if client.restart])
def test_a_server_that_its_client_restarts_goes_on_where_the_first_one_stopped(
    name: str, model: Model, ground: Ground
) -> None:
    client = CLIENTS[name](ground)
    client.install()
    session = idle(client, model)
    ground.drop(name, "Before it.")
    model.wait_for(tells)
    model.wait_until_quiet()
    session.restart_server(client)
    model.plan(client.call("peer_read"))
    if isinstance(client, Gemini):
        model.plan(client.in_background(f"{PROGRAM} wait --new"))
    assert notices(session.say("read your mail")) == 1
    model.wait_for(lambda request: "Before it." in "".join(request.results))
    model.wait_until_quiet()
    before = len(model.requests)
    ground.drop(name, "After it.")
    assert told_of(model.wait_for(tells, before)) == [1]
