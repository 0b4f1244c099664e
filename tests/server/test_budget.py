"""A reply stays within `max_chars`; it says what does not fit and how to get it, and nothing is lost."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.message import parse
from tests.support.mail import post, states
from tests.support.server import CODEX, GEMINI, Ground
from tests.support.shown import NOTHING, bodies, settle
from tests.support.wait import until
from tests.support.wire import Wire

LARGE = "0123456789" * 3000


def read_all(server: Wire, **words: object) -> list[str]:
    """Read again and again until nothing is unread; returns the replies that showed something."""
    texts: list[str] = []
    while not (text := server.text("peer_read", **words)).startswith("No unread mail"):
        texts.append(text)
        assert len(texts) < 100, "the reads come to no end"
    return texts


def test_what_does_not_fit_is_said_and_got_by_the_next_read(claude: Wire, where: Tree) -> None:
    sent = [f"{number} " + "x" * 1500 for number in range(10)]
    for body in sent:
        post(where, body, to="claude", sender="gemini")
    texts = read_all(claude, max_chars=5000)
    assert [body for text in texts for body in bodies(text)] == sent
    assert all(len(text) <= 5000 for text in texts)
    shown = 0
    for text in texts[:-1]:
        shown += len(bodies(text))
        assert f"{10 - shown} more unread: read again for the rest" in text
    assert "more unread" not in texts[-1]


def test_without_a_budget_the_one_of_the_settings_holds(claude: Wire, where: Tree) -> None:
    for _ in range(8):
        post(where, "x" * 900, to="claude", sender="gemini")
    default = claude.text("peer_read", peek=True)
    settle(where, max_chars=3000)
    small = claude.text("peer_read", peek=True)
    assert len(bodies(default)) == 8
    assert 0 < len(bodies(small)) < 3
    assert len(small) <= 3000


def test_with_manual_acknowledgement_the_rest_comes_after_it(claude: Wire, where: Tree) -> None:
    ids = [post(where, "x" * 1000, to="claude", sender="gemini") for _ in range(3)]
    text = claude.text("peer_read", max_chars=3000, acknowledge="manual")
    assert "1 more unread: read again for the rest (after acknowledge_messages)" in text
    claude.text("acknowledge_messages", ids=ids[:2])
    assert ids[2] in claude.text("peer_read", max_chars=3000, acknowledge="manual")


# --- larger than the whole budget -----------------------------------------------------------------------


def test_a_message_larger_than_the_budget_is_previewed_and_others_are_still_shown(claude: Wire, where: Tree) -> None:
    large = post(where, LARGE, to="claude", sender="gemini")
    post(where, "small", to="claude", sender="gemini")
    text = claude.text("peer_read")
    assert text.startswith("1 message for claude in full. 1 more not in full: it stays unread.")
    assert sorted(bodies(text)) == [LARGE[:500], "small"]
    assert f"This message has {len(LARGE)} characters, too many to be shown whole here" in text
    until(lambda: len(states(where, "gemini").get(READ, [])) == 1)
    assert states(where, "gemini")[UNREAD] == [f"{large}.claude.txt"]


@pytest.mark.parametrize("subject", ["short", "s" * 3000], ids=["short subject", "long subject"])
def test_the_budget_a_preview_names_shows_the_whole_message(claude: Wire, where: Tree, subject: str) -> None:
    post(where, LARGE, to="claude", sender="gemini", subject=subject)
    found = re.search(r"call again with max_chars=(\d+)", claude.text("peer_read"))
    assert found
    assert bodies(claude.text("peer_read", max_chars=int(found[1]))) == [LARGE]
    assert claude.text("peer_read") == NOTHING


def test_the_file_a_preview_names_holds_it_and_the_call_it_gives_acknowledges_it(claude: Wire, where: Tree) -> None:
    id_ = post(where, LARGE, to="claude", sender="gemini")
    found = re.search(
        r'read the file (\S+) and then acknowledge_messages\(ids=\["(\S+)"\]\)', claude.text("peer_read")
    )
    assert found
    assert parse(Path(found[1]).read_bytes()).body == LARGE
    assert claude.text("acknowledge_messages", ids=[found[2]]) == f"Marked as read: {id_}"
    assert claude.text("peer_read") == NOTHING


@pytest.mark.parametrize("subject", ["short", "s" * 50_000], ids=["short subject", "long subject"])
def test_a_preview_keeps_within_the_smallest_budget_too(claude: Wire, where: Tree, subject: str) -> None:
    post(where, LARGE, to="claude", sender="gemini", subject=subject)
    text = claude.text("peer_read", max_chars=1000)
    assert "only its beginning is shown" in text
    assert len(text) <= 1000


def test_a_message_that_cannot_be_shown_whole_does_not_use_up_the_limit(claude: Wire, where: Tree) -> None:
    post(where, LARGE, to="claude", sender="gemini")
    post(where, "small", to="claude", sender="gemini")
    assert "small" in bodies(claude.text("peer_read", limit=1))


# --- what a client shows at all -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("client", "agent", "limit"), [(CODEX, "codex", 10_000), (GEMINI, "gemini", 38_000)], ids=["codex", "gemini"]
)
@pytest.mark.parametrize("letter", ["x", "ü", "字"])
def test_a_reply_is_never_longer_than_its_client_shows(
    ground: Ground, where: Tree, client: str, agent: str, limit: int, letter: str
) -> None:
    where.make([agent])
    sent = [f"{number} {letter * (limit // 8)}" for number in range(9)]
    for body in sent:
        post(where, body, to=agent, sender="claude")
    texts = read_all(ground.shared(client), max_chars=100_000)
    assert [body for text in texts for body in bodies(text)] == sent
    assert len(texts) > 1
    for text in texts:
        assert len(text.encode() if client == CODEX else text) <= limit


def test_what_the_client_would_never_show_whole_is_left_to_its_file(ground: Ground, where: Tree) -> None:
    where.make(["codex"])
    post(where, "ü" * 9_000, to="codex", sender="claude")
    text = ground.shared(CODEX).text("peer_read", max_chars=100_000)
    assert len(text.encode()) <= 10_000
    assert "call again" not in text
    assert "For all of it read the file /" in text
    assert states(where, "claude").keys() == {UNREAD}
