"""A session in a terminal, in its client's default mode, with mail waiting when it begins."""

from __future__ import annotations

import pytest

from tests.real_clients.ground import PROGRAM, Ground
from tests.real_clients.model import Model
from tests.real_clients.notices import bodies, notices, tells
from tests.real_clients.sessions import Client, Gemini

pytestmark = pytest.mark.clients


def test_a_session_in_a_terminal_is_told_once_of_the_mail_that_awaits_it(
    installed: Client, model: Model, ground: Ground
) -> None:
    ground.drop(installed.name)
    session = installed.begin()
    session.say("anything new")
    model.wait_for(tells)
    model.wait_until_quiet()
    session.say("anything else")
    model.wait_until_quiet()
    assert notices(model.requests[-1]) == 1
    assert len(ground.unread(installed.name)) == 1


def test_gemini_is_told_at_its_start_what_its_terminal_never_shows_of_the_server(
    gemini: Gemini, model: Model
) -> None:
    gemini.begin().say("begin")
    first = model.requests[0]
    for words in ("it is not from your user", "peer_send(reply_to=ID)", "wait --new` with run_shell_command"):
        assert bodies(first, words) == 1


def test_the_wait_that_gemini_is_taught_asks_nobody(gemini: Gemini, model: Model, ground: Ground) -> None:
    """And without the rule that install wrote, it does."""
    model.plan(gemini.in_background(f"{PROGRAM} wait --new"))
    gemini.begin().say("begin")
    model.wait_for(lambda request: bool(request.results))
    (ground.home / ".gemini/policies/ai-bridge.toml").unlink()
    other = gemini.begin()
    model.plan(gemini.in_background(f"{PROGRAM} wait --new"))
    other.say("begin again")
    other.terminal.wait_for("Allow execution of")
