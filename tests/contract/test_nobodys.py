"""Nobody's mail by every reader of a session: it is shown once, says whose it was, and is answered to its sender."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest

import ai_bridge
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.server.client_session import Session
from ai_bridge.server.membership import Caller
from ai_bridge.server.plain_tools import PLAIN
from tests.agents.sessions.test_ended import ends
from tests.support.command import command
from tests.support.mail import post, states
from tests.support.presence import session

NOTE = "claude-2, whose session has ended"


@pytest.fixture
def ended(where: Tree) -> Tree:
    """Mailboxes where claude-2 has ended."""
    with session(where, "claude"), session(where, "claude"):
        where.make(["claude-2"])
    ends(where, "claude-2")
    return where


@pytest.fixture
def claude(ended: Tree) -> Iterator[Session]:
    """A session of claude."""
    made = Session(ended.path, "claude")
    yield made
    made.close()


def _read(claude: Session, number: int = 1, **words: object) -> str:
    text = claude.read(number, Caller(), None, words)
    claude.finish(number, taken=True)
    return text


def test_a_model_is_shown_it_once_with_whose_it_was(claude: Session, ended: Tree) -> None:
    id_ = post(ended, "are you done?", to="claude-2", sender="gemini")
    text = _read(claude)
    assert f"\nWas for: {NOTE}\nID: {id_}\n" in text
    assert "are you done?" in text
    assert _read(claude, 2) == "No unread mail for claude."
    assert set(states(ended, "gemini")) == {READ}


def test_the_answer_goes_to_its_sender(claude: Session, ended: Tree) -> None:
    id_ = post(ended, "are you done?", to="claude-2", sender="gemini")
    _read(claude)
    said = PLAIN["peer_send"](claude, Caller(), {"body": "yes", "reply_to": id_})
    answer = trace.find(ended, said.rpartition("ID: ")[2])[0].load()
    assert (answer.sender, answer.recipients, answer.get("In-Reply-To")) == ("claude", ["gemini"], id_)


@pytest.mark.parametrize("words", [{"peek": True}, {"acknowledge": "manual"}])
def test_a_model_marks_it_as_read_by_its_id(claude: Session, ended: Tree, words: dict[str, object]) -> None:
    id_ = post(ended, "x", to="claude-2", sender="gemini")
    assert NOTE in _read(claude, **words)
    assert set(states(ended, "gemini")) == {UNREAD}
    assert PLAIN["acknowledge_messages"](claude, Caller(), {"ids": [id_]}) == f"Marked as read: {id_}"
    assert set(states(ended, "gemini")) == {READ}


def test_a_client_that_is_killed_with_the_reply_leaves_it_unread(claude: Session, ended: Tree) -> None:
    post(ended, "x", to="claude-2", sender="gemini")
    assert NOTE in claude.read(1, Caller(), None, {})
    claude.finish(1, taken=False)
    assert NOTE in _read(claude, 2)


def test_a_session_hears_of_it_until_the_number_is_back(claude: Session, ended: Tree) -> None:
    claude.begin(Caller())
    assert claude.unread() == []
    post(ended, "x", to="claude-2", sender="gemini")
    assert [one.recipient for one in claude.unread()] == ["claude-2"]
    with session(ended, "claude") as second:
        assert second == "claude-2"
        assert claude.unread() == []
        assert _read(claude) == "No unread mail for claude."


def test_a_shell_reads_it_with_whose_it_was(ended: Tree) -> None:
    id_ = post(ended, "are you done?", to="claude-2", sender="gemini")
    words = ("--agent", "claude", "--mailboxes", ended.path)
    assert command("wait", "--timeout", "0", "--json", *words).returncode == 0
    peeked = command("read", "--peek", *words)
    assert f", was for {NOTE} ===" in peeked.stdout
    done = command("read", "--json", *words)
    (message,) = [json.loads(line) for line in done.stdout.splitlines()]
    assert (message["id"], message["to"], message["state"]) == (id_, "claude-2", READ)
    assert command("read", *words).stdout == ""


def test_a_shell_acknowledges_it_by_its_id(ended: Tree) -> None:
    id_ = post(ended, "x", to="claude-2", sender="gemini")
    words = ("--agent", "claude", "--mailboxes", ended.path)
    assert command("read", "--peek", *words).returncode == 0
    done = command("acknowledge", id_, *words)
    assert (done.returncode, done.stdout) == (0, f"{id_}\n")
    assert set(states(ended, "gemini")) == {READ}


def test_a_program_reads_its_own_alone(ended: Tree) -> None:
    post(ended, "x", to="claude-2", sender="gemini")
    mail = ai_bridge.Mailboxes(ended.path)
    assert list(mail.agent("claude").read()) == mail.agent("claude").wait(timeout_s=0) == []
    assert [message.body for message in mail.agent("claude-2").read()] == ["x"]


# --- what its sender hears ----------------------------------------------------------------------------------

SAID = "claude-2's session has ended; the next session of claude is offered it."


def test_its_sender_hears_of_it_by_every_way(ended: Tree) -> None:
    done = command("send", "claude-2", "--from", "gemini", "--mailboxes", ended.path, body="x")
    assert (done.returncode, done.stderr) == (0, f"{SAID}\n")
    assert ai_bridge.Mailboxes(ended.path).agent("gemini").send("claude-2", "x").absent == [SAID]
    gemini = Session(ended.path, "gemini")
    try:
        said = PLAIN["peer_send"](gemini, Caller(), {"to": "claude-2", "body": "x"})
    finally:
        gemini.close()
    first, second = said.splitlines()
    assert (first.partition("ID: ")[0], second) == ("Sent to claude-2. ", SAID)


def test_its_sender_hears_that_it_was_away_by_every_way_that_somebody_watches(ended: Tree) -> None:
    with session(ended, "gemini"):
        pass
    ends(ended, "gemini", ago_s=2 * 86_400.0)
    said = "gemini was last seen 2 d ago."
    words = ("send", "gemini", "--from", "claude", "--mailboxes", ended.path)
    assert command(*words, body="x").stderr == ""  # in a script
    assert command(*words, body="x", CLAUDECODE="1").stderr == f"{said}\n"
    assert ai_bridge.Mailboxes(ended.path).agent("claude").send("gemini", "x").absent == [said]
    claude = Session(ended.path, "claude")
    try:
        assert PLAIN["peer_send"](claude, Caller(), {"to": "gemini", "body": "x"}).endswith(f"\n{said}")
    finally:
        claude.close()


def test_the_sender_to_several_hears_how_many_are_rung_by_every_way(ended: Tree) -> None:
    ended.make(["codex"])
    with session(ended, "codex"):
        words = ("send", "codex,gemini", "--from", "claude", "--mailboxes", ended.path)
        done = command(*words, body="x")
        assert (done.returncode, done.stderr) == (0, "Sent to 2 agents. It rings 1 session.\n")
        assert command(*words, "--urgency", "quiet", body="x").stderr == "Sent to 2 agents. It rings 0 sessions.\n"
        done = command(*words, "--json", body="x")
        assert (json.loads(done.stdout)["rings"], done.stderr) == (1, "")
        mail = ai_bridge.Mailboxes(ended.path).agent("claude")
        assert (mail.send(["codex", "gemini"], "x").rings, mail.send("codex", "x").rings) == (1, None)
        claude = Session(ended.path, "claude")
        try:
            said = PLAIN["peer_send"](claude, Caller(), {"to": ["codex", "gemini"], "body": "x"})
            quiet = PLAIN["peer_send"](claude, Caller(), {"to": "*", "body": "x", "urgency": "quiet"})
        finally:
            claude.close()
    assert said.startswith("Sent to codex, gemini. It rings 1 session. ID: claude-")
    assert "It rings 0 sessions. ID: " in quiet
