"""peer_list and peer_status: the agents, where a message is and why, and how the mail stands."""

from __future__ import annotations

import json
import os
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.health import mail
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock
from tests.support.command import command
from tests.support.mail import post, route, states
from tests.support.shown import bodies, hand_drop, settle
from tests.support.wait import until
from tests.support.wire import Wire


@pytest.mark.usefixtures("router")
def test_a_router_at_work_is_named(claude: Wire, where: Tree) -> None:
    assert f"Router: {mail.router_of(where, 'claude')}" in claude.text("peer_status")


def test_without_an_id_the_status_says_who_i_am_and_how_the_mail_stands(claude_of_era: Wire, where: Tree) -> None:
    settle(where, settle_s=0.0)
    Path(where.outbox("claude").path, "bad.txt").write_text("no headers")
    claude_of_era.text("peer_read", sender="gemini")  # this makes the pass that rejects the file
    post(where, "a question", to="claude", sender="gemini")
    claude_of_era.text("peer_wait", timeout_s=20)
    post(where, "an answer", to="gemini", sender="claude")
    assert claude_of_era.text("peer_status").splitlines() == [
        "You are claude (from the client's name, claude-code).",
        f"Mailboxes: {where.path} (named by AI_BRIDGE_MAILBOXES)",
        "Router: none running; your reads deliver your mail",
        "Unread for you: 2. Sent by you: 1 waiting for delivery, 1 malformed, 0 held for a person's approval.",
    ]


def test_the_status_counts_mail_that_is_not_delivered_yet(claude: Wire, where: Tree) -> None:
    claude.text("peer_status")
    with Lock(where.lock_file("router", "claude")) as lock:
        assert lock.acquire("reader", "claude")  # so that nobody delivers it meanwhile
        post(where, "a question", to="claude", sender="gemini")
        assert "Unread for you: 0, 1 on its way." in claude.text("peer_status")
        assert "0 unread, 1 on its way" in claude.text("peer_list")


# --- where a message is ---------------------------------------------------------------------------------


def leave(where: Tree, settings: Settings, name: str) -> None:
    """Leave the message where it was dropped."""


def claim(where: Tree, settings: Settings, name: str) -> None:
    where.outbox("claude").move("claim", name)


def deliver(where: Tree, settings: Settings, name: str) -> None:
    route(where, settings)


def acknowledge(where: Tree, settings: Settings, name: str) -> None:
    route(where, settings)
    where.outbox("claude").move("acknowledge", name)


@pytest.mark.parametrize(
    ("state", "bring"), [(DROPPED, leave), (PROCESSING, claim), (UNREAD, deliver), (READ, acknowledge)]
)
def test_the_status_says_where_a_message_is_and_since_when(
    claude: Wire,
    where: Tree,
    settings: Settings,
    state: str,
    bring: Callable[[Tree, Settings, str], None],
) -> None:
    id_ = post(where, "hello", to="gemini", sender="claude")
    name = f"{id_}.gemini.txt"
    bring(where, settings, name)
    assert states(where, "claude") == {state: [name]}
    text = claude.text("peer_status", id=id_)
    why = ": no router runs for gemini: it is delivered when .*" if state == DROPPED else ""
    assert re.fullmatch(rf"{re.escape(name)} to gemini: {state} since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ{why}", text)


def test_the_status_follows_a_message_to_its_reader(claude: Wire, gemini: Wire, where: Tree) -> None:
    id_ = claude.text("peer_send", to="gemini", body="hello").rpartition("ID: ")[2]
    assert "to gemini: dropped since" in claude.text("peer_status", id=id_)
    gemini.text("peer_wait", timeout_s=0)
    assert "to gemini: unread since" in claude.text("peer_status", id=id_)
    assert bodies(gemini.text("peer_read")) == ["hello"]
    until(lambda: "to gemini: read since" in claude.text("peer_status", id=id_))


def test_a_malformed_message_has_its_reason(claude: Wire, where: Tree, settings: Settings) -> None:
    hand_drop(where, "claude-1", "hello", owner="claude", to="gemni")
    route(where, settings)
    text = claude.text("peer_status", id="claude-1")
    assert text.startswith("claude-1.gemni.txt to gemni: malformed since 20")
    assert "To cannot be served: there is no agent gemni (did you mean gemini?); known: claude, gemini" in text


def test_a_message_to_several_has_a_line_for_each(claude: Wire, where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    id_ = claude.text("peer_send", to="*", body="hello").rpartition("ID: ")[2]
    deliver_only_to(where, settings, "codex")
    lines = sorted(claude.text("peer_status", id=id_).splitlines())
    assert [line.split(" since ")[0] for line in lines] == [
        f"{id_}.codex.txt to codex: unread",
        f"{id_}.gemini.txt to gemini: dropped",
    ]


def deliver_only_to(where: Tree, settings: Settings, agent: str) -> None:
    assert [step.verb for step in Router(where, {agent}, settings).one_pass()] == ["deliver"]


def test_looking_shows_nothing_that_could_act_on_a_terminal(claude: Wire, where: Tree) -> None:
    path = hand_drop(where, "claude-1", "hello", owner="claude", to="gemini")
    os.rename(path, path.with_name("\x1b[2Jevil.txt"))
    text = claude.text("peer_status", id="claude-1")
    assert text.startswith("\\x1b[2Jevil.txt to gemini: dropped")


# --- what everybody works on ----------------------------------------------------------------------------


def test_the_others_see_what_a_session_works_on(claude: Wire, gemini: Wire, where: Tree) -> None:
    said = claude.text("peer_status", working_on="the API\nof v2")
    assert said == "peer_list() shows the others: works on: the API of v2"
    (line,) = [line for line in gemini.text("peer_list").splitlines() if line.startswith("claude:")]
    assert line.endswith("; works on: the API of v2")
    assert "works on: the API of v2" in command("peers", "--mailboxes", where.path).stdout
    objects = [json.loads(line) for line in command("peers", "--mailboxes", where.path, "--json").stdout.splitlines()]
    assert {one["address"]: one["working_on"] for one in objects} == {"claude": "the API of v2", "gemini": None}
    assert claude.text("peer_status", working_on="") == "peer_list() shows no work of yours now."
    assert "works on" not in gemini.text("peer_list")


def test_past_mail_says_when_each_message_was_written(claude: Wire, where: Tree) -> None:
    post(where, "one", to="claude", sender="gemini")
    post(where, "two", to="gemini", sender="claude")
    text = claude.text("peer_history")
    assert len(re.findall(r"^Date: \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$", text, re.MULTILINE)) == 2
    for words in (["list", "--agent", "claude"], ["history", "--brief", "--agent", "claude"]):
        lines = command(*words, "--mailboxes", where.path).stdout.splitlines()
        assert lines
        assert all(re.match(r"\w+ +\S+  \d{4}-\d\d-\d\d \d\d:\d\dZ  ", line) for line in lines)
