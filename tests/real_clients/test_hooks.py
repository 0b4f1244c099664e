"""Hooks: mail reaches a model at work by its client's own means, without any input from the person."""

from __future__ import annotations

import pytest

from ai_bridge.message.urgency import NOW
from tests.real_clients.ground import Ground
from tests.real_clients.model import Model, Request
from tests.real_clients.notices import bodies, notices
from tests.real_clients.sessions import Client

pytestmark = pytest.mark.clients


def test_mail_that_awaits_a_session_is_told_of_at_its_first_prompt(
    installed: Client, model: Model, ground: Ground
) -> None:
    ground.drop(installed.name)
    installed.ask_once("begin")
    assert notices(model.requests[0]) == 1
    assert len(ground.unread(installed.name)) == 1


def test_a_session_at_work_hears_of_urgent_mail_between_two_tool_calls(
    installed: Client, model: Model, ground: Ground
) -> None:
    after_first = _dropped_during_a_call(installed, model, ground)
    assert notices(after_first) == 1
    model.wait_for(lambda request: "the second call" in "".join(request.results))
    assert len(ground.unread(installed.name)) == 1


def test_a_hook_carries_the_whole_mail_where_that_is_wanted(installed: Client, model: Model, ground: Ground) -> None:
    ground.set("reach", "full")
    after_first = _dropped_during_a_call(installed, model, ground)
    assert bodies(after_first, "The build is green.") == 1
    ground.wait_until_read(installed.name)
    model.wait_until_quiet()
    assert bodies(model.requests[-1], "The build is green.") == 1


def _dropped_during_a_call(client: Client, model: Model, ground: Ground) -> Request:
    """Drop urgent mail while the model's first command runs; returns the model's request after that command."""
    model.plan(client.shell(ground.pause()), client.shell("echo the second call"))
    client.begin().say("work on")
    ground.wait_until_paused()
    ground.drop(client.name, "The build is green.", NOW)
    ground.go_on()
    return model.wait_for(lambda request: bool(request.results))
