"""Two clients write to each other: their models answer all they get, until the limit of the thread ends it."""

from __future__ import annotations

import pytest

from tests.real_clients.answering import Answering
from tests.real_clients.ground import Ground
from tests.real_clients.model import Model
from tests.real_clients.notices import shown
from tests.real_clients.sessions import CLIENTS, Client, CodexWithDaemon, begin_all

pytestmark = pytest.mark.clients

_HOPS = 3
_MESSAGES = _HOPS + 1  # the first, and the answers
_LIMIT_REACHED = "since a person last wrote or approved it"
_REST_S = 2.0


@pytest.fixture(params=["claude-codex", "claude-gemini", "codex-gemini"])
def pair(request: pytest.FixtureRequest, ground: Ground) -> tuple[Client, Client]:
    """Two clients with all that `ai-bridge install` gives them; Codex CLI has its daemon."""
    one, other = ({**CLIENTS, "codex": CodexWithDaemon}[name](ground) for name in request.param.split("-"))
    one.install()
    other.install()
    return one, other


def test_two_clients_that_answer_each_other_are_ended_by_the_limit_of_their_thread(
    pair: tuple[Client, Client], model: Model, ground: Ground
) -> None:
    one, other = pair
    ground.set("max_hops", _HOPS)
    model.rule = Answering(one, other)
    _, session = begin_all(other, one)
    model.wait_until_quiet(_REST_S)
    model.plan(one.call("peer_send", to=other.name, body="The first of some."))
    session.say("write to the other")
    model.wait_for(lambda request: _LIMIT_REACHED in request.new)
    model.wait_until_quiet(_REST_S)
    assert ground.unread(one.name) + ground.unread(other.name) == []
    assert len(ground.read_mail(one.name)) + len(ground.read_mail(other.name)) == _MESSAGES
    assert sum(shown(request) for request in model.requests) == _MESSAGES
