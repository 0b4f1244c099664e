"""A hook's answer: nothing, a notice, or the mail itself; and what happens to that mail, taken or not."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ai_bridge.clients import CLAUDE_CODE, CODEX_CLI, GEMINI_CLI
from ai_bridge.inbox import framing
from ai_bridge.inbox.fetch import fetch
from ai_bridge.inbox.reply_in_flight import ReplyInFlight
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach import hook_answer
from ai_bridge.reach.carry import contacts, note_contacts
from ai_bridge.reach.pace import Pace
from ai_bridge.reach.rings import Rings
from ai_bridge.reach.ways import MARK, NOTHING, Ways, ways_of
from ai_bridge.settings import FULL, NOTICE, OFF, SHORT, Settings
from ai_bridge.system.locks import holder
from tests.support.mail import post, states
from tests.support.shown import bodies

CLAUDE, GEMINI, CODEX = map(ways_of, (CLAUDE_CODE, GEMINI_CLI, CODEX_CLI))


class Hooked:
    """A session of gemini with hooks."""

    def __init__(self, where: Tree, settings: Settings) -> None:
        self.where = where
        self._settings = settings
        self.told = Rings(where, "gemini", "the session", Pace((3600.0,), 0))

    def look(self) -> list[Waiting]:
        return fetch(self.where, "gemini", self._settings)

    def ask(
        self, level: str, event: str = "UserPromptSubmit", ways: Ways = CLAUDE
    ) -> tuple[str, ReplyInFlight | None]:
        self._settings.reach = level
        return hook_answer.answer(self.where, "gemini", self._settings, ways, self.told, self.look, event)

    def hook(self, level: str, taken: bool = True, event: str = "UserPromptSubmit") -> str:
        """Return what a hook is given to read, '' for nothing; it takes it, or does not."""
        text, hand = self.ask(level, event)
        if hand is None:
            assert text == NOTHING
            return ""
        hand.finish(taken)
        answer: dict[str, Any] = json.loads(text)
        context: str = answer["hookSpecificOutput"]["additionalContext"]
        return context

    def is_free(self) -> bool:
        return not any(holder(self.where.lock_file(role, "gemini")) for role in ("told", "reader", "router"))


@pytest.fixture
def session(where: Tree, settings: Settings) -> Hooked:
    return Hooked(where, settings)


def test_nothing_is_an_empty_object(session: Hooked) -> None:
    for level in (OFF, NOTICE, SHORT, FULL):
        assert session.ask(level) == ("{}", None)


def test_switched_off_nothing_is_told(session: Hooked) -> None:
    post(session.where)
    assert session.ask(OFF) == (NOTHING, None)
    assert session.hook(NOTICE).startswith(MARK)


@pytest.mark.parametrize("level", [NOTICE, FULL])
def test_what_was_not_taken_is_told_again_and_stays_unread(session: Hooked, level: str) -> None:
    post(session.where)
    assert session.hook(level, taken=False)
    assert [*states(session.where, "claude")] == [UNREAD]
    assert session.is_free()
    assert session.hook(level)
    assert session.hook(level) == ""
    assert session.is_free()


def test_a_notice_marks_nothing_as_read(session: Hooked) -> None:
    post(session.where, "the body")
    text = session.hook(NOTICE)
    assert "from claude" in text
    assert "the body" not in text
    assert [*states(session.where, "claude")] == [UNREAD]


def test_the_mail_itself_comes_in_a_fence_and_is_marked_as_read(session: Hooked) -> None:
    post(session.where, 'the "body"\nin two lines ü')
    text = session.hook(FULL)
    assert text.startswith(MARK)
    assert bodies(text) == ['the "body"\nin two lines ü']
    assert "From: claude" in text
    assert [*states(session.where, "claude")] == [READ]


def test_what_does_not_fit_stays_unread_and_is_told_of_once(session: Hooked) -> None:
    letters = "abcd"
    for letter in letters:
        post(session.where, letter * 4000)
    text = session.hook(FULL)
    shown = bodies(text)
    assert shown == [letter * 4000 for letter in letters[: len(shown)]]
    assert 1 <= len(shown) < len(letters)
    assert f"{len(letters) - len(shown)} more unread" in text
    assert len(text) < 10_000, "of a longer one the client takes none"
    assert len(states(session.where, "claude")[UNREAD]) == len(letters) - len(shown)
    assert session.hook(FULL) == ""


def test_a_message_that_is_too_long_is_shown_in_part_and_stays_unread(session: Hooked) -> None:
    id_ = post(session.where, "x" * 50_000)
    text = session.hook(FULL)
    assert id_ in text
    assert len(text) < 10_000
    assert [*states(session.where, "claude")] == [UNREAD]
    assert session.hook(FULL) == ""


def test_what_another_read_meanwhile_is_not_shown(session: Hooked) -> None:
    read, left = post(session.where, "read"), post(session.where, "left")
    inner = session.look

    def look() -> list[Waiting]:
        found = inner()
        unread.acknowledge(session.where, "gemini", [read])
        return found

    session.look = look  # type: ignore[method-assign]
    text = session.hook(FULL)
    assert bodies(text) == ["left"]
    assert read not in text
    assert left in text


def test_where_another_read_all_of_it_meanwhile_there_is_nothing(session: Hooked) -> None:
    ids = [post(session.where), post(session.where)]
    found = session.look()
    unread.acknowledge(session.where, "gemini", ids)
    session.look = lambda: found  # type: ignore[method-assign]
    assert session.ask(FULL) == (NOTHING, None)
    assert session.is_free()


def test_while_another_reads_the_mail_is_left_to_it_and_is_told_later(
    session: Hooked, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(unread, "_PATIENCE_S", 0.01)
    post(session.where)
    lock = unread.lock_inbox(session.where, "gemini")
    assert session.ask(FULL) == (NOTHING, None)
    lock.release()
    assert session.is_free()
    assert session.hook(FULL)


# --- short mail -------------------------------------------------------------------------------------------


def test_short_mail_from_a_known_agent_comes_with_the_hook_and_is_marked_as_read(session: Hooked) -> None:
    note_contacts(session.where, "gemini", ["claude"])
    post(session.where, "the build is green")
    text = session.hook(SHORT)
    assert bodies(text) == ["the build is green"]
    assert "peer_read()" not in text
    assert [*states(session.where, "claude")] == [READ]
    assert session.is_free()


def test_of_other_mail_a_notice_comes_with_it(session: Hooked) -> None:
    note_contacts(session.where, "gemini", ["claude"])
    session.where.make(["codex"])
    post(session.where, "short")
    post(session.where, "from a stranger", sender="codex")
    text = session.hook(SHORT)
    assert bodies(text) == ["short"]
    assert "1 new message for gemini, from codex" in text
    assert "a stranger" not in text
    assert [*states(session.where, "claude"), *states(session.where, "codex")] == [READ, UNREAD]
    assert session.hook(SHORT) == ""


def test_what_was_not_taken_comes_again_as_a_whole(session: Hooked) -> None:
    note_contacts(session.where, "gemini", ["claude"])
    post(session.where, "short")
    post(session.where, "x" * 2000)
    first = session.hook(SHORT, taken=False)
    again = session.hook(SHORT)
    assert bodies(first) == bodies(again) == ["short"]
    assert "1 new message" in first
    assert "1 new message" in again


def test_a_sender_whose_mail_a_hook_carried_is_known(session: Hooked) -> None:
    post(session.where)
    session.hook(FULL, taken=False)
    assert not contacts(session.where, "gemini")
    session.hook(FULL)
    assert contacts(session.where, "gemini") == {"claude"}


def test_quiet_mail_never_makes_a_model_go_on(session: Hooked) -> None:
    post(session.where, extra={"Urgency": "quiet"})
    assert session.ask(FULL, "Stop") == (NOTHING, None)
    assert session.ask(FULL, "PostToolUse") == (NOTHING, None)
    assert bodies(session.hook(FULL)) == ["hello"]


def test_the_answer_is_shaped_for_its_client_and_event(session: Hooked) -> None:
    post(session.where)
    text, hand = session.ask(NOTICE, "Stop", CODEX)
    assert hand is not None
    hand.finish(True)
    assert json.loads(text) == {"decision": "block", "reason": json.loads(text)["reason"]}
    assert json.loads(text)["reason"].startswith(MARK)


def test_mail_that_was_told_of_by_a_notice_is_carried_by_the_hook_that_follows(session: Hooked) -> None:
    post(session.where, "the body")
    assert "Read: peer_read()" in session.hook(NOTICE)
    assert bodies(session.hook(FULL)) == ["the body"]
    assert session.hook(FULL) == ""


@pytest.mark.parametrize(("event", "carried"), [("BeforeAgent", False), ("AfterAgent", True)])
def test_a_text_its_client_would_change_is_told_of_and_not_carried(
    session: Hooked, event: str, carried: bool
) -> None:
    post(session.where, "if a < b: pass")
    text, hand = session.ask(FULL, event, GEMINI)
    assert hand is not None
    hand.finish(taken=True)
    assert ("if a < b" in text) is carried
    assert [*states(session.where, "claude")] == [READ if carried else UNREAD]


def test_what_was_announced_makes_no_model_go_on_at_the_end_of_its_turn(session: Hooked) -> None:
    post(session.where)
    assert session.hook(NOTICE)
    assert session.ask(FULL, "Stop") == (NOTHING, None)


# By the tokenizers o200k_base and cl100k_base what is said besides a body has 2.95 bytes a token or more: so many are
# the words, the hexadecimal digits and the IDs.
BYTES_A_TOKEN = 2.9


def test_an_answer_costs_few_tokens_besides_its_body(session: Hooked) -> None:
    question = post(session.where, "what?", to="claude", sender="gemini")
    body = "the answer"
    post(session.where, body, in_reply_to=question, thread=question, subject="status_update")
    told = session.hook(NOTICE)
    read = framing.reply(session.where, "gemini", session.look(), 100, framing.Budget(20_000), framing.AUTO).text
    carried = session.hook(FULL)
    for said in (told + read, carried):
        assert body in said
        assert (len(said.encode()) - len(body)) / BYTES_A_TOKEN < 160
