"""Messages that a dead router had claimed are released, at most three times; one that kills routers is set aside."""

from __future__ import annotations

import errno
import os
import time
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, REASON, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.daemon import Daemon
from ai_bridge.router.recover import MAX_RELEASES, recover
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from tests.support.mail import post, states


def _claimed(where: Tree, **words: str) -> str:
    """Send a message and claim it, as a router does that dies then; returns its file's name."""
    name = f"{post(where, **words)}.{words.get('to', 'gemini')}.txt"
    assert where.outbox(words.get("sender", "claude")).move("claim", name)
    return name


def test_what_was_claimed_is_released(where: Tree, settings: Settings) -> None:
    name = _claimed(where)
    steps = list(recover(Router(where, {"claude", "gemini"}, settings)))
    assert [(step.verb, step.name) for step in steps] == [("release", name)]
    assert states(where, "claude") == {DROPPED: [name]}


def test_only_what_was_claimed_for_the_agents_served_is_released(where: Tree, settings: Settings) -> None:
    name = _claimed(where)
    Path(where.outbox("claude").file(PROCESSING, "hand.txt")).write_text("bad")
    assert [step.name for step in recover(Router(where, {"gemini"}, settings))] == [name]
    assert [step.name for step in recover(Router(where, {"claude"}, settings))] == ["hand.txt"]


def test_a_message_that_kills_the_router_again_and_again_is_set_aside(where: Tree, settings: Settings) -> None:
    name = _claimed(where)
    outbox = where.outbox("claude")
    for _ in range(MAX_RELEASES):
        assert [step.verb for step in recover(Router(where, {"claude", "gemini"}, settings))] == ["release"]
        outbox.move("claim", name)
    assert [step.verb for step in recover(Router(where, {"claude", "gemini"}, settings))] == ["reject"]
    assert states(where, "claude") == {MALFORMED: [name]}
    assert "died 3 times" in Path(outbox.file(MALFORMED, name) + REASON).read_text()


def test_a_message_that_got_through_in_between_starts_anew(where: Tree, settings: Settings) -> None:
    name = _claimed(where)
    outbox = where.outbox("claude")
    for _ in range(MAX_RELEASES + 2):
        assert [step.verb for step in recover(Router(where, {"claude", "gemini"}, settings))] == ["release"]
        assert list(recover(Router(where, {"claude", "gemini"}, settings))) == []
        outbox.move("claim", name)


def test_a_release_never_replaces_what_was_dropped_meanwhile(where: Tree, settings: Settings) -> None:
    outbox = where.outbox("claude")
    head = "ID: {}\nFrom: claude\nTo: gemini\nSubject: s\n\n"
    Path(outbox.file(PROCESSING, "x.txt")).write_text(head.format("first"))
    Path(outbox.file(DROPPED, "x.txt")).write_text(head.format("second"))
    router = Router(where, {"claude", "gemini"}, settings)
    list(recover(router))
    assert sorted(states(where, "claude")[DROPPED]) == ["x.txt", "x~1.txt"]
    list(router.one_pass())
    assert sorted(states(where, "claude")[UNREAD]) == ["first.gemini.txt", "second.gemini.txt"]


def test_what_a_sender_left_half_written_long_ago_is_removed(where: Tree, settings: Settings) -> None:
    old, new = (Path(where.outbox("claude").temporary, name) for name in ("old.txt", "new.txt"))
    for path in (old, new):
        path.write_text("half")
    os.utime(old, (time.time() - 90_000,) * 2)
    list(recover(Router(where, {"claude", "gemini"}, settings)))
    assert (old.exists(), new.exists()) == (False, True)


def test_a_router_that_starts_releases_the_other_claims_where_the_disk_refuses_one(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    name, other = _claimed(where), _claimed(where, body="other")
    real = Outbox.move

    def refuse(self: Outbox, verb: str, claimed: str, *words: str) -> bool:
        if (verb, claimed) == ("release", name):
            raise OSError(errno.EIO, os.strerror(errno.EIO))
        return real(self, verb, claimed, *words)

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "move", refuse)
        Daemon(where, settings).run_once()
    assert states(where, "claude") == {PROCESSING: [name], UNREAD: [other]}
    Daemon(where, settings).run_once()
    assert states(where, "claude") == {UNREAD: [name, other]}
