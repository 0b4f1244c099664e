"""Unread mail: a router at work brings it in, or the reader's own pass does; neither makes the reader wait long."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_bridge.inbox import fetch as fetch_
from ai_bridge.inbox.fetch import bring_in, fetch
from ai_bridge.inbox.wait import open_wake, wait_for_mail
from ai_bridge.mailboxes import wake as wake_
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, READ, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Mailboxes, NotMailboxes
from ai_bridge.mailboxes.wake import Wake
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock, holder
from tests.support.mail import post, states
from tests.support.wait import until

LONG_S = 60.0


def _ids(found: list[fetch_.Waiting]) -> list[str]:
    return [one.id for one in found]


def _router(where: Mailboxes, agent: str = "gemini") -> Lock:
    lock = Lock(where.lock_file("router", agent))
    assert lock.acquire("router", agent)
    return lock


# --- fetch ------------------------------------------------------------------------------------------------


def test_without_a_router_the_reader_makes_the_pass(where: Mailboxes, settings: Settings) -> None:
    ids = [post(where, "1"), post(where, "2")]
    assert _ids(fetch(where, "gemini", settings)) == ids
    assert set(states(where, "claude")) == {UNREAD}
    assert holder(where.lock_file("router", "gemini")) is None


def test_the_readers_pass_leaves_the_mail_of_others(where: Mailboxes, settings: Settings) -> None:
    where.make(["codex"])
    mine, other = post(where, "1"), post(where, "2", to="codex")
    assert _ids(fetch(where, "gemini", settings)) == [mine]
    assert states(where, "claude")[DROPPED] == [f"{other}.codex.txt"]


def test_only_what_one_sender_sent(where: Mailboxes, settings: Settings) -> None:
    where.make(["codex"])
    post(where, "1")
    wanted = post(where, "2", sender="codex")
    assert _ids(fetch(where, "gemini", settings, "codex")) == [wanted]


def test_what_a_dead_router_had_claimed_comes_too(where: Mailboxes, settings: Settings) -> None:
    id_ = post(where, "x")
    where.outbox("claude").move("claim", f"{id_}.gemini.txt")
    assert _ids(fetch(where, "gemini", settings)) == [id_]


def test_what_waits_for_the_senders_own_router_is_brought_in_too(where: Mailboxes, settings: Settings) -> None:
    where.make(["codex"])
    Path(where.outbox("claude").file(DROPPED, "to all.txt")).write_text(
        "ID: n1\nFrom: claude\nTo: *\nSubject: s\n\nx"
    )
    bring_in(where, "gemini", settings)
    assert _ids(fetch(where, "gemini", settings)) == ["n1"]
    assert holder(where.lock_file("router", "claude")) is None


def test_the_router_at_work_is_given_time_to_deliver(
    where: Mailboxes, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = _router(where)
    router = Router(where, {"gemini"}, settings)
    monkeypatch.setattr(fetch_, "_ROUTER_PATIENCE_S", LONG_S)
    monkeypatch.setattr(fetch_.time, "sleep", lambda _: list(router.one_pass()))
    id_ = post(where, "x")
    assert _ids(fetch(where, "gemini", settings)) == [id_]
    lock.release()


def test_a_router_that_ends_meanwhile_is_made_up_for(
    where: Mailboxes, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = _router(where)
    monkeypatch.setattr(fetch_, "_ROUTER_PATIENCE_S", LONG_S)
    monkeypatch.setattr(fetch_.time, "sleep", lambda _: lock.release())
    id_ = post(where, "x")
    assert _ids(fetch(where, "gemini", settings)) == [id_]


def test_a_router_that_does_nothing_is_not_waited_for_for_ever(
    where: Mailboxes, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetch_, "_ROUTER_PATIENCE_S", 0.02)
    delivered = post(where, "1")
    fetch(where, "gemini", settings)
    lock = _router(where)
    post(where, "2")
    assert _ids(fetch(where, "gemini", settings)) == [delivered]
    lock.release()


def test_a_pass_that_fails_gives_its_locks_back(
    where: Mailboxes, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise OSError(5, "Input/output error")

    post(where, "x")
    monkeypatch.setattr(Router, "one_pass", fail)
    with pytest.raises(OSError, match="Input/output error"):
        fetch(where, "gemini", settings)
    assert holder(where.lock_file("router", "gemini")) is None


def test_mailboxes_that_are_gone_are_not_taken_for_empty_ones(where: Mailboxes, settings: Settings) -> None:
    gone = Mailboxes(f"{where.path}/missing")
    with pytest.raises(NotMailboxes):
        fetch(gone, "gemini", settings)


# --- wait -------------------------------------------------------------------------------------------------


def test_wait_returns_at_once_what_is_there(where: Mailboxes, settings: Settings) -> None:
    id_ = post(where, "x")
    assert _ids(wait_for_mail(where, "gemini", settings, 0.0)) == [id_]


def test_wait_returns_nothing_after_its_time(where: Mailboxes, settings: Settings) -> None:
    post(where, "x", to="claude", sender="gemini")
    assert wait_for_mail(where, "gemini", settings, 0.02) == []
    assert wait_for_mail(where, "gemini", settings, 0.0) == []


@pytest.mark.parametrize("delivered", [True, False])
def test_wait_is_woken_by_a_delivery_or_a_drop(where: Mailboxes, settings: Settings, delivered: bool) -> None:
    settings.put("sweep_s", 3600.0, "here")
    lock = _router(where) if delivered else None
    sent: list[str] = []

    def arrive_once() -> bool:
        if not sent:
            sent.append(post(where, "x"))
            list(Router(where, {"gemini"}, settings).one_pass() if delivered else [])
        return True

    assert _ids(wait_for_mail(where, "gemini", settings, LONG_S, each_sweep=arrive_once)) == sent
    if lock is not None:
        lock.release()


def test_wait_sweeps_where_nothing_wakes_it(where: Mailboxes, settings: Settings) -> None:
    for name, value in (("poll", True), ("poll_s", 3600.0), ("sweep_s", 0.05)):
        settings.put(name, value, "here")
    sweeps: list[str] = []

    def at_the_third() -> bool:
        sweeps.append(post(where, "x") if len(sweeps) == 2 else "")
        return True

    assert _ids(wait_for_mail(where, "gemini", settings, LONG_S, each_sweep=at_the_third)) == sweeps[-1:]


def test_wait_ends_when_it_is_told_to(where: Mailboxes, settings: Settings) -> None:
    settings.put("sweep_s", 3600.0, "here")
    wake = open_wake(where, settings)
    turns = iter([True, False])
    wake.set()
    assert wait_for_mail(where, "gemini", settings, wake=wake, each_sweep=lambda: next(turns)) == []


def test_wait_leaves_no_thread_behind(where: Mailboxes, settings: Settings) -> None:
    before = threading.active_count()
    wait_for_mail(where, "gemini", settings, 0.0, wake=open_wake(where, settings))
    with pytest.raises(NotMailboxes):
        wait_for_mail(Mailboxes(f"{where.path}/missing"), "gemini", settings, 0.0)
    until(lambda: threading.active_count() <= before, 5)


def test_what_was_acknowledged_ends_no_wait(where: Mailboxes, settings: Settings) -> None:
    post(where, "x")
    for one in fetch(where, "gemini", settings):
        assert one.acknowledge()
    assert wait_for_mail(where, "gemini", settings, 0.02) == []
    assert set(states(where, "claude")) == {READ}
    assert PROCESSING not in states(where, "claude")


# --- hints ------------------------------------------------------------------------------------------------


@pytest.fixture
def told_nothing(where: Mailboxes, settings: Settings) -> Iterator[Wake]:
    """The wake of a reader that hears of nothing by itself and never sweeps."""
    for name, value in (("poll", True), ("poll_s", 3600.0), ("sweep_s", 3600.0)):
        settings.put(name, value, "here")
    with open_wake(where, settings) as wake:
        yield wake


@pytest.mark.parametrize("state", [DROPPED, PROCESSING, UNREAD])
def test_where_a_wake_hints_mail_is_found_and_no_other_outbox_is_looked_at(
    where: Mailboxes, settings: Settings, monkeypatch: pytest.MonkeyPatch, told_nothing: Wake, state: str
) -> None:
    sent: list[str] = []
    looked_at: set[str] = set()
    names = Outbox.names

    def noted(outbox: Outbox, *words: str, **more: Any) -> list[str]:
        looked_at.add(outbox.owner)
        return names(outbox, *words, **more)

    def arrive_once() -> bool:
        sent.append(post(where, "x"))
        _put(where.outbox("claude"), f"{sent[0]}.gemini.txt", state)
        told_nothing.set(where.outbox("claude").directory(UNREAD))
        looked_at.clear()
        return True

    monkeypatch.setattr(Outbox, "names", noted)
    assert _ids(wait_for_mail(where, "gemini", settings, LONG_S, wake=told_nothing, each_sweep=arrive_once)) == sent
    assert looked_at == {"claude"} or state == PROCESSING  # a dead router's claim: what else did it hold?


def _put(outbox: Outbox, name: str, state: str) -> None:
    for verb, reached in (("claim", PROCESSING), ("deliver", UNREAD)):
        if state in (reached, UNREAD):
            assert outbox.move(verb, name)


def test_wrong_hints_without_end_keep_no_mail_from_being_found(
    where: Mailboxes, settings: Settings, told_nothing: Wake
) -> None:
    settings.put("sweep_s", 0.05, "here")
    sent: list[str] = []

    def hint_elsewhere() -> bool:
        sent.extend([] if sent else [post(where, "x")])
        told_nothing.set(where.outbox("gemini").path)
        return True

    found = wait_for_mail(where, "gemini", settings, LONG_S, wake=told_nothing, each_sweep=hint_elsewhere)
    assert _ids(found) == sent


def test_a_sweep_that_finds_mail_returns_all_of_it_in_its_order(
    where: Mailboxes, settings: Settings, monkeypatch: pytest.MonkeyPatch, told_nothing: Wake
) -> None:
    monkeypatch.setattr(wake_, "_PART", 1)
    where.make(["zed"])
    sent: list[str] = []

    def arrive_once() -> bool:
        sent.extend([post(where, "1", sender="zed"), post(where, "2")])
        told_nothing.set()
        return True

    assert _ids(wait_for_mail(where, "gemini", settings, LONG_S, wake=told_nothing, each_sweep=arrive_once)) == sent


def test_what_a_wake_hints_at_during_a_sweep_comes_before_the_rest(
    where: Mailboxes, settings: Settings, monkeypatch: pytest.MonkeyPatch, told_nothing: Wake
) -> None:
    monkeypatch.setattr(wake_, "_PART", 1)
    where.make(["aaa", "zed"])
    told_nothing.wait(0.0)  # which tells of the new ones
    sent: list[str] = []
    names = Outbox.names

    def arrive_meanwhile(outbox: Outbox, *words: str, **more: Any) -> list[str]:
        if sent == ["sweeping"] and outbox.owner == "aaa":
            sent[:] = [post(where, "x", sender="zed"), post(where, "y", sender="claude")]
            told_nothing.set(where.outbox("zed").path)
        return names(outbox, *words, **more)

    def sweep_once() -> bool:
        sent.append("sweeping")
        told_nothing.set()
        return True

    monkeypatch.setattr(Outbox, "names", arrive_meanwhile)
    assert (
        _ids(wait_for_mail(where, "gemini", settings, LONG_S, wake=told_nothing, each_sweep=sweep_once)) == sent[:1]
    )


def test_a_sweep_waits_for_no_router_that_does_nothing(
    where: Mailboxes, settings: Settings, monkeypatch: pytest.MonkeyPatch, told_nothing: Wake
) -> None:
    lock = _router(where)
    monkeypatch.setattr(fetch_, "_ROUTER_PATIENCE_S", 0.0)
    turns = iter([True, False])

    def never() -> bool:
        monkeypatch.setattr(fetch_, "_ROUTER_PATIENCE_S", 10 * LONG_S)  # longer than a test may take
        told_nothing.set()
        return next(turns)

    post(where, "x")
    assert wait_for_mail(where, "gemini", settings, LONG_S, wake=told_nothing, each_sweep=never) == []
    lock.release()
