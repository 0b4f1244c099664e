"""It is known how a session was rung for a message, and of which mail a live session has not heard."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator

import pytest

from ai_bridge.agents.identity import Identity
from ai_bridge.agents.session_names import Name, take
from ai_bridge.health import mail
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes import trace, unread
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach import heard
from ai_bridge.reach.manner import PUSH
from ai_bridge.reach.pace import Pace
from ai_bridge.reach.rings import Rings
from ai_bridge.settings import OFF, Settings
from tests.support.mail import post

KEY = "the session"


@pytest.fixture
def live(where: Tree) -> Iterator[Name]:
    """A live session of gemini."""
    name = take(where, Identity("gemini", "for a test"), "gemini-cli-mcp-client", KEY)
    yield name
    name.release()


def deliver(where: Tree, settings: Settings, **words: object) -> str:
    id_ = post(where, **words)
    fetch(where, "gemini", settings)
    return id_


def ring(where: Tree, times: int = 1) -> Rings:
    rings = Rings(where, "gemini", KEY, Pace((0.0,) * 9, 0))
    for _ in range(times):
        made = rings.begin_ring(lambda: unread.unread_for(where, "gemini"), PUSH)
        assert made is not None
        made.by = "its socket"
        made.finish(told=True)
    return rings


def account(where: Tree, id_: str) -> str:
    (place,) = trace.find(where, id_)
    return heard.account(where, place)


def complaint(where: Tree, settings: Settings) -> str:
    return heard.unheard(where, "gemini", unread.unread_for(where, "gemini"), settings)


def test_a_message_says_how_often_its_session_was_rung_and_whether_it_heard(where: Tree, settings: Settings) -> None:
    id_ = deliver(where, settings)
    assert account(where, id_) == ""
    rings = ring(where)
    assert re.fullmatch(r"rung \d+ s ago by its socket: not heard", account(where, id_))
    ring(where, 2)
    said = re.compile(r"rung 3 times, last \d+ s ago by its socket: not heard")
    assert said.fullmatch(account(where, id_))
    assert [bool(said.fullmatch(why or "")) for _, why in mail.explain(where, id_)] == [True]
    rings.hear_prompt("[ai-bridge, automatic] 1 new message")
    assert account(where, id_).endswith(": heard")
    unread.acknowledge(where, "gemini", [id_])
    deliver(where, settings)
    ring(where)
    assert account(where, id_).endswith(": heard and read")


def test_a_live_session_that_does_not_hear_is_complained_of(
    where: Tree, settings: Settings, live: Name, monkeypatch: pytest.MonkeyPatch
) -> None:
    deliver(where, settings)
    ring(where, 2)
    assert complaint(where, settings) == "", "it has some time"
    monkeypatch.setattr(heard, "_PATIENCE_S", -1)
    said = re.compile(
        r"gemini has not heard of 1 message for \d+ s: rung 2 times, last \d+ s ago by its socket, and not heard"
    )
    assert said.fullmatch(complaint(where, settings))
    (report,) = mail.examine(where, settings, ["gemini"])
    assert any(map(said.fullmatch, (one.what for one in report.findings)))
    live.release()
    assert complaint(where, settings) == ""


@pytest.mark.usefixtures("live")
def test_nobody_complains_of_quiet_mail_of_heard_mail_or_with_reach_off(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard, "_PATIENCE_S", -1)
    deliver(where, settings, extra={"Urgency": "quiet"})
    assert complaint(where, settings) == ""
    deliver(where, settings)
    assert complaint(where, settings).endswith("nothing has rung it: it may be at work, or out of reach")
    settings.reach = OFF
    assert complaint(where, settings) == ""
    settings.reach = "notice"
    ring(where).hear_prompt("[ai-bridge, automatic] 1 new message")
    assert complaint(where, settings) == ""


@pytest.mark.usefixtures("live")
def test_the_limit_of_turns_is_the_reason_if_it_was_reached(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard, "_PATIENCE_S", -1)
    settings.wakes_per_hour = 1
    id_ = deliver(where, settings)
    ring(where)
    unread.acknowledge(where, "gemini", [id_])
    deliver(where, settings)
    assert "mail began 1 turn within an hour (wakes_per_hour)" in complaint(where, settings)


@pytest.mark.usefixtures("live")
def test_a_message_that_cannot_be_read_counts_as_ordinary(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heard, "_PATIENCE_S", -1)
    deliver(where, settings)
    (one,) = unread.unread_for(where, "gemini")
    os.truncate(one.path, 3)
    assert "1 message" in complaint(where, settings)
