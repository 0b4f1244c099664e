"""check_mail, the tool that a client's hooks call: its answers, and that a session never hears of seen mail again."""

from __future__ import annotations

import json
from typing import Any

import pytest

from ai_bridge.agents.presence import session
from ai_bridge.inbox.reply_in_flight import ReplyInFlight
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach import hook_answer, pace
from ai_bridge.reach.ways import MARK
from ai_bridge.server.client_session import Session
from ai_bridge.server.membership import Caller, SessionEnded
from tests.support.mail import post, states
from tests.support.server import GEMINI, Serve
from tests.support.shown import bodies, is_being_read, rung
from tests.support.wait import until
from tests.support.wire import Json, Wire

NOTHING = "{}"


def hook(server: Wire, event: str = "UserPromptSubmit") -> str:
    """Ask as a hook does; returns the text before the model, '' for nothing."""
    text = server.text("check_mail", event=event)
    if text == NOTHING:
        return ""
    answer: dict[str, Any] = json.loads(text)
    shown: str = answer["hookSpecificOutput"]["additionalContext"]
    assert answer == {"hookSpecificOutput": {"hookEventName": event, "additionalContext": shown}}
    return shown


def ask(server: Wire) -> int:
    return server.ask_tool("check_mail", {"event": "UserPromptSubmit"})


@pytest.fixture
def full(serve: Serve) -> Wire:
    """A session of claude that is given the mail itself."""
    return serve(AI_BRIDGE_REACH="full")


def test_nothing_is_answered_so_that_nothing_comes_before_the_model(claude_of_era: Wire) -> None:
    for event in ("UserPromptSubmit", "PostToolUse", "Stop", "SessionStart", "an event of tomorrow"):
        assert hook(claude_of_era, event) == ""


@pytest.mark.parametrize("event", ["UserPromptSubmit", "Stop"])
def test_a_hook_tells_of_what_came_once(claude_of_era: Wire, where: Tree, event: str) -> None:
    server = claude_of_era
    post(where, "the body", to="claude", sender="gemini")
    text = hook(server, event)
    assert text.startswith(f"{MARK} 1 new message for claude, from gemini")
    assert "the body" not in text
    assert [hook(server, event), hook(server, "Stop")] == ["", ""]
    assert [*states(where, "gemini")] == [UNREAD]
    assert bodies(server.text("peer_read")) == ["the body"]
    post(where, "a body", to="claude", sender="gemini")
    assert bodies(hook(server, event)) == ["a body"], "the sender is known by now"


def test_the_end_of_a_turn_counts_once_its_hook_has_noted_its_mail(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    own, caller, at_work = Session(where.path, "claude"), Caller("claude-code", ""), list[bool]()
    real = hook_answer.answer

    def answer(*words: Any) -> tuple[str, ReplyInFlight | None]:
        at_work.append(own.activity.is_at_work())
        return real(*words)

    monkeypatch.setattr(hook_answer, "answer", answer)
    try:
        for number, event in enumerate(("UserPromptSubmit", "Stop")):
            own.check(number, caller, event)
        assert at_work == [True, True], "else the server would ring for what this hook announces"
        assert not own.activity.is_at_work()
    finally:
        own.close()


def test_an_event_must_be_said(claude: Wire) -> None:
    assert "event" in claude.refusal("check_mail")


# --- what was seen otherwise ------------------------------------------------------------------------------


def test_right_after_a_read_there_is_nothing_to_tell(claude: Wire, where: Tree) -> None:
    for number in range(20):
        post(where, to="claude", sender="gemini")
        claude.write(
            claude.line(1000 + number, "tools/call", {"name": "peer_read", "arguments": {}}),
        )
        assert bodies(claude.answer(1000 + number).text) == ["hello"]
        assert hook(claude) == "", number


@pytest.mark.parametrize("words", [{"peek": True}, {"acknowledge": "manual"}], ids=["peek", "manual"])
def test_what_was_read_and_left_unread_is_not_told(claude: Wire, where: Tree, words: Json) -> None:
    post(where, to="claude", sender="gemini")
    assert bodies(claude.text("peer_read", **words)) == ["hello"]
    assert hook(claude) == ""
    assert [*states(where, "gemini")] == [UNREAD]


def test_what_a_peek_did_not_show_is_told(claude: Wire, where: Tree) -> None:
    post(where, "1", to="claude", sender="gemini")
    post(where, "2", to="claude", sender="gemini")
    assert bodies(claude.text("peer_read", peek=True, limit=1)) == ["1"]
    assert "1 new message" in hook(claude)


def test_what_a_wait_told_of_is_not_told(claude: Wire, where: Tree) -> None:
    post(where, to="claude", sender="gemini")
    assert "1 message unread" in claude.text("peer_wait", timeout_s=60)
    assert hook(claude) == ""


def test_a_reply_that_is_on_its_way_is_not_told_of_and_one_that_was_not_taken_is(serve: Serve, where: Tree) -> None:
    reader = serve()
    post(where, "for the first", to="claude", sender="gemini")
    reader.ask_tool("peer_read")
    until(lambda: is_being_read(where) and reader.unread_bytes())
    reader.leave()
    assert [*states(where, "gemini")] == [UNREAD]
    assert "1 new message" in hook(serve())


def test_what_a_reply_on_its_way_shows_is_not_news_until_it_was_not_taken(where: Tree) -> None:
    own = Session(where.path, "claude")
    post(where, to="claude", sender="gemini")
    assert bodies(own.read(1, Caller(), None, {})) == ["hello"]
    assert own.unread() == []
    assert own.check(2, Caller(), "UserPromptSubmit") == NOTHING
    own.finish(1, taken=False)
    assert len(own.unread()) == 1
    own.close()


def test_a_session_that_has_ended_takes_its_name_not_again(where: Tree) -> None:
    own = Session(where.path, "claude")
    assert own.who(Caller()).address == "claude"
    own.leave()
    with pytest.raises(SessionEnded):
        own.who(Caller())
    assert own.unread() == []
    assert session(where, "claude") is None


# --- whether it was taken ---------------------------------------------------------------------------------


@pytest.mark.parametrize("level", ["notice", "full"])
def test_an_answer_nobody_took_was_not_told_and_stays_unread(serve: Serve, where: Tree, level: str) -> None:
    deaf = serve(AI_BRIDGE_REACH=level, CLAUDE_CODE_SESSION_ID="the same session")
    post(where, to="claude", sender="gemini")
    ask(deaf)
    until(lambda: deaf.unread_bytes())
    assert rung(where, "claude") == ["rung"]
    assert is_being_read(where) is (level == "full")
    deaf.leave()
    assert [*states(where, "gemini")] == [UNREAD]
    again = serve(AI_BRIDGE_REACH=level, CLAUDE_CODE_SESSION_ID="the same session")
    assert hook(again)
    assert hook(again) == ""


def test_a_cancelled_hook_told_nothing(claude: Wire, where: Tree) -> None:
    post(where, to="claude", sender="gemini")
    number = ask(claude)
    claude.cancel(number)
    until(lambda: hook(claude) or claude.has_replied(number))  # if it was not cancelled in time, it was answered
    assert hook(claude) == ""


def test_the_mail_itself_is_marked_as_read_once_it_was_taken(full: Wire, where: Tree) -> None:
    post(where, "the body", to="claude", sender="gemini")
    number = ask(full)
    until(lambda: full.unread_bytes())
    assert [*states(where, "gemini")] == [UNREAD]
    text = full.answer(number).text
    assert bodies(json.loads(text)["hookSpecificOutput"]["additionalContext"]) == ["the body"]
    until(lambda: [*states(where, "gemini")] == [READ])
    assert hook(full) == ""


def test_of_more_than_a_hook_carries_the_rest_stays_unread(full: Wire, where: Tree) -> None:
    for letter in "abcd":
        post(where, letter * 4000, to="claude", sender="gemini")
    shown = bodies(hook(full))
    assert 1 <= len(shown) < 4
    until(lambda: len(states(where, "gemini").get(READ, [])) == len(shown))
    assert hook(full) == ""
    assert len(bodies(full.text("peer_read"))) == 4 - len(shown)


def test_hooks_that_ask_at_once_tell_once(claude: Wire, where: Tree) -> None:
    for _ in range(10):
        post(where, to="claude", sender="gemini")
        texts = [claude.answer(number).text for number in [ask(claude) for _ in range(5)]]
        assert sorted(text == NOTHING for text in texts) == [False, True, True, True, True]


def test_after_a_turn_gemini_is_refused_its_end(serve: Serve, where: Tree) -> None:
    server = serve(client=GEMINI)
    post(where)
    assert json.loads(server.text("check_mail", event="AfterAgent"))["decision"] == "deny"


def test_each_look_of_a_hook_in_a_burst_is_a_look_of_its_own(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace, "was_rung_lately", lambda memory: True)
    session_ = Session(where.path, "claude")
    looks: list[bool] = []
    real = session_.unread

    def unread(look: Snapshot) -> list[Waiting]:
        looks.append(look.has_outbox("late"))
        where.make(["late"])
        return real(look)

    monkeypatch.setattr(session_, "unread", unread)
    session_.who(Caller("claude-code", ""))
    post(where, to="claude", sender="gemini")
    try:
        assert "1 new message" in session_.check(1, Caller("claude-code", ""), "UserPromptSubmit")
    finally:
        session_.close()
    assert looks == [False, True]
