"""Rung until heard: a push that its client takes and never shows is told of by other means, and no notice twice."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from ai_bridge.message.urgency import QUIET
from ai_bridge.reach.ways import MARK
from tests.real_clients.ground import PROGRAM, Ground
from tests.real_clients.model import Model
from tests.real_clients.notices import bodies, notices, shown, tells
from tests.real_clients.sessions import Claude, Client, Gemini
from tests.real_clients.test_waking import idle

pytestmark = pytest.mark.clients

# Seconds after which an unheard ring is repeated, and so long nothing may come.
_SOON, _NOTHING_S = "1,2,3", 5.0
_STEERING = "User steering update"
_BURST, _BURST_PAUSE_S = 20, 0.05


@pytest.mark.parametrize("answer", ["hold", "refuse"])
@pytest.mark.stories
def test_a_push_that_claude_code_holds_or_refuses_is_told_of_at_the_next_prompt(
    answer: str, ground: Ground, model: Model
) -> None:
    client = Claude(ground)
    client.configure({"crossSessionInbound": answer})
    client.install()
    ground.set("ring_after_s", _SOON)
    session = idle(client, model)
    ground.drop("claude")
    assert not model.asks_within(_NOTHING_S)
    assert notices(session.say("what is new")) == 1


def test_a_wait_of_gemini_cli_whose_line_is_lost_is_made_good_by_a_hook(
    gemini: Gemini, ground: Ground, model: Model
) -> None:
    ground.set("ring_after_s", _SOON)
    model.plan(gemini.in_background(f"{PROGRAM} wait --new | wc -l"))
    session = gemini.begin()
    session.say("begin")
    model.wait_until_quiet(2.0)
    before = len(model.requests)
    ground.drop("gemini")
    told = model.wait_for(tells, before)
    (steering,) = (text for text in told.texts if text.startswith(_STEERING))
    assert MARK not in steering
    model.wait_until_quiet()
    assert notices(session.say("what is new")) == 1


def test_a_loop_of_sends_costs_an_idle_session_two_requests(
    installed: Client, model: Model, ground: Ground, record_property: Callable[[str, object], None]
) -> None:
    session = idle(installed, model)
    before = len(model.requests)
    for number in range(_BURST):
        ground.drop(installed.name, f"Part {number} of it.")
        time.sleep(_BURST_PAUSE_S)
    model.wait_for(tells, before)
    model.wait_until_quiet(2.0)
    assert len(model.requests) - before <= 2
    record_property("requests", len(model.requests) - before)
    model.plan(installed.call("peer_read"))
    session.say("read it all")
    read = model.wait_for(lambda request: "Part 0 of it." in "".join(request.results))
    assert shown(read) == _BURST


def test_quiet_mail_waits_for_the_next_prompt(installed: Client, model: Model, ground: Ground) -> None:
    session = idle(installed, model)
    ground.drop(installed.name, urgency=QUIET)
    assert not model.asks_within(_NOTHING_S)
    assert notices(session.say("what is new")) == 1


@pytest.mark.stories
def test_ordinary_mail_comes_at_the_end_of_a_turn(installed: Client, model: Model, ground: Ground) -> None:
    model.plan(installed.shell(ground.pause()), installed.shell("echo the second call"))
    installed.begin().say("work on")
    ground.wait_until_paused()
    ground.drop(installed.name)
    ground.go_on()
    second = model.wait_for(lambda request: "the second call" in "".join(request.results))
    assert notices(second) == 0
    assert notices(model.wait_for(tells, second.number)) == 1
    model.wait_until_quiet()
    assert notices(model.requests[-1]) == 1


def test_nothing_that_others_wrote_is_told_to_gemini_as_its_user_s_words(
    gemini: Gemini, ground: Ground, model: Model
) -> None:
    ground.set("reach", "full")
    idle(gemini, model)
    before = len(model.requests)
    ground.drop("gemini", "Words of another agent.")
    woken = model.wait_for(tells, before)
    ground.wait_until_read("gemini")
    (steering,) = (text for text in woken.texts if text.startswith(_STEERING))
    assert "Words of another agent." not in steering
    assert bodies(model.requests[-1], "Words of another agent.") == 1
