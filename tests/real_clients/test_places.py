"""Sessions in their places: two in one project, one in a worktree, and one in which nobody has typed yet."""

from __future__ import annotations

import pytest

from tests.real_clients.ground import PROGRAM, Ground
from tests.real_clients.model import Model
from tests.real_clients.notices import bodies, notices, tells
from tests.real_clients.sessions import Claude, Client, Gemini
from tests.support.wait import until

pytestmark = pytest.mark.clients

_NOTHING_S = 3.0


def test_a_session_in_a_worktree_has_the_mail_of_its_repository(
    installed: Client, model: Model, ground: Ground
) -> None:
    ground.drop(installed.name)
    model.plan(installed.call("peer_send", to="postbox", body="From the worktree."))
    installed.ask_once("begin", ground.worktree())
    assert notices(model.requests[0]) == 1
    assert "From the worktree." in ground.bridge("read", "--agent", "postbox")


def test_two_sessions_of_a_client_each_get_their_own_mail(installed: Client, model: Model, ground: Ground) -> None:
    prompts = {installed.name: "the first one begins", f"{installed.name}-2": "the second one begins"}
    for name, prompt in prompts.items():
        session = installed.begin()
        if isinstance(installed, Gemini):  # whose wait is that of a name
            until(lambda: name in ground.where.agents())  # noqa: B023
            model.plan(installed.in_background(f"{PROGRAM} wait --new"))
        session.say(prompt)
        model.wait_until_quiet(2.0)
        until(lambda: name in ground.where.agents())  # noqa: B023
    for name, prompt in reversed(prompts.items()):
        before = len(model.requests)
        ground.drop(name)
        model.wait_for(tells, before)
        model.wait_until_quiet()
        (told,) = (request for request in model.requests[before:] if tells(request))
        assert f"for {name}, from postbox" in told.new
        assert bodies(told, prompt) == 1


def test_a_session_in_which_nobody_has_typed_is_told_of_mail_once(
    installed: Client, model: Model, ground: Ground
) -> None:
    """Claude Code is woken. The other two begin a session at the first prompt, which brings the notice."""
    session = installed.begin()
    ground.drop(installed.name)
    if isinstance(installed, Claude):
        model.wait_for(tells)
    else:
        assert not model.asks_within(_NOTHING_S)
    assert notices(session.say("begin")) == 1
