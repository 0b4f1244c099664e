"""Mail over a link while the disk refuses a look: it comes again, and is not refused for good."""

from __future__ import annotations

import errno
import os
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.errors import DiskError
from ai_bridge.link.config import Link
from ai_bridge.link.incoming import DROP, Arrival, Incoming
from ai_bridge.link.owed_receipts import Journal
from ai_bridge.link.refused import Refused
from ai_bridge.link.remote_agents import RemoteAgents
from ai_bridge.link.wire import SENDER
from ai_bridge.mailboxes.outbox import DROPPED
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.locks import Lock
from tests.support.disk import FaultyReads
from tests.support.mail import states

RAW = b"ID: m-1\nFrom: ann@south\nTo: claude\nSubject: s\n\nhello"


@pytest.fixture
def incoming(where: Tree) -> Incoming:
    book = RemoteAgents(where, Link("north", "nats://127.0.0.1:4"), 10)
    book.refresh()
    refused = Refused(where.state_file("links", "refused"), 10_000)
    return Incoming(book, Journal(where.state_file("links", "north.owed")), refused, 10)


def _arrival() -> Arrival:
    return Arrival("aibridge.mail.north.south.claude.key", {SENDER: "ann"}, RAW)


@pytest.mark.parametrize("number", [errno.EIO, errno.EACCES, errno.EMFILE])
def test_mail_whose_senders_card_cannot_be_read_now_comes_again(where: Tree, incoming: Incoming, number: int) -> None:
    Path(cards.card_path(where, "ann@south")).write_text("---\nname: ann@south\nlink: north\nremote: ann\n---\n")
    with FaultyReads(cards.card_path(where, "ann@south"), 0, number, ("open",)), pytest.raises(DiskError):
        incoming.take([_arrival()])
    _comes(where, incoming)


def test_mail_whose_senders_card_another_process_changes_comes_again(
    where: Tree, incoming: Incoming, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cards, "_PATIENCE_S", 0.0)
    lock = Lock(where.lock_file("card", "ann@south"))
    assert lock.acquire("card")
    with pytest.raises(cards.CardBusy):
        incoming.take([_arrival()])
    lock.release()
    _comes(where, incoming)


def _comes(where: Tree, incoming: Incoming) -> None:
    assert not os.path.exists(where.state_file("links", "refused"))
    again = _arrival()
    incoming.take([again])
    assert again.verdict == DROP
    assert states(where, "ann@south") == {DROPPED: ["m-1.claude.txt"]}
