"""nobodys: the mail of a further session that has ended is read once, by one session of its agent, and never lost."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.agents import cards
from ai_bridge.inbox import framing, nobodys
from ai_bridge.inbox.fetch import fetch
from ai_bridge.inbox.nobodys import open_inboxes
from ai_bridge.inbox.wait import wait_for_mail
from ai_bridge.machines import this_machine
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import NotUnread, ReaderBusy, Waiting, lock_inbox, unread_for
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from ai_bridge.system.locks import Lock, holder
from tests.agents.sessions.test_ended import ends
from tests.support.disk import FaultyOs
from tests.support.mail import post, route, states
from tests.support.presence import session


@pytest.fixture
def two(where: Tree) -> Iterator[Tree]:
    """Mailboxes where claude lives, and claude-2 and claude-3 have ended a while ago."""
    with session(where, "claude"):
        with session(where, "claude"), session(where, "claude"):
            where.make(["claude-2", "claude-3", "codex"])
        ends(where, "claude-2", "claude-3")
        yield where


def _read(where: Tree, agent: str, settings: Settings, sender: str | None = None) -> list[tuple[str, str]]:
    """Read and acknowledge all mail of an agent; returns whose each message was, and its body."""
    with open_inboxes(Snapshot(where.path), agent, settings, sender) as inboxes:
        found = [(one.recipient, one.load().body) for one in inboxes.waiting]
        assert all(one.acknowledge() for one in inboxes.waiting)
    return found


def _locks_held(where: Tree) -> list[str]:
    folder = Path(where.state_file("locks"))
    return sorted(path.name for path in folder.iterdir() if path.name.startswith("reader-") and holder(str(path)))


# --- who reads it -----------------------------------------------------------------------------------------


def test_it_is_read_with_ones_own_in_the_order_of_time_and_only_once(two: Tree, settings: Settings) -> None:
    for body, to in (("1", "claude"), ("2", "claude-2"), ("3", "claude"), ("4", "claude-3")):
        post(two, body, to=to, sender="gemini")
    assert _read(two, "claude", settings) == [("claude", "1"), ("claude-2", "2"), ("claude", "3"), ("claude-3", "4")]
    assert _read(two, "claude", settings) == []
    assert set(states(two, "gemini")) == {READ}
    assert _locks_held(two) == []


@pytest.mark.parametrize("routed", [False, True])
def test_it_is_brought_in_with_a_router_and_without(two: Tree, settings: Settings, routed: bool) -> None:
    post(two, "x", to="claude-2", sender="gemini")
    if routed:
        route(two, settings)
    assert _read(two, "claude", settings) == [("claude-2", "x")]


def test_mail_from_one_sender_alone_is_read(two: Tree, settings: Settings) -> None:
    post(two, "x", to="claude-2", sender="gemini")
    post(two, "y", to="claude-2", sender="codex")
    assert _read(two, "claude", settings, "codex") == [("claude-2", "y")]
    assert _read(two, "claude", settings, "gemini") == [("claude-2", "x")]


def test_a_live_session_reads_its_own(two: Tree, settings: Settings) -> None:
    with session(two, "claude") as second:
        post(two, "x", to=second, sender="gemini")
        assert _read(two, "claude", settings) == []
        assert _read(two, second, settings) == [("claude-2", "x")]


def test_a_new_session_of_the_number_reads_what_is_left(two: Tree, settings: Settings) -> None:
    post(two, "1", to="claude-2", sender="gemini")
    assert _read(two, "claude", settings) == [("claude-2", "1")]
    post(two, "2", to="claude-2", sender="gemini")
    with session(two, "claude") as second:
        assert _read(two, second, settings) == [("claude-2", "2")]


def test_other_agents_other_machines_and_agents_with_a_number_of_their_own_are_offered_nothing(
    two: Tree, settings: Settings
) -> None:
    with session(two, "reviewer-2"):
        two.make(["reviewer-2", "reviewer"])
    post(two, "x", to="reviewer-2", sender="gemini")
    post(two, "y", to="claude-3", sender="gemini")
    assert _read(two, "reviewer", settings) == _read(two, "codex", settings) == []
    assert _read(two, "reviewer-2", settings) == [("reviewer-2", "x")]
    cards.put(two, "claude", {"home": this_machine.here()})
    cards.put(two, "claude-3", {"home": "laptop-abcd1234"})
    assert _read(two, "claude", settings) == []
    cards.put(two, "claude-3", {"home": this_machine.here()})
    assert _read(two, "claude", settings) == [("claude-3", "y")]


def test_no_reader_is_shown_what_it_wrote_or_has_a_copy_of(two: Tree, settings: Settings) -> None:
    post(two, "for all", to="*", sender="gemini")
    post(two, "mine", to="claude-2", sender="claude")
    assert _read(two, "claude", settings) == [("claude", "for all")]
    assert _read(two, "claude", settings) == []  # this read acknowledges the copies for claude-2 and claude-3
    read = [name.rpartition(".txt")[0].rpartition(".")[2] for name in states(two, "gemini")[READ]]
    assert sorted(read) == ["claude", "claude-2", "claude-3"]
    assert len(states(two, "claude")[UNREAD]) == 1
    with session(two, "claude") as second:
        assert _read(two, second, settings) == [("claude-2", "mine")]


def test_a_copy_stays_unread_while_ones_own_is(two: Tree, settings: Settings) -> None:
    post(two, "for all", to="*", sender="gemini")
    with open_inboxes(Snapshot(two.path), "claude", settings) as inboxes:
        assert [one.recipient for one in inboxes.waiting] == ["claude"]
    assert READ not in states(two, "gemini")


# --- two at once ------------------------------------------------------------------------------------------


def test_of_two_readers_at_once_one_is_shown_it(two: Tree, settings: Settings) -> None:
    post(two, "x", to="claude-3", sender="gemini")
    with session(two, "claude") as second, open_inboxes(Snapshot(two.path), "claude", settings) as first:
        assert [one.load().body for one in first.waiting] == ["x"]
        assert _read(two, second, settings) == []
        with pytest.raises(ReaderBusy):
            lock_inbox(two, "claude-3")
    assert _read(two, "claude", settings) == [("claude-3", "x")]


def test_a_session_that_begins_between_look_and_lock_keeps_its_mail(
    two: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(two, "x", to="claude-2", sender="gemini")
    begun = session(two, "claude")
    acquire = Lock.acquire

    def begin_first(lock: Lock, role: str, serves: str = "", patience_s: float = 0.1) -> bool:
        if lock.path == two.lock_file("reader", "claude-2"):
            assert begun.__enter__() == "claude-2"
        return acquire(lock, role, serves, patience_s)

    with monkeypatch.context() as patched:
        patched.setattr(Lock, "acquire", begin_first)
        assert _read(two, "claude", settings) == []
    assert _read(two, "claude-2", settings) == [("claude-2", "x")]
    begun.__exit__(None, None, None)


def test_what_another_reader_took_between_look_and_lock_is_not_shown(
    two: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    id_ = post(two, "x", to="claude-2", sender="gemini")
    acquire, seen = Lock.acquire, list[Waiting]()

    def read_first(lock: Lock, role: str, serves: str = "", patience_s: float = 0.1) -> bool:
        if lock.path == two.lock_file("reader", "claude-2"):
            seen.extend(unread_for(two, "claude-2"))
            assert seen[0].acknowledge()
        return acquire(lock, role, serves, patience_s)

    with monkeypatch.context() as patched:
        patched.setattr(Lock, "acquire", read_first)
        assert _read(two, "claude", settings) == []
    assert [one.id for one in seen] == [id_]
    assert _locks_held(two) == []


def test_a_lock_that_the_disk_refuses_keeps_nobody_from_its_own_mail(two: Tree, settings: Settings) -> None:
    post(two, "own", to="claude", sender="gemini")
    post(two, "its", to="claude-2", sender="gemini")
    Path(two.lock_file("reader", "claude-2")).mkdir(parents=True)
    assert _read(two, "claude", settings) == [("claude", "own")]


def test_a_reader_that_fails_keeps_no_lock(two: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    post(two, "x", to="claude-2", sender="gemini")

    def fail(*_: object) -> bool:
        raise OSError(5, "no")

    monkeypatch.setattr(nobodys, "_is_still_there", fail)
    with pytest.raises(OSError, match="no"):
        open_inboxes(Snapshot(two.path), "claude", settings)
    assert _locks_held(two) == []


# --- what is seen of it -----------------------------------------------------------------------------------


def test_the_text_says_whose_it_was(two: Tree, settings: Settings) -> None:
    post(two, "mine", to="claude", sender="gemini")
    post(two, "its", to="claude-2", sender="gemini")
    with open_inboxes(Snapshot(two.path), "claude", settings) as inboxes:
        assert [nobodys.whose(one, "claude") for one in inboxes.waiting] == ["", "claude-2, whose session has ended"]
        text = framing.reply(two, "claude", inboxes.waiting, 9, framing.Budget(20_000), framing.AUTO).text
    own, others = text.split("\n\n")[2:]
    assert "Was for:" not in own
    assert others.splitlines()[0].startswith("From: gemini")
    assert others.splitlines()[1] == "Was for: claude-2, whose session has ended"


def test_a_waiting_session_hears_of_it_unless_another_one_does(two: Tree, settings: Settings) -> None:
    with session(two, "claude") as second:
        assert second == "claude-2"
        post(two, "x", to="claude-3", sender="gemini")
        assert wait_for_mail(two, second, settings, 0) == []
        (one,) = wait_for_mail(two, "claude", settings, 0)
        assert one.recipient == "claude-3"


def test_it_is_acknowledged_by_its_id_all_or_none(two: Tree, settings: Settings) -> None:
    mine, its = post(two, "1", to="claude", sender="gemini"), post(two, "2", to="claude-2", sender="codex")
    fetch(two, "claude", settings)
    with pytest.raises(NotUnread):
        nobodys.acknowledge(two, "claude", [mine, its, "other"])
    assert len(fetch(two, "claude", settings)) == 2
    assert nobodys.acknowledge(two, "claude", [mine, its]) == [mine, its]
    assert fetch(two, "claude", settings) == []
    assert _locks_held(two) == []


def test_it_is_not_acknowledged_while_its_session_lives(two: Tree, settings: Settings) -> None:
    its = post(two, "2", to="claude-2", sender="codex")
    fetch(two, "claude", settings)
    with session(two, "claude"), pytest.raises(NotUnread):
        nobodys.acknowledge(two, "claude", [its])


# --- faults -----------------------------------------------------------------------------------------------


class _Death(BaseException):
    """The process ends here."""


def _die() -> None:
    raise _Death


def _shown(where: Tree, settings: Settings, seen: list[str]) -> None:
    """Read as claude, note in `seen` what a client took, and acknowledge it."""
    with open_inboxes(Snapshot(where.path), "claude", settings) as inboxes:
        for one in inboxes.waiting:
            seen.append(one.load().body)
            one.acknowledge()


@pytest.mark.parametrize("after", [False, True])
def test_a_death_at_any_call_loses_nothing_and_shows_nothing_again_that_was_acknowledged(
    two: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    call, has_died = 0, True
    while has_died:
        call += 1
        bodies = [f"{call} own", f"{call} its", f"{call} third"]
        for body, to in zip(bodies, ("claude", "claude-2", "claude-3"), strict=True):
            post(two, body, to=to, sender="gemini")
        seen: list[str] = []
        with monkeypatch.context() as patched:
            patched.setattr(durable, "os", FaultyOs(at=call, after=after, act=_die))
            try:
                _shown(two, settings, seen)
                has_died = False
            except _Death:
                pass
        before = len(seen)
        _shown(two, settings, seen)
        assert list(dict.fromkeys(seen)) == bodies
        assert len(seen) - len(bodies) <= 1  # at most the one whose acknowledgement was cut off
        assert before <= len(bodies)
        assert set(states(two, "gemini")) == {READ}
        assert _locks_held(two) == []
    assert call > 10


def test_what_the_disk_refuses_stays_unread_for_the_next_reader(
    two: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(two, "for all", to="*", sender="gemini")
    assert _read(two, "claude", settings) == [("claude", "for all")]

    def refuse(one: Waiting) -> bool:
        raise OSError(5, "no", one.path)

    with monkeypatch.context() as patched:
        patched.setattr(Waiting, "acknowledge", refuse)
        assert _read(two, "claude", settings) == []
    assert len(states(two, "gemini")[READ]) == 1
    assert _read(two, "claude", settings) == []
    assert len(states(two, "gemini")[READ]) == 3


def test_the_settings_are_those_of_the_tree(two: Tree) -> None:
    post(two, "x", to="claude-2", sender="gemini")
    assert [one.recipient for one in fetch(two, "claude", settings_.load(two.path))] == ["claude-2"]
