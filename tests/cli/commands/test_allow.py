"""`ai-bridge allow`, what the other commands say about held mail, and which callers count as a person."""

from __future__ import annotations

import json
import os
import pty
import sys
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.cli import receipts
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.compose import Sent
from ai_bridge.mailboxes.outbox import DROPPED, HELD, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending import allowances
from ai_bridge.sending.await_read import await_read
from ai_bridge.settings import Settings
from tests.cli.commands.lines import untimed
from tests.support.command import command
from tests.support.mail import post, route, states


@pytest.fixture
def held(where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> str:
    """The ID of a message from claude that gemini's card holds."""
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    cards.change(where, "gemini", {"hold": "*"})
    id_ = post(where, "let me in", subject="knock")
    route(where, settings)
    return id_


def _objects(*words: str) -> list[dict[str, object]]:
    done = command(*words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize("by", ["thread", "address"])
def test_what_is_let_go_is_told_and_delivered(where: Tree, settings: Settings, held: str, by: str) -> None:
    done = command("allow", held if by == "thread" else "claude")
    assert (done.returncode, done.stdout) == (0, f"{held}.gemini.txt from claude is on its way again\n")
    route(where, settings)
    assert states(where, "claude") == {UNREAD: [f"{held}.gemini.txt"]}


def test_what_is_let_go_is_told_to_programs(where: Tree, held: str) -> None:
    path = os.path.join(where.outbox("claude").path, f"{held}.gemini.txt")
    assert _objects("allow", "claude") == [{"id": held, "to": "gemini", "state": "dropped", "path": path}]
    assert _objects("allow", "claude") == []
    assert os.path.exists(path)


def test_where_nothing_is_held_it_says_so(where: Tree, held: str) -> None:
    done = command("allow", "gemini")
    assert (done.returncode, done.stdout) == (0, "nothing was held; gemini may go on\n")
    assert states(where, "claude").keys() == {HELD}


def test_only_one_agents_mail_may_be_let_go(where: Tree, held: str) -> None:
    assert command("allow", "claude", "--agent", "claude").stdout == "nothing was held; claude may go on\n"
    assert command("allow", "claude", "--agent", "nobody").returncode == 1
    assert command("allow", "claude", "--agent", "gemini").stdout.endswith("is on its way again\n")


def test_what_does_not_exist_is_refused(where: Tree, held: str) -> None:
    done = command("allow", "no-such-thread")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: there is neither an agent nor a message no-such-thread")
    assert not Path(where.path, "allowed").exists()


@pytest.mark.parametrize("variable", ["CLAUDECODE", "GEMINI_CLI", "CODEX_THREAD_ID", "CLAUDE_CODE_SESSION_ID"])
def test_a_clients_shell_may_not_allow_anything(where: Tree, held: str, variable: str) -> None:
    done = command("allow", "claude", **{variable: "1"})
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == (
        f"error: this is for a person, in a terminal of their own: {variable} says that an agent's client started "
        "this shell\n"
    )
    assert states(where, "claude").keys() == {HELD}


def test_held_mail_is_seen_everywhere(where: Tree, held: str) -> None:
    (listed,) = _objects("list", "--agent", "gemini")
    assert (listed["id"], listed["state"]) == (held, "held")
    assert f"held      {held}  claude → gemini  knock" in untimed(command("list", "--agent", "gemini").stdout)
    (status,) = _objects("status", held)
    assert (status["state"], status["to"]) == ("held", "gemini")
    assert f"`ai-bridge allow {held}`" in str(status["reason"])
    assert "gemini: held since " in command("status", held).stdout
    assert ", 1 held" in command("status", "--agent", "claude").stdout
    health = command("health", "--agent", "claude").stdout
    assert ".held        1 held" in health
    assert f"note: held: {held}.gemini.txt: " in health
    assert "`ai-bridge allow claude`" in health
    assert command("show", held).stdout.endswith("let me in\n")


def test_a_receipt_tells_why_a_message_is_held(where: Tree, settings: Settings, held: str) -> None:
    sent = Sent(held, ["gemini"], [])
    (place,) = await_read(where, [sent], "claude", 0.01, settings)
    receipt = receipts._receipt(place, with_id=False)
    assert receipt.startswith(f"gemini: held since {place.at()}: gemini holds mail from claude until a person")


# --- who is a person --------------------------------------------------------------------------------------


def _sent_from_a_terminal(where: Tree, body: Path, **environment: str) -> str | None:
    """Send with a terminal as standard error; returns the header `Hops` of the message."""
    ours, theirs = pty.openpty()
    output, told = os.pipe()
    words = [sys.executable, "-m", "ai_bridge", "send", "gemini", "--from", "claude", "--file", str(body)]
    pid = os.posix_spawn(
        words[0],
        words,
        {**os.environ, "AI_BRIDGE_MAILBOXES": where.path, **environment},
        file_actions=[(os.POSIX_SPAWN_DUP2, told, 1), (os.POSIX_SPAWN_DUP2, theirs, 2)],
    )
    os.close(told)
    with os.fdopen(output) as lines:
        id_ = lines.read().strip()
    assert os.waitpid(pid, 0)[1] == 0
    os.close(ours)
    os.close(theirs)
    return trace.find(where, id_)[0].load().get("Hops")


@pytest.mark.parametrize(
    ("environment", "depth"),
    [
        ({}, "0"),
        ({"AI_BRIDGE_AGENT": "gemini"}, "0"),
        ({"CLAUDECODE": "1"}, None),
        ({"CODEX_THREAD_ID": "x"}, None),
    ],
)
def test_who_sends_from_a_terminal_and_no_clients_shell_is_a_person(
    where: Tree, tmp_path: Path, environment: dict[str, str], depth: str | None
) -> None:
    (tmp_path / "body").write_text("x")
    assert _sent_from_a_terminal(where, tmp_path / "body", **environment) == depth


def test_who_sends_without_a_terminal_is_none(where: Tree) -> None:
    sent = command("send", "gemini", "--from", "claude", "--mailboxes", where.path, body="x")
    assert trace.find(where, sent.stdout.strip())[0].load().get("Hops") is None


def test_an_answer_by_the_command_line_is_counted_and_refused(where: Tree) -> None:
    first = post(where, "x", to="claude", sender="gemini")
    environment = {"AI_BRIDGE_MAILBOXES": where.path, "AI_BRIDGE_MAX_HOPS": "1"}
    words = ("send", "gemini", "--from", "claude", "--reply-to")
    answer = command(*words, first, body="x", **environment)
    assert trace.find(where, answer.stdout.strip())[0].load().get("Hops") == "1"
    refused = command(*words, answer.stdout.strip(), body="x", **environment)
    assert refused.returncode == 1
    assert refused.stderr == (
        "error: this thread has gone on for 1 answers since a person last wrote or approved it (setting max_hops): "
        f"a person lets it go on with `ai-bridge allow {first}`; nothing was sent\n"
    )
    refused = command(*words, answer.stdout.strip(), body="x", CLAUDECODE="1", **environment)
    assert refused.stderr == (
        "error: nothing was sent: this thread has gone on for 1 answers since a person last wrote or approved it "
        f"(setting max_hops): tell your user to run `ai-bridge allow {first}`, if it is to go on\n"
    )


def test_a_batch_over_the_budget_is_refused_whole(where: Tree) -> None:
    batch = '{"body": "x"}\n' * 6
    environment = {"AI_BRIDGE_MAILBOXES": where.path, "AI_BRIDGE_PAIR_PER_HOUR": "5"}
    done = command("send", "gemini", "--from", "claude", "--batch", body=batch, GEMINI_CLI="1", **environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "claude and gemini have exchanged 5 messages within an hour" in done.stderr
    assert states(where, "claude") == {}


def test_one_word_of_a_person_lets_no_thread_go_on_for_ever(where: Tree, settings: Settings, held: str) -> None:
    path = Path(where.outbox("claude").file(DROPPED, "forged.txt"))
    path.write_text("ID: forged-1\nFrom: claude\nTo: gemini\nSubject: s\nHops: 999999999999999\n\nb")
    route(where, settings)
    assert command("allow", "forged-1").returncode == 0
    allowance = allowances.of_thread(where, "forged-1")
    assert allowance is not None
    assert allowance.hops <= 21
