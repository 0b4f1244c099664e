"""Whatever a stranger put among the delivered messages, the next good one is read."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from tests.support.mail import post, states
from tests.support.shown import NOTHING, bodies, hand_unread
from tests.support.wait import until
from tests.support.wire import Wire

# Sorts before every message sent now.
OLD = "gemini-20200101-000000-000000-aaaa"
SECRET = "ID: s\nFrom: gemini\nTo: claude\nSubject: s\n\nnot for you"


def sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(10 << 30)


def link(path: Path) -> None:
    secret = path.parent.parent.parent / "secret"
    secret.write_text(SECRET)
    path.symlink_to(secret)


POISONS: dict[str, Callable[[Path], object]] = {
    "directory": lambda path: path.mkdir(),
    "not UTF-8": lambda path: path.write_bytes(b"ID: x\nFrom: gemini\nTo: claude\nSubject: s\n\n\xff\xfe"),
    "no headers": lambda path: path.write_text("garbage"),
    "empty": lambda path: path.write_bytes(b""),
    "symbolic link": link,
    "dangling link": lambda path: path.symlink_to("nowhere"),
    "FIFO": lambda path: os.mkfifo(path),
    "sparse": sparse,
}


def poison_all(where: Tree) -> list[str]:
    """Put one of each kind before the good messages; returns their IDs."""
    ids = [f"{OLD}{number}" for number in range(len(POISONS))]
    for id_, make in zip(ids, POISONS.values(), strict=True):
        make(hand_unread(where, id_))
    return ids


def test_none_of_them_hides_a_good_message_and_each_is_named(claude: Wire, where: Tree) -> None:
    ids = poison_all(where)
    good = post(where, "good", to="claude", sender="gemini")
    text = claude.text("peer_read")
    assert bodies(text) == ["good"]
    assert text.startswith("1 message for claude in full. 8 more not in full: they stay unread.")
    assert text.count("cannot be read and stays unread") == len(ids)
    for id_ in ids:
        assert str(hand_unread(where, id_)) in text
    assert "not for you" not in text
    until(lambda: states(where, "gemini").get(READ) == [f"{good}.claude.txt"])
    assert states(where, "gemini")[UNREAD] == [f"{id_}.claude.txt" for id_ in ids]


@pytest.mark.parametrize("words", [{"limit": 1}, {"max_chars": 1000}], ids=["smallest limit", "smallest budget"])
def test_none_of_them_uses_up_what_a_read_may_show(claude: Wire, where: Tree, words: dict[str, int]) -> None:
    poison_all(where)
    for body in ("one", "two"):
        post(where, body, to="claude", sender="gemini")
    assert bodies(claude.text("peer_read", **words) + claude.text("peer_read", **words)) == ["one", "two"]


def test_one_that_is_dealt_with_can_be_acknowledged(claude: Wire, where: Tree) -> None:
    hand_unread(where, OLD).write_text("garbage")
    assert OLD in claude.text("peer_read")
    assert claude.text("acknowledge_messages", ids=[OLD]) == f"Marked as read: {OLD}"
    assert claude.text("peer_read") == NOTHING


def test_other_names_among_the_delivered_are_no_messages(claude: Wire, where: Tree) -> None:
    for name in (".hidden.claude.txt", "note.md", "x.claude.txt.part", "x.gemini.txt"):
        Path(where.outbox("gemini").directory(UNREAD), name).write_text("garbage")
    assert claude.text("peer_read") == NOTHING
