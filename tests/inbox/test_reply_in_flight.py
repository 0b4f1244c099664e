"""A reply on its way: its mail is acknowledged once taken, else stays unread; then the next reader may read."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.inbox.fetch import fetch
from ai_bridge.inbox.reply_in_flight import ReplyInFlight
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock
from tests.support.mail import post, states


@pytest.fixture
def shown(where: Tree, settings: Settings) -> list[Waiting]:
    post(where, "1")
    post(where, "2")
    return fetch(where, "gemini", settings)


@pytest.fixture
def lock(where: Tree) -> Lock:
    return unread.lock_inbox(where, "gemini")


@pytest.mark.parametrize(("taken", "state"), [(True, READ), (False, UNREAD)])
def test_what_was_taken_is_acknowledged_and_what_was_not_stays_unread(
    where: Tree, shown: list[Waiting], lock: Lock, taken: bool, state: str
) -> None:
    heard: list[bool] = []
    ReplyInFlight(lock, shown, heard.append).finish(taken)
    assert {state: len(names) for state, names in states(where, "claude").items()} == {state: 2}
    assert heard == [taken]
    assert not lock.held


def test_a_message_the_disk_refuses_to_move_stays_unread_and_the_others_are_acknowledged(
    where: Tree, shown: list[Waiting], settings: Settings, lock: Lock
) -> None:
    where.make(["codex"])
    post(where, sender="codex")
    directory = Path(where.outbox("claude").directory(READ))
    directory.rmdir()
    directory.write_text("no directory")
    refused = ReplyInFlight(lock, fetch(where, "gemini", settings)).finish(taken=True)
    assert [sentence.startswith("not acknowledged: ") for sentence in refused] == [True] * len(shown)
    assert len(list(Path(where.outbox("claude").directory(UNREAD)).iterdir())) == len(shown)
    assert [*states(where, "codex")] == [READ]
    assert not lock.held


def test_whoever_is_told_and_fails_keeps_nobody_from_reading(shown: list[Waiting], lock: Lock) -> None:
    def fail(taken: bool) -> None:
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        ReplyInFlight(lock, shown, fail).finish(taken=True)
    assert not lock.held


def test_without_a_lock_there_is_none_to_give_back(where: Tree, shown: list[Waiting]) -> None:
    ReplyInFlight(None, shown).finish(taken=True)
    assert [*states(where, "claude")] == [READ]
