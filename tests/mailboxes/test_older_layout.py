"""Mail of the older layout is taken over in every state, once and without loss, however its mailboxes are found."""

from __future__ import annotations

import json
import os
import shutil
import threading
from pathlib import Path

import pytest

from ai_bridge.history import search
from ai_bridge.mailboxes import adoption, trace, unread
from ai_bridge.mailboxes.find import find_mailboxes
from ai_bridge.mailboxes.outbox import DIRECTORIES, DROPPED, MALFORMED, PROCESSING, READ, REASON, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.command import command
from tests.support.mail import route, states

PAIRS = (("claude", "gemini"), ("gemini", "claude"))
OF_STATE = {DROPPED: 0, PROCESSING: 1, UNREAD: 2, READ: 3, MALFORMED: 4}
TEXT = 'ID: {id}\nFrom: {sender}\nTo: {to}\nSubject: status_update\n\nPhase {id} is complete! $(), \\, "\n'


def older_id(sender: str, state: str) -> str:
    return f"{sender}-20251007-12345{OF_STATE[state]}"


def make_older(folder: Path) -> Path:
    """Make a tree as the older system's manual describes it, with one message of each agent in every state."""
    for sender, to in PAIRS:
        for state in OF_STATE:
            directory = folder / f"{sender}-outbox" / DIRECTORIES[state]
            directory.mkdir(parents=True, exist_ok=True)
            id_ = older_id(sender, state)
            text = TEXT.format(id=id_, sender=sender, to=to) if state != MALFORMED else "neither headers nor\n\na ..."
            (directory / f"{id_}.txt").write_text(text)
        (folder / f".{sender}-mcp-last-check").write_text("2025-10-07T12:34:56")
        (folder / f"send_to_{to}.py").write_text("# a send script\n")
    return folder


def put(where: Tree, state: str, id_: str, text: str, name: str = "") -> Path:
    path = Path(where.outbox("claude").file(state, name or f"{id_}.txt"))
    path.write_text(text)
    return path


@pytest.fixture(params=["found", "option", "environment"])
def way(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[str, ...]:
    """The words by which a command meets an older tree: none if it finds the tree itself."""
    older = make_older(tmp_path / "project" / ".server")
    monkeypatch.chdir(older.parent)
    if request.param == "found":
        adoption.adopt(str(older))
    elif request.param == "environment":
        monkeypatch.setenv("AI_BRIDGE_MAILBOXES", str(older))
    return ("--mailboxes", str(older)) if request.param == "option" else ()


def _ids(*words: str) -> list[str]:
    done = command(*words, "--json")
    assert done.returncode == 0, done.stderr
    return [found["id"] for line in done.stdout.splitlines() if "id" in (found := json.loads(line))]


def _state(id_: str, *way: str) -> list[tuple[str, str]]:
    done = command("status", id_, *way, "--json")
    assert done.returncode == 0, done.stderr
    return [(found["to"], found["state"]) for found in map(json.loads, done.stdout.splitlines())]


def test_every_command_knows_the_mail_in_every_state(way: tuple[str, ...]) -> None:
    as_gemini = ("--agent", "gemini", *way)
    waiting, past = older_id("claude", UNREAD), older_id("claude", READ)
    assert _state(past, *way) == [("gemini", READ)]
    assert _ids("list", *as_gemini) == [waiting]
    assert _state(waiting, *way) == [("gemini", UNREAD)]
    known = {older_id(sender, state) for sender, _ in PAIRS for state in (UNREAD, READ)}
    assert set(_ids("history", *as_gemini)) == known
    assert set(_ids("search", "Phase", *way)) == known
    assert _ids("acknowledge", waiting, *as_gemini) == [waiting]
    assert _ids("restore", past, *as_gemini) == [past]
    delivered = [older_id("claude", state) for state in (DROPPED, PROCESSING)]
    assert _ids("read", *as_gemini) == [*delivered, past]
    assert _state(older_id("claude", MALFORMED), *way) == [("", MALFORMED)]
    assert command("read", *as_gemini).stdout == ""


def test_nothing_is_lost_and_each_message_has_one_proper_name(tmp_path: Path, settings: Settings) -> None:
    where = Tree(str(make_older(tmp_path / "old")))
    route(where, settings)
    search.find_as_asked(where, search.Query(agent="claude"))
    for sender, to in PAIRS:
        names = {state: f"{older_id(sender, state)}.{to}.txt" for state in OF_STATE}
        assert states(where, sender) == {
            UNREAD: [names[DROPPED], names[PROCESSING], names[UNREAD]],
            READ: [names[READ]],
            MALFORMED: [f"{older_id(sender, MALFORMED)}.txt"],
        }
        body = Path(where.outbox(sender).file(READ, names[READ])).read_text()
        assert body == TEXT.format(id=older_id(sender, READ), sender=sender, to=to)
    assert (tmp_path / "old" / "send_to_gemini.py").exists()


def test_outboxes_that_were_moved_into_new_mailboxes_are_taken_over(tmp_path: Path, where: Tree) -> None:
    shutil.rmtree(where.outbox("claude").path)
    make_older(tmp_path / "old")
    shutil.move(str(tmp_path / "old" / "claude-outbox"), where.outbox("claude").path)
    assert [one.id for one in unread.unread_for(where, "gemini")] == [older_id("claude", UNREAD)]
    assert [place.state for place in trace.find(where, older_id("claude", READ))] == [READ]


def test_past_mail_is_found_although_an_earlier_version_indexed_without_it(where: Tree) -> None:
    assert search.find_as_asked(where, search.Query(agent="gemini")).places == []
    id_ = older_id("claude", READ)
    put(where, READ, id_, TEXT.format(id=id_, sender="claude", to="gemini"))
    found = search.find_as_asked(where, search.Query(agent="gemini")).places
    assert [(place.id, place.recipient) for place in found] == [(id_, "gemini")]


def test_an_agent_that_is_not_known_yet_gets_its_mail_once_it_is(tmp_path: Path) -> None:
    where = Tree(str(make_older(tmp_path / "old")))
    shutil.rmtree(where.outbox("gemini").path)
    assert [one.id for one in unread.unread_for(where, "gemini")] == [older_id("claude", UNREAD)]


@pytest.mark.parametrize("state", [UNREAD, READ])
def test_a_second_file_that_says_the_same_goes(where: Tree, state: str) -> None:
    id_ = older_id("claude", state)
    text = TEXT.format(id=id_, sender="claude", to="gemini")
    put(where, state, id_, text)
    put(where, state, id_, text, f"{id_}.gemini.txt")
    assert where.outbox("claude").names(state) == [f"{id_}.gemini.txt"]


ODD = {
    "another sender": ("ID: a1\nFrom: gemini\nTo: gemini\nSubject: s\n\nb", "From is gemini, not claude"),
    "several recipients": ("ID: a1\nFrom: claude\nTo: gemini, codex\nSubject: s\n\nb", "To names not exactly one"),
    "another ID": ("ID: a3\nFrom: claude\nTo: gemini\nSubject: s\n\nb", "its ID is a3, not what its name says"),
    "no message": ("hello", "is not `Name: value`"),
    "a used ID": ("ID: a1\nFrom: claude\nTo: gemini\nSubject: s\n\nb", "the ID a1 was already used"),
}


@pytest.mark.parametrize("case", ODD)
def test_what_has_no_proper_name_is_kept_with_its_reason(where: Tree, settings: Settings, case: str) -> None:
    text, why = ODD[case]
    if case == "a used ID":
        put(where, UNREAD, "a1", f"{text}, something else", "a1.gemini.txt")
    put(where, UNREAD, "a1", text)
    put(where, READ, "a1", text)
    assert len(unread.unread_for(where, "gemini")) == (case == "a used ID")
    outbox = where.outbox("claude")
    assert outbox.names(MALFORMED) == ["a1.txt"]
    assert why in Path(outbox.file(MALFORMED, "a1.txt") + REASON).read_text()
    assert Path(outbox.file(MALFORMED, "a1.txt")).read_text() == text
    route(where, settings)
    assert outbox.names(MALFORMED) == ["a1.txt"]
    assert len(outbox.names(READ)) == 1


def test_what_is_only_shown_is_not_renamed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = make_older(tmp_path / "project" / ".server")
    monkeypatch.chdir(older.parent)
    before = sorted(path.name for path in older.rglob("*"))
    done = command("list", "--agent", "gemini")
    assert "is not adopted" in done.stderr
    assert sorted(path.name for path in older.rglob("*")) == before


def test_a_tree_that_may_not_be_changed_is_read_all_the_same(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    put(where, UNREAD, "a1", TEXT.format(id="a1", sender="claude", to="gemini"))

    def refuse(self: Outbox, verb: str, name: str, new_name: str | None = None) -> bool:
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(Outbox, "move", refuse)
    assert unread.unread_for(where, "gemini") == []
    assert where.outbox("claude").names(UNREAD) == ["a1.txt"]


def test_two_readers_at_once_take_each_message_over_once(where: Tree) -> None:
    count, found = 200, list[list[str]]()
    for number in range(count):
        put(where, UNREAD, id_ := f"claude-20251007-{number:06d}", TEXT.format(id=id_, sender="claude", to="gemini"))
    begin = threading.Barrier(4)

    def read() -> None:
        begin.wait(10)
        unread.unread_for(where, "gemini")
        found.append([one.id for one in unread.unread_for(where, "gemini")])

    readers = [threading.Thread(target=read) for _ in range(4)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(60)
    expected = [f"claude-20251007-{number:06d}" for number in range(count)]
    assert [one.id for one in unread.unread_for(where, "gemini")] == expected
    assert all(set(ids) <= set(expected) and len(ids) == len(set(ids)) for ids in found)
    assert len(os.listdir(where.outbox("claude").directory(UNREAD))) == count
    assert states(where, "claude").keys() == {UNREAD}


def test_the_search_finds_an_adopted_older_tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    older = make_older(tmp_path / "project" / ".server")
    (older.parent / "src").mkdir()
    monkeypatch.chdir(older.parent / "src")
    adoption.adopt(str(older))
    assert find_mailboxes().path == str(older)
