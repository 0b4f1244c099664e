"""One mover: a command on another machine only asks, and the recipient's home does it, if who asks may."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.agents.retired import retired_since
from ai_bridge.archive import removal, wishes
from ai_bridge.archive.chores import Chores
from ai_bridge.archive.discard import discard_copies
from ai_bridge.archive.fulfil import fulfil
from ai_bridge.archive.threads import archive_older, ask_elsewhere
from ai_bridge.archive.wishes import A_PERSON, DISCARD, REMOVE, WITHDRAW, Wish
from ai_bridge.archive.withdraw import take_back_all
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.adoption import LinkInside
from ai_bridge.mailboxes.outbox import ARCHIVED, HELD, READ, UNREAD
from ai_bridge.mailboxes.tree import ASKED, Tree
from ai_bridge.router.daemon import Daemon
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from tests.history.test_search import put
from tests.support.machine import LAPTOP, TOWER, On, settle_on
from tests.support.mail import states
from tests.support.presence import session

ID = "claude-20260103-000000-000000-aaaa"
NAME = f"{ID}.gemini.txt"


@pytest.fixture
def apart(where: Tree, on: On) -> Tree:
    """The mailboxes in which claude lives on the laptop, where we are, and gemini on the tower."""
    settle_on(where, LAPTOP, "claude")
    settle_on(where, TOWER, "gemini")
    on(LAPTOP)
    return where


def _asked(where: Tree) -> list[str]:
    folder = Path(where.path, ASKED)
    return [path.read_text() for path in folder.iterdir()] if folder.exists() else []


def test_a_message_is_withdrawn_where_its_recipient_lives(apart: Tree, on: On) -> None:
    put(apart, NAME, state=UNREAD)
    (end,) = take_back_all(apart, "claude", ID)
    assert (end.done, end.what) == (True, f"asked: {TOWER} does it")
    assert states(apart, "claude") == {UNREAD: [NAME]}
    assert [text.startswith(f"What: withdraw\nOf: claude/{NAME}\nBy: claude\nAt: 20") for text in _asked(apart)] == [
        True
    ]
    assert list(fulfil(apart)) == []
    on(TOWER)
    assert list(fulfil(apart)) == [f"claude asked to withdraw {NAME}: withdrawn"]
    assert states(apart, "claude") == {ARCHIVED: [NAME]}
    assert _asked(apart) == []


def test_held_mail_is_discarded_there_and_old_mail_archived(apart: Tree, on: On, settings: Settings) -> None:
    put(apart, NAME, state=HELD)
    other = NAME.replace("aaaa", "bbbb")
    put(apart, other, state=READ)
    assert [end.what for end in discard_copies(apart, ID, A_PERSON)] == [f"asked: {TOWER} does it"]
    assert ask_elsewhere(apart, 0, archive_older(apart, 0)) == [TOWER]
    on(TOWER)
    chores = Chores(apart, settings)
    assert list(chores.tend(is_asked=True)) == [f"a person asked to discard {NAME}: discarded"]
    chores.join()
    assert list(chores.tend(is_asked=False)) == ["archived 1 message of 1 thread"]
    assert states(apart, "claude") == {ARCHIVED: [NAME, other]}
    assert _asked(apart) == []


def test_a_reader_without_a_router_fulfils_it_before_it_shows_mail(apart: Tree, on: On, settings: Settings) -> None:
    put(apart, NAME, state=UNREAD)
    take_back_all(apart, "claude", ID)
    on(TOWER)
    with unread.lock_inbox(apart, "gemini"):
        assert fetch(apart, "gemini", settings) == []
    assert states(apart, "claude") == {ARCHIVED: [NAME]}


def test_a_router_fulfils_it_in_its_sweep(apart: Tree, on: On, settings: Settings) -> None:
    put(apart, NAME, state=UNREAD)
    take_back_all(apart, "claude", ID)
    on(TOWER)
    daemon = Daemon(apart, settings)
    daemon._guarded_pass(None)
    assert states(apart, "claude") == {ARCHIVED: [NAME]}


def test_it_was_too_late_if_the_message_was_read_meanwhile(apart: Tree, on: On) -> None:
    put(apart, NAME, state=UNREAD)
    take_back_all(apart, "claude", ID)
    outbox = apart.outbox("claude")
    os.rename(outbox.file(UNREAD, NAME), outbox.file(READ, NAME))
    on(TOWER)
    (said,) = fulfil(apart)
    assert "too late: read at" in said
    assert (states(apart, "claude"), _asked(apart)) == ({READ: [NAME]}, [])


def test_a_wish_waits_while_a_session_reads_the_mail(apart: Tree, on: On) -> None:
    put(apart, NAME, state=UNREAD)
    take_back_all(apart, "claude", ID)
    on(TOWER)
    with unread.lock_inbox(apart, "gemini"):
        assert list(fulfil(apart)) == []
    assert len(_asked(apart)) == 1
    assert len(list(fulfil(apart))) == 1


@pytest.mark.parametrize(
    "wish",
    [
        Wish(WITHDRAW, f"claude/{NAME}", "gemini"),
        Wish(DISCARD, f"claude/{NAME}", "codex"),
        Wish(DISCARD, f"claude/{NAME}", A_PERSON),
    ],
)
def test_who_may_not_is_refused_again_where_it_is_done(where: Tree, wish: Wish) -> None:
    put(where, NAME, state=UNREAD)
    wishes.ask(where, wish)
    assert list(fulfil(where)) == [f"{wish.by} asked to {wish.what} {NAME}: refused"]
    assert (states(where, "claude"), _asked(where)) == ({UNREAD: [NAME]}, [])


@pytest.mark.parametrize(
    "text",
    [
        *(
            f"What: withdraw\nOf: {of}\nBy: claude\n"
            for of in ("claude/../x.txt", "../claude/x.txt", "x", "nobody/x.txt")
        ),
        f"What: shred\nOf: claude/{NAME}\nBy: claude\n",
        *("", "\0", "What: archive\nOf: soon\nOn: here\n", "What", "x" * 9000),
    ],
)
def test_a_wish_that_means_nothing_is_kept_and_does_nothing(where: Tree, settings: Settings, text: str) -> None:
    put(where, NAME, state=UNREAD)
    Path(where.path, ASKED).mkdir()
    Path(where.path, ASKED, "w.txt").write_text(text)
    Path(where.path, ASKED, "notes").write_text(text)
    assert list(fulfil(where)) == []
    assert list(Chores(where, settings).tend(is_asked=True)) == []
    assert states(where, "claude") == {UNREAD: [NAME]}
    assert len(_asked(where)) == 2


def test_a_wish_that_nobody_fulfilled_for_a_month_is_removed(where: Tree) -> None:
    wishes.ask(where, Wish(WITHDRAW, f"claude/{NAME}", "claude"))
    (path,) = Path(where.path, ASKED).iterdir()
    os.utime(path, (1, 1))
    assert (wishes.asked(where), _asked(where)) == ([], [])


def test_wishes_are_looked_for_only_if_the_tree_has_some(where: Tree, settings: Settings) -> None:
    router = Router(where, {"claude"}, settings)
    router.refresh()
    assert not router.is_asked
    wishes.ask(where, Wish(WITHDRAW, f"claude/{NAME}", "claude"))
    router.refresh()
    assert router.is_asked


def test_a_tree_whose_wishes_are_a_link_is_refused(where: Tree, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", os.path.join(where.path, ASKED))
    with pytest.raises(LinkInside):
        where.check()
    with pytest.raises(OSError, match="symbolic link"):
        wishes.ask(where, Wish(WITHDRAW, "claude/x.txt", "claude"))
    assert os.listdir(tmp_path / "elsewhere") == []


def test_no_wish_removes_a_person(where: Tree) -> None:
    cards.put(where, "gemini", {"person": "yes"})
    wishes.ask(where, Wish(REMOVE, "gemini", "claude"))
    assert list(fulfil(where)) == ["claude asked to remove gemini: refused: it is a person's address"]
    assert not retired_since(where, "gemini")


def test_a_wish_that_fails_keeps_none_of_the_others(where: Tree) -> None:
    where.make(["codex"])
    Path(cards.card_path(where, "gemini")).write_text("no card")
    for agent in ("gemini", "codex"):
        wishes.ask(where, Wish(REMOVE, agent, A_PERSON))
    said = sorted(fulfil(where))
    assert said[0] == f"{A_PERSON} asked to remove codex: 0 messages archived"
    assert said[1].startswith(f"{A_PERSON} asked to remove gemini: not done: the card ")
    assert _asked(where) == []


def test_an_agent_is_removed_where_it_lives(apart: Tree, on: On) -> None:
    put(apart, NAME, state=UNREAD)
    assert removal.ask(apart, "gemini", A_PERSON) == TOWER
    assert list(fulfil(apart)) == []
    assert not retired_since(apart, "gemini")
    on(TOWER)
    with session(apart, "gemini"):
        assert list(fulfil(apart)) == []
    assert list(fulfil(apart)) == [f"{A_PERSON} asked to remove gemini: 1 message archived"]
    assert retired_since(apart, "gemini")
    assert states(apart, "claude") == {ARCHIVED: [NAME]}
    assert _asked(apart) == []
    assert removal.ask(apart, "gemini", A_PERSON) == ""
