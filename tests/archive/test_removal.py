"""removal: an agent that is removed gets no new mail, and its mail goes to the archive, also what nobody read."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.agents.retired import retired_since
from ai_bridge.archive import removal
from ai_bridge.archive.removal import InUse
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import ARCHIVED, ENDED, HELD, MALFORMED, READ, UNREAD
from ai_bridge.mailboxes.trace import find
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.settings import Settings
from tests.history.test_search import put
from tests.support.command import command
from tests.support.mail import post, route, states
from tests.support.presence import session


def _read(where: Tree, agent: str) -> None:
    for one in unread_for(where, agent):
        one.acknowledge()


@pytest.fixture
def busy(where: Tree, settings: Settings) -> Tree:
    """Mailboxes in which gemini has mail in every state: unread, read, held, malformed, and its own in part read."""
    where.make(["codex"])
    post(where, "read by gemini", to="gemini", sender="claude")
    post(where, "read by claude", to="claude", sender="gemini")
    route(where, settings)
    _read(where, "gemini")
    _read(where, "claude")
    Path(where.outbox("gemini").path, "gemini.txt").write_text("Subject: no recipient\n\n")
    post(where, "unread by codex", to="codex", sender="gemini")
    post(where, "unread by gemini", to="gemini", sender="claude")
    route(where, settings)
    cards.change(where, "gemini", {"hold": "codex"})
    post(where, "held", to="gemini", sender="codex")
    route(where, settings)
    assert [set(states(where, agent)) for agent in ("claude", "gemini", "codex")] == [
        {READ, UNREAD},
        {READ, UNREAD, MALFORMED},
        {HELD},
    ]
    return where


def test_all_mail_for_it_is_archived_and_mail_that_others_have_not_read_stays(busy: Tree) -> None:
    done = removal.remove(busy, "gemini")
    assert (done.unread, done.archived) == (3, 6), "a notice of the postmaster is unread too"
    assert retired_since(busy, "gemini")
    assert [set(states(busy, agent)) for agent in ("claude", "gemini", "codex")] == [
        {ARCHIVED},
        {UNREAD, ARCHIVED},
        {ARCHIVED},
    ]
    (place,) = (one for one in find(busy, states(busy, "codex")[ARCHIVED][0]))
    assert place.reason() == "gemini was removed"


def test_each_sender_gets_one_notice_of_what_was_not_read(busy: Tree, settings: Settings) -> None:
    post(busy, "unread too", to="gemini", sender="claude")
    removal.remove(busy, "gemini")
    route(busy, settings)
    (notice,) = unread_for(busy, "claude", "postmaster")
    message = notice.load()
    assert (message.subject, message.body.count("claude-")) == ("removed: gemini", 2)
    assert message.body.startswith("gemini was removed, and did not read 2 messages of yours. They are archived:\n")
    assert [one.load().subject for one in unread_for(busy, "codex", "postmaster")][-1] == "removed: gemini"


def test_it_may_be_repeated(busy: Tree) -> None:
    removal.remove(busy, "gemini")
    done = removal.remove(busy, "gemini")
    assert (done.unread, done.archived) == (0, 0)


def test_an_agent_whose_session_lives_is_not_removed(where: Tree) -> None:
    with session(where, "gemini", "gemini-cli-mcp-client"), pytest.raises(InUse, match="end it, then remove gemini"):
        removal.remove(where, "gemini")
    assert not retired_since(where, "gemini")


def test_an_agent_that_reads_just_now_is_not_removed(busy: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(unread, "_PATIENCE_S", 0.0)
    with unread.lock_inbox(busy, "gemini"), pytest.raises(unread.ReaderBusy):
        removal.remove(busy, "gemini")
    assert not retired_since(busy, "gemini")


def test_a_reason_that_a_killed_process_left_does_not_stay_beside_read_mail(where: Tree) -> None:
    name = "claude-20260101-000000-000000-aaaa.gemini.txt"
    put(where, name)
    stale = Path(where.outbox("claude").file(ARCHIVED, name) + ENDED)
    stale.parent.mkdir(parents=True)
    stale.write_text("claude withdrew it")
    removal.remove(where, "gemini")
    assert states(where, "claude") == {ARCHIVED: [name]}
    assert not stale.exists()


def test_the_command_says_what_went_and_how_to_bring_it_back(busy: Tree) -> None:
    done = command("remove", "gemini", "--mailboxes", busy.path)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == (
        "removed gemini: 6 messages went to the archive, 3 of them unread; `ai-bridge init gemini` brings it back\n"
    )
    again = json.loads(command("remove", "gemini", "--json", "--mailboxes", busy.path).stdout)
    assert again == {"removed": "gemini", "archived": 0, "unread": 0}
    listed = command("peers", "--mailboxes", busy.path).stdout
    everybody = command("peers", "--all", "--mailboxes", busy.path).stdout
    assert "gemini" not in listed
    assert [line for line in everybody.splitlines() if line.startswith("gemini") and "removed" in line]


def test_a_client_removes_nobody_and_an_unknown_agent_is_refused(where: Tree) -> None:
    done = command("remove", "gemini", "--mailboxes", where.path, CLAUDECODE="1", CLAUDE_CODE_SESSION_ID="x")
    assert (done.returncode, done.stdout) == (1, "")
    assert "is for a person" in done.stderr
    done = command("remove", "nobody", "--mailboxes", where.path)
    assert done.returncode == 1
    assert "there is no agent nobody" in done.stderr


def test_no_reason_of_held_mail_stays_behind(busy: Tree) -> None:
    removal.remove(busy, "gemini")
    assert list(Path(busy.outbox("codex").directory(HELD)).iterdir()) == []
