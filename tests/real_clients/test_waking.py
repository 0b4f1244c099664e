"""Mail wakes an idle session although nobody types; nothing else wakes it."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

from tests.real_clients.ground import PROGRAM, Ground
from tests.real_clients.model import Model
from tests.real_clients.notices import bodies, notices, tells, told_of
from tests.real_clients.sessions import Claude, Client, Codex, Gemini, Session

pytestmark = pytest.mark.clients

_NOTHING_S = 5.0


def idle(client: Client, model: Model, prompt: str = "begin") -> Session:
    """Begin a session, have it say a word, and leave it until it rests."""
    if isinstance(client, Gemini):
        model.plan(client.in_background(f"{PROGRAM} wait --new"))
    session = client.begin()
    session.say(prompt)
    model.wait_until_quiet(2.0)
    return session


@pytest.mark.stories
def test_an_idle_session_is_woken_by_mail(
    installed: Client, model: Model, ground: Ground, record_property: Callable[[str, object], None]
) -> None:
    idle(installed, model)
    before, dropped = len(model.requests), time.time()
    ground.drop(installed.name)
    woken = model.wait_for(tells, before)
    record_property("woken", f"after {woken.at - dropped:.1f} s")
    assert notices(woken) == 1
    assert len(ground.unread(installed.name)) == 1


@pytest.mark.stories
def test_a_session_of_codex_s_daemon_is_woken_too(ground: Ground, model: Model) -> None:
    class WithDaemon(Codex):
        daemon = True

    client = WithDaemon(ground)
    client.install()
    idle(client, model)
    before = len(model.requests)
    ground.drop("codex")
    assert notices(model.wait_for(tells, before)) == 1


def test_a_burst_is_told_of_once(installed: Client, model: Model, ground: Ground) -> None:
    session = idle(installed, model)
    before = len(model.requests)
    ground.drop_all(installed.name, [f"part {number}" for number in range(5)])
    woken = model.wait_for(tells, before)
    model.wait_until_quiet(2.0)
    session.say("what else is there")
    model.wait_until_quiet()
    assert notices(model.requests[-1]) == 1
    assert told_of(woken) == [5]


def test_mail_told_of_by_a_push_is_not_told_of_by_a_hook(installed: Client, model: Model, ground: Ground) -> None:
    session = idle(installed, model)
    ground.drop(installed.name)
    model.wait_for(tells)
    model.wait_until_quiet()
    model.plan(installed.shell("echo a call"))
    session.say("work on")
    model.wait_for(lambda request: "a call" in "".join(request.results))
    model.wait_until_quiet()
    assert notices(model.requests[-1]) == 1


def test_an_idle_session_without_mail_asks_its_model_nothing(installed: Client, model: Model) -> None:
    idle(installed, model)
    assert not model.asks_within(_NOTHING_S)


def test_nothing_reaches_a_session_in_which_nothing_is_installed(
    client: Client, model: Model, ground: Ground
) -> None:
    session = client.begin()
    session.say("begin")
    model.wait_until_quiet()
    ground.drop(client.name)
    assert not model.asks_within(_NOTHING_S)
    assert notices(session.say("are you there")) == 0


def test_gemini_is_taught_to_keep_a_wait_running(gemini: Gemini, model: Model) -> None:
    gemini.begin().say("begin")
    assert bodies(model.requests[-1], "wait --new` with run_shell_command") == 1


def test_an_idle_session_is_given_the_mail_itself_where_that_is_wanted(
    claude: Claude, model: Model, ground: Ground
) -> None:
    ground.set("reach", "full")
    idle(claude, model)
    ground.drop(claude.name, "The build is green.")
    ground.wait_until_read(claude.name)
    model.wait_until_quiet()
    assert bodies(model.requests[-1], "The build is green.") == 1
