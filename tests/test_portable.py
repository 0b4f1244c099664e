"""Systems that lack features of Unix: the core still imports, and messages move and never overwrite another."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.archive.restore import put_back
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes.drop import drop
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, MOVES, PROCESSING, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system import libc, settled
from tests.support.mail import post, route, states

CORE = """
    errors text message.address message.headers message.message message.votes message.handler system.durable
    system.untrusted system.locks system.settled settings mailboxes.outbox mailboxes.tree machines.this_machine
    system.front_matter agents.cards agents.presence system.git message.excerpt mailboxes.attachments
    message.context mailboxes.trace history.database history.entry history.indexer history.search
    agents.identity agents.session_names mailboxes.compose decisions.tally decisions.judge router.set_aside
    router.route router.recover mailboxes.unread agents.peers inbox.fetch sending.await_read health.mail
    mailboxes.drop sending.send
"""

_POORER = """
import importlib, os, sys, types
sys.modules["fcntl"] = None
for name in ("O_NOFOLLOW", "O_NONBLOCK", "O_DIRECTORY", "O_CLOEXEC"):
    delattr(os, name)
{more}
importlib.import_module("ai_bridge." + sys.argv[1])
"""
_WINDOWS = """
os.name = "nt"
sys.modules["msvcrt"] = types.SimpleNamespace(LK_NBLCK=2, locking=lambda *_: None)
"""


@pytest.mark.parametrize("more", ["", _WINDOWS], ids=["no fcntl", "Windows"])
@pytest.mark.parametrize("module", CORE.split())
def test_the_core_is_imported_without_what_unix_has(module: str, more: str) -> None:
    words = [sys.executable, "-c", _POORER.format(more=more), module]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")


# --- moving -----------------------------------------------------------------------------------------------


@pytest.fixture(params=["renameat2", "link", "reservation"])
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """Leave just one way to move a file without replacing another."""
    if request.param != "renameat2":
        monkeypatch.setitem(libc.functions, "renameat2", None)
    if request.param == "reservation":
        monkeypatch.setattr(os, "link", _no_links)
    return str(request.param)


def _no_links(*_: object, **__: object) -> None:
    raise OSError(errno.EPERM, os.strerror(errno.EPERM))


def _hand_over(where: Tree) -> list[tuple[str, str]]:
    """Read as gemini does; returns each message's ID and body."""
    loaded = settings_.load(where.path, {"settle_s": 0.0})
    read = [(one.id, one.load().body, one.acknowledge()) for one in fetch(where, "gemini", loaded)]
    assert all(taken for _, _, taken in read)
    return [(id_, body) for id_, body, _ in read]


@pytest.mark.usefixtures("way")
def test_messages_are_sent_routed_read_and_restored(where: Tree) -> None:
    where.make(["codex"])
    ids = [post(where, "one"), post(where, "two", to="*")]
    names = [file_name(id_, "gemini") for id_ in ids]
    assert _hand_over(where) == [(ids[0], "one"), (ids[1], "two")]
    assert states(where, "claude") == {READ: names, DROPPED: [file_name(ids[1], "codex")]}
    assert os.listdir(where.outbox("claude").temporary) == []
    put_back(where, ids[0])
    assert _hand_over(where) == [(ids[0], "one")]


@pytest.mark.usefixtures("way")
def test_what_is_malformed_is_kept_and_its_sender_told(where: Tree, settings: Settings) -> None:
    Path(where.outbox("claude").file(DROPPED, "note.txt")).write_text("no headers")
    route(where, settings)
    assert states(where, "claude") == {MALFORMED: ["note.txt"]}
    assert [one.load().subject for one in fetch(where, "claude", settings)] == ["not delivered: note.txt"]


@pytest.mark.usefixtures("way")
def test_what_a_dead_router_held_is_delivered(where: Tree) -> None:
    id_ = post(where, "x")
    assert where.outbox("claude").move("claim", file_name(id_, "gemini"))
    assert _hand_over(where) == [(id_, "x")]


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("verb", MOVES)
def test_no_move_replaces_a_file(where: Tree, verb: str) -> None:
    outbox = where.outbox("claude")
    before, after = MOVES[verb]
    source, target = Path(outbox.file(before, "a.txt")), Path(outbox.file(after, "b.txt"))
    for path in (source, target):
        path.parent.mkdir(parents=True, exist_ok=True)
    source.write_text("mine")
    target.write_text("theirs")
    with pytest.raises(FileExistsError):
        outbox.move(verb, "a.txt", "b.txt")
    assert (source.read_text(), target.read_text()) == ("mine", "theirs")


@pytest.mark.usefixtures("way")
def test_no_drop_replaces_a_file(where: Tree) -> None:
    outbox = where.outbox("claude")
    Path(outbox.file(DROPPED, "a.txt")).write_text("theirs")
    with pytest.raises(FileExistsError):
        drop(outbox, "a.txt", b"mine", 0)
    assert Path(outbox.file(DROPPED, "a.txt")).read_text() == "theirs"
    assert os.listdir(outbox.temporary) == []


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("taken", [UNREAD, READ])
def test_another_message_of_the_same_id_replaces_none(where: Tree, settings: Settings, taken: str) -> None:
    outbox = where.outbox("claude")
    name = file_name("same", "gemini")
    Path(outbox.file(taken, name)).write_text("the first")
    Path(outbox.file(DROPPED, name)).write_text("ID: same\nFrom: claude\nTo: gemini\nSubject: s\n\nthe second")
    route(where, settings)
    assert states(where, "claude") == {taken: [name], MALFORMED: [name]}
    assert Path(outbox.file(taken, name)).read_text() == "the first"


def test_each_way_is_really_the_one_that_was_left(where: Tree, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    link, rename = os.link, os.rename
    monkeypatch.setattr(os, "link", lambda *words, **more: (seen.append("link"), link(*words, **more)))
    monkeypatch.setattr(os, "rename", lambda *words: (seen.append("reservation"), rename(*words)))
    Path(where.outbox("claude").file(DROPPED, "a.txt")).write_text("x")
    assert where.outbox("claude").move("claim", "a.txt")
    assert seen == {"renameat2": [], "link": ["link"], "reservation": ["link", "reservation"]}[way]
    assert os.listdir(where.outbox("claude").directory(PROCESSING)) == ["a.txt"]


def test_where_the_kernel_cannot_say_whether_a_writer_is_at_work_age_decides(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(settled, "_SET_LEASE", None)
    note = Path(where.outbox("claude").file(DROPPED, "note.txt"))
    note.write_text("ID: n1\nFrom: claude\nTo: gemini\nSubject: s\n\nx")
    waiting = settings_.load(where.path, {"settle_s": 3600.0})
    assert route(where, waiting) == []
    own = post(where, "a name of our own needs no age")
    assert [step.name for step in route(where, waiting)] == [file_name(own, "gemini")]
    os.utime(note, (1_000_000_000, 1_000_000_000))
    assert [step.name for step in route(where, waiting)] == [file_name("n1", "gemini")]
