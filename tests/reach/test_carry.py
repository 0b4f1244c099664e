"""A hook carries short mail from near senders whom the agent knows; all other mail is only announced."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.compose import drop_notices
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.carry import Carrier, contacts, note_contacts
from ai_bridge.settings import FULL, Settings
from tests.support.mail import post


def carried(where: Tree, settings: Settings, agent: str = "gemini") -> list[str]:
    """Return the IDs of the unread messages that a hook may carry."""
    return [one.id for one in Carrier(where, agent, settings).choose(fetch(where, agent, settings))]


@pytest.fixture
def known(where: Tree) -> Tree:
    """Mailboxes in which gemini was shown mail from claude before."""
    note_contacts(where, "gemini", ["claude"])
    return where


def test_short_mail_from_a_known_agent_is_carried(known: Tree, settings: Settings) -> None:
    id_ = post(known)
    assert carried(known, settings) == [id_]


def test_mail_of_a_first_contact_is_announced(where: Tree, settings: Settings) -> None:
    post(where)
    assert carried(where, settings) == []
    note_contacts(where, "gemini", ["claude", "codex"])
    assert contacts(where, "gemini") == {"claude", "codex"}
    assert len(carried(where, settings)) == 1


def test_an_answer_is_no_first_contact(where: Tree, settings: Settings) -> None:
    asked = post(where, to="claude", sender="gemini")
    fetch(where, "claude", settings)
    id_ = post(where, in_reply_to=asked)
    assert carried(where, settings) == [id_]


def test_who_only_says_that_it_answers_is_a_first_contact(where: Tree, settings: Settings) -> None:
    post(where, in_reply_to="gemini-20261128-000000-000000-abcd")
    assert carried(where, settings) == []


def test_mail_that_is_too_long_is_announced_and_so_is_what_follows_it(known: Tree, settings: Settings) -> None:
    first, _, _ = post(known), post(known, "x" * 1001), post(known)
    assert carried(known, settings) == [first]
    settings.carry_chars = 2000
    assert len(carried(known, settings)) == 3


def test_other_senders_are_not_behind(known: Tree, settings: Settings) -> None:
    known.make(["codex"])
    note_contacts(known, "gemini", ["codex"])
    post(known, "x" * 1001)
    id_ = post(known, sender="codex")
    assert carried(known, settings) == [id_]


def test_mail_from_another_project_is_announced(where: Tree, settings: Settings) -> None:
    where.make(["claude@shop", "codex@api", "gemini@api"])
    note_contacts(where, "gemini@api", ["claude@shop", "codex@api"])
    post(where, to="gemini@api", sender="claude@shop")
    id_ = post(where, to="gemini@api", sender="codex@api")
    assert carried(where, settings, "gemini@api") == [id_]


def test_mail_from_a_person_is_carried_whoever_it_is(where: Tree, settings: Settings) -> None:
    where.make(["me@shop"])
    cards.put(where, "me@shop", {"person": "yes"})
    id_ = post(where, sender="me@shop")
    assert carried(where, settings) == [id_]


@pytest.mark.parametrize(
    "content",
    [
        "just text\n",
        "To: gemini\n\nhello\n",
        "ID: claude-1\nFrom: claude\nTo: gemini\nSubject: s\nDate: 2026-11-28T00:00:00.000000Z\n\nhello",
        "ID: claude-20261128-000000-000000-abcd\nFrom: claude\nTo: gemini\nSubject: s\n\nhello",
    ],
)
def test_what_was_dropped_by_hand_is_announced(known: Tree, settings: Settings, content: str) -> None:
    settings.settle_s = 0.0
    Path(known.outbox("claude").path, "hello.gemini.txt").write_text(content)
    assert len(fetch(known, "gemini", settings)) == 1
    assert carried(known, settings) == []


def test_mail_from_another_machine_is_announced(known: Tree, settings: Settings) -> None:
    post(known)
    assert fetch(known, "gemini", settings)
    cards.put(known, "claude", {"home": "other-0123456789abcdef"})
    assert carried(known, settings) == []


def test_a_notice_of_the_postmaster_is_announced(known: Tree, settings: Settings) -> None:
    note_contacts(known, "gemini", ["postmaster"])
    drop_notices(known, [("gemini", "not delivered", "why")])
    assert len(fetch(known, "gemini", settings)) == 1
    assert carried(known, settings) == []


def test_at_full_all_mail_is_carried(where: Tree, settings: Settings) -> None:
    settings.reach = FULL
    post(where, "x" * 5000)
    assert len(carried(where, settings)) == 1


def test_a_message_that_cannot_be_read_is_announced(known: Tree, settings: Settings) -> None:
    post(known)
    (one,) = fetch(known, "gemini", settings)
    Path(one.path).write_bytes(b"\xff\xfe")
    assert unread.unread_for(known, "gemini")
    assert carried(known, settings) == []
