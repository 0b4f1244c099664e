"""Names alone show that no mail can be there; in doubt they show that some may be."""

from __future__ import annotations

from pathlib import Path

from ai_bridge.inbox.empty import is_empty
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.mail import post


def test_mail_on_its_way_unread_and_read(where: Tree, settings: Settings) -> None:
    assert is_empty(where, "gemini")
    post(where)
    assert not is_empty(where, "gemini")
    assert not is_empty(where, "claude"), "its recipient is known only once it is read"
    (one,) = fetch(where, "gemini", settings)
    assert not is_empty(where, "gemini")
    assert is_empty(where, "claude")
    one.acknowledge()
    assert is_empty(where, "gemini")


def test_mail_for_another_session_of_the_agent_may_be_for_this_one(where: Tree, settings: Settings) -> None:
    where.make(["gemini-2", "gemini@api"])
    post(where, to="gemini-2")
    assert fetch(where, "gemini-2", settings)
    assert not is_empty(where, "gemini")
    assert not is_empty(where, "gemini-3")
    assert is_empty(where, "codex")


def test_a_claimed_file_counts_whatever_its_name(where: Tree) -> None:
    Path(where.outbox("claude").file("processing", "anything.txt")).write_text("x")
    assert not is_empty(where, "gemini")


def test_a_file_that_is_no_message_does_not_count(where: Tree) -> None:
    Path(where.outbox("claude").path, "notes.md").write_text("x")
    assert is_empty(where, "gemini")
    assert unread.unread_for(where, "gemini") == []
