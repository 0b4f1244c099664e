"""Mail that is unread when its time is over: it is archived, its sender learns of it, and nobody is shown it."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.archive import expire
from ai_bridge.archive.chores import Chores
from ai_bridge.inbox import framing
from ai_bridge.inbox.fetch import fetch
from ai_bridge.inbox.wait import wait_for_mail
from ai_bridge.mailboxes import trace, unread
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, MALFORMED, UNREAD
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending.send import Wanted, send
from ai_bridge.settings import Settings
from ai_bridge.system import times, untrusted
from tests.history.test_search import put
from tests.support.machine import LAPTOP, TOWER, On, settle_on
from tests.support.mail import post, route, states

NAME = "claude-20260103-000000-000000-xaaaa.gemini.txt"
OVER, AHEAD = "2026-01-04T00:00:00Z", "2999-01-01T00:00:00Z"


def _notices(where: Tree, settings: Settings) -> list[tuple[str, str]]:
    """Return the subject and the body of each notice to claude."""
    found = [one.load() for one in fetch(where, "claude", settings) if one.sender == "postmaster"]
    return [(message.subject, message.body) for message in found]


def _check_expired(where: Tree, settings: Settings) -> None:
    assert states(where, "claude") == {ARCHIVED: [NAME]}
    assert trace.find(where, NAME)[0].reason() == f"it expired at {OVER} before it was read"
    ((subject, body),) = _notices(where, settings)
    assert subject == "expired: lunch?"
    assert f"Your message {NAME.split('.')[0]} to gemini was not read: it expired at {OVER}" in body


def test_a_reader_is_not_shown_it(where: Tree, settings: Settings) -> None:
    put(where, NAME, state=UNREAD, Subject="lunch?", Expires=OVER)
    assert fetch(where, "gemini", settings) == []
    _check_expired(where, settings)


def test_a_wait_does_not_end_for_it(where: Tree, settings: Settings) -> None:
    put(where, NAME, state=UNREAD, Subject="lunch?", Expires=OVER)
    assert wait_for_mail(where, "gemini", settings, timeout_s=0.0) == []
    _check_expired(where, settings)


def test_a_pass_does_not_deliver_it(where: Tree, settings: Settings) -> None:
    put(where, NAME, state=DROPPED, Subject="lunch?", Expires=OVER)
    assert [step.verb for step in route(where, settings)] == ["expire", "deliver"]
    _check_expired(where, settings)


def test_a_sweep_of_the_router_ends_it(where: Tree, settings: Settings) -> None:
    put(where, NAME, state=UNREAD, Subject="lunch?", Expires=OVER)
    assert list(Chores(where, settings).tend(is_asked=False)) == [f"{NAME} from claude expired"]
    _check_expired(where, settings)


def test_until_then_it_is_mail_like_any_other(where: Tree, settings: Settings) -> None:
    put(where, NAME, state=DROPPED, Expires=AHEAD)
    assert [one.name for one in fetch(where, "gemini", settings)] == [NAME]
    assert list(expire.sweep(where, set())) == []
    assert states(where, "claude") == {UNREAD: [NAME]}


def test_it_is_sent_with_a_header_and_an_id_that_says_so(where: Tree, settings: Settings) -> None:
    (sent,) = send(Snapshot.of(where), "claude", [Wanted(["gemini"], "x", expires="2h")])
    route(where, settings)
    (one,) = fetch(where, "gemini", settings)
    message = one.load()
    assert one.id == sent.id
    assert sent.id.rpartition("-")[2][0] == "x"
    sent_at = times.parse_utc(times.without_fraction(message.get("Date") or ""))
    assert 7200 <= times.parse_utc(message.get("Expires")) - sent_at + 1 < 2 * 7200


def test_what_a_session_reads_just_now_is_left_to_the_next_sweep(where: Tree) -> None:
    put(where, NAME, state=UNREAD, Expires=OVER)
    with unread.lock_inbox(where, "gemini"):
        assert list(expire.sweep(where, set())) == []
    assert len(list(expire.sweep(where, set()))) == 1


def test_only_the_home_of_its_recipient_ends_it(where: Tree, on: On) -> None:
    settle_on(where, LAPTOP, "claude")
    settle_on(where, TOWER, "gemini")
    put(where, NAME, state=UNREAD, Expires=OVER)
    on(LAPTOP)
    assert list(expire.sweep(where, set())) == []
    on(TOWER)
    assert len(list(expire.sweep(where, set()))) == 1


def test_mail_without_the_header_is_not_opened_for_it(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(where)
    route(where, settings)
    monkeypatch.setattr(untrusted, "read_delivered", None)
    assert len(fetch(where, "gemini", settings)) == 1


def test_mail_that_does_not_expire_is_opened_by_one_sweep_alone(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(where)
    route(where, settings)
    lasting = {("claude", "gone.gemini.txt")}
    assert list(expire.sweep(where, lasting)) == []
    assert lasting == {("claude", name) for name in states(where, "claude")[UNREAD]}
    monkeypatch.setattr(untrusted, "read_delivered", None)
    assert list(expire.sweep(where, lasting)) == []


def test_an_id_of_ours_that_does_not_say_so_expires_all_the_same(where: Tree) -> None:
    name = "claude-20260101-000000-000000-abcd.gemini.txt"
    put(where, name, state=UNREAD, Expires=OVER)
    assert list(expire.sweep(where, set())) == [f"{name} from claude expired"]


def test_a_hand_written_header_that_holds_no_time_is_malformed(where: Tree, settings: Settings) -> None:
    settings.settle_s = 0.0
    put(where, "n1.gemini.txt", state=DROPPED, Expires="tomorrow")
    assert [step.verb for step in route(where, settings)] == ["reject", "deliver"]
    assert list(states(where, "claude")) == [MALFORMED]


def test_a_message_with_an_id_of_another_form_is_not_shown_either(where: Tree, settings: Settings) -> None:
    put(where, "n1.gemini.txt", "secret", state=UNREAD, Expires=OVER)
    (one,) = fetch(where, "gemini", settings)
    page = framing.reply(where, "gemini", [one], 10, framing.Budget(10_000), framing.AUTO)
    assert page.shown == []
    assert "its time is over" in page.text
    assert "secret" not in page.text
    assert list(expire.sweep(where, set())) == ["n1.gemini.txt from claude expired"]
    assert list(states(where, "claude")) == [ARCHIVED]


def test_a_hand_written_message_without_an_id_gets_one_that_says_so(where: Tree, settings: Settings) -> None:
    settings.settle_s = 0.0
    path = Path(where.outbox("claude").path, "lunch.txt")
    path.write_text(f"To: gemini\nExpires: {OVER}\n\nlunch?")
    os.utime(path, (1, 1))
    assert [step.verb for step in route(where, settings)] == ["complete", "expire", "deliver"]
    assert list(states(where, "claude")) == [ARCHIVED]
