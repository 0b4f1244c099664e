"""An archived message is in one more state: found by all that finds mail, and not delivered a second time."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.archive import archived
from ai_bridge.archive.archived import archive_malformed, archive_read, put_away
from ai_bridge.archive.restore import put_back
from ai_bridge.errors import NoSuchMessage
from ai_bridge.history import conversations, search
from ai_bridge.history.query import Query
from ai_bridge.mailboxes import changes, trace, unread
from ai_bridge.mailboxes.file_names import variant
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, ENDED, HELD, MALFORMED, READ, REASON, UNREAD
from ai_bridge.mailboxes.states import UNDATED, month_of
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.reference import View
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from ai_bridge.system import durable, untrusted
from tests.history.test_search import put
from tests.support.mail import post, put_message, route, states

NAME = "claude-20260103-000000-000000-aaaa.gemini.txt"


def _archive(where: Tree, *names: str) -> None:
    archived.remove_stale_reasons(where.outbox("claude"), list(names))
    assert archive_read(where.outbox("claude"), list(names)) == len(names)


def _found(where: Tree) -> list[tuple[str, str]]:
    return [(place.name, place.state) for place in search.find(where, Query()).places]


# --- where it is ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "month"),
    [
        (NAME, "2026-01"),
        ("claude-20251231-235959.gemini.txt", "2025-12"),
        ("claude-20260103-000000-000000-aaaa.gemini~1.txt", "2026-01"),
        *((name, UNDATED) for name in ("n1.gemini.txt", "hello.txt", "claude-20261303-000000.gemini.txt")),
    ],
)
def test_the_name_alone_tells_the_directory(where: Tree, name: str, month: str) -> None:
    assert month_of(name) == month
    outbox = where.outbox("claude")
    assert os.path.dirname(outbox.file(ARCHIVED, name)).endswith(month)


def test_a_read_message_moves_to_the_directory_of_its_month_and_keeps_its_name_and_content(where: Tree) -> None:
    before = Path(put(where, NAME, "word")).read_bytes()
    put(where, "n1.gemini.txt")
    _archive(where, NAME, "n1.gemini.txt")
    archive = Path(where.outbox("claude").path, ".archive")
    assert sorted(str(path.relative_to(archive)) for path in archive.rglob("*.txt")) == [
        f"2026-01/{NAME}",
        "undated/n1.gemini.txt",
    ]
    assert (archive / "2026-01" / NAME).read_bytes() == before
    assert states(where, "claude") == {ARCHIVED: [NAME, "n1.gemini.txt"]}


def test_an_outbox_without_an_archive_is_not_given_one(where: Tree, settings: Settings) -> None:
    post(where)
    route(where, settings)
    assert not os.path.lexists(where.outbox("claude").directory(ARCHIVED))


def test_an_archive_that_is_a_link_is_left_alone(where: Tree, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    os.symlink(tmp_path / "elsewhere", where.outbox("claude").directory(ARCHIVED))
    put(where, NAME)
    with pytest.raises(OSError, match="symbolic link"):
        _archive(where, NAME)
    with pytest.raises(OSError, match="symbolic link"):
        put_away(where.outbox("claude"), "withdraw unread", NAME, "why")
    assert os.listdir(tmp_path / "elsewhere") == []
    assert where.outbox("claude").names(READ) == [NAME]


# --- found ------------------------------------------------------------------------------------------------


def test_history_and_threads_find_it_without_reading_it_again(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    put(where, NAME, "word")
    os.utime(where.outbox("claude").file(READ, NAME), ns=(10**18, 10**18))
    assert _found(where) == [(NAME, READ)]
    opened: list[str] = []
    real = untrusted.read_delivered
    monkeypatch.setattr(untrusted, "read_delivered", lambda path: (opened.append(path), real(path))[1])
    _archive(where, NAME)
    assert _found(where) == [(NAME, ARCHIVED)]
    assert [place.name for place in search.find(where, Query(words="word")).places] == [NAME]
    assert opened == []
    (talk,) = conversations.newest(where)
    assert (talk.last.state, talk.count) == (ARCHIVED, 1)


@pytest.mark.parametrize("name", [NAME, "n1.gemini.txt"])
def test_an_index_that_is_made_from_nothing_holds_it_but_no_malformed_one(where: Tree, name: str) -> None:
    put(where, name, "word")
    _archive(where, name)
    put_message(where, MALFORMED, "n2.gemini.txt", "n2")
    Path(where.outbox("claude").file(MALFORMED, "n2.gemini.txt") + REASON).write_text("why")
    assert archive_malformed(where.outbox("claude"), "n2.gemini.txt")
    assert _found(where) == [(name, ARCHIVED)]


def test_what_another_machine_archived_before_the_next_look_is_found(where: Tree) -> None:
    assert _found(where) == []
    put(where, NAME)
    _archive(where, NAME)
    assert _found(where) == [(NAME, ARCHIVED)]
    other = NAME.replace("0103", "0104")
    put(where, other)
    _archive(where, other)
    assert _found(where) == [(NAME, ARCHIVED), (other, ARCHIVED)]


def test_it_is_found_by_its_id_also_among_many_agents(where: Tree) -> None:
    put(where, NAME)
    _archive(where, NAME)
    where.make([f"a{number}" for number in range(60)])
    for text in (NAME.split(".")[0], NAME, f"claude/{NAME.split('.')[0]}"):
        (place,) = trace.find(where, text)
        assert (place.state, place.recipient, place.reason()) == (ARCHIVED, "gemini", None)


def test_a_message_that_was_found_before_is_followed_into_the_archive(where: Tree) -> None:
    put(where, NAME, "word")
    (place,) = trace.find(where, NAME)
    _archive(where, NAME)
    assert place.load().body == "word"
    assert place.state == ARCHIVED


# --- no second delivery -----------------------------------------------------------------------------------


def _again(where: Tree, settings: Settings, text: bytes) -> list[str]:
    Path(where.outbox("claude").file(DROPPED, NAME)).write_bytes(text)
    return [step.verb for step in route(where, settings)]


def test_the_same_message_again_collapses_and_another_of_its_id_is_malformed(where: Tree, settings: Settings) -> None:
    raw = Path(put(where, NAME)).read_bytes()
    _archive(where, NAME)
    assert _again(where, settings, raw) == ["collapse"]
    assert states(where, "claude") == {ARCHIVED: [NAME]}
    assert _again(where, settings, raw + b"other") == ["reject", "deliver"]
    assert states(where, "claude") == {ARCHIVED: [NAME], MALFORMED: [NAME]}


def test_what_was_withdrawn_does_not_come_back_and_what_was_malformed_may(where: Tree, settings: Settings) -> None:
    raw = Path(put(where, NAME, state=UNREAD)).read_bytes()
    assert put_away(where.outbox("claude"), "withdraw unread", NAME, "claude withdrew it") == NAME
    assert trace.find(where, NAME)[0].reason() == "claude withdrew it"
    assert _again(where, settings, raw) == ["collapse"]
    os.rename(where.outbox("claude").file(ARCHIVED, NAME), where.outbox("claude").file(MALFORMED, NAME))
    os.unlink(where.outbox("claude").file(ARCHIVED, NAME) + ENDED)
    Path(where.outbox("claude").file(MALFORMED, NAME) + REASON).write_text("the card refuses it\n")
    assert archive_malformed(where.outbox("claude"), NAME)
    assert trace.find(where, NAME)[0].reason() == "the card refuses it"
    assert os.listdir(where.outbox("claude").directory(MALFORMED)) == []
    assert _again(where, settings, raw) == ["deliver"]


def test_an_archived_malformed_file_does_not_hide_the_repaired_message(where: Tree, settings: Settings) -> None:
    raw = Path(put(where, NAME, "word", state=UNREAD)).read_bytes()
    os.unlink(where.outbox("claude").file(UNREAD, NAME))
    assert _again(where, settings, raw.replace(b"From: claude", b"From: eve")) == ["reject", "deliver"]
    assert archive_malformed(where.outbox("claude"), NAME) == variant(NAME, 1)
    assert _again(where, settings, raw) == ["deliver"]
    assert where.outbox("claude").move("acknowledge", NAME)
    _archive(where, NAME)
    assert _again(where, settings, raw) == ["collapse"]
    assert states(where, "claude") == {ARCHIVED: [NAME, variant(NAME, 1)]}
    for text in (NAME, NAME.split(".")[0]):
        assert [(place.name, place.reason()) for place in trace.find(where, text)] == [(NAME, None)]
    (place,) = trace.find(where, variant(NAME, 1))
    assert (place.reason() or "").startswith("From")


@pytest.mark.parametrize("name", [NAME, f"{NAME.split('.')[0]}.txt", "hello.txt"])
def test_an_archived_malformed_file_is_found_by_its_id_and_by_its_own_name(where: Tree, name: str) -> None:
    path = Path(where.outbox("claude").file(MALFORMED, name))
    path.write_text("no message")
    Path(f"{path}{REASON}").write_text("it has no end of header\n")
    assert archive_malformed(where.outbox("claude"), name) == variant(name, 1)
    for text in (name, variant(name, 1), name.partition(".")[0]):
        (place,) = trace.find(where, text)
        assert (place.name, place.reason()) == (variant(name, 1), "it has no end of header")


def test_two_archived_malformed_files_of_one_name_are_kept_apart(where: Tree) -> None:
    for number in (1, 2):
        put(where, NAME, f"number {number}", state=MALFORMED)
        assert archive_malformed(where.outbox("claude"), NAME) == variant(NAME, number)
    assert sorted(place.load().body for place in trace.find(where, NAME)) == ["number 1", "number 2"]


def test_an_archived_message_that_a_sync_tool_brings_back_unread_is_removed(where: Tree, settings: Settings) -> None:
    raw = Path(put(where, NAME)).read_bytes()
    _archive(where, NAME)
    Path(where.outbox("claude").file(UNREAD, NAME)).write_bytes(raw)
    (waiting,) = unread.unread_for(where, "gemini")
    assert waiting.drop_if_returned()
    assert states(where, "claude") == {ARCHIVED: [NAME]}


def test_a_pass_asks_for_archived_mail_only_if_there_is_an_archive(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    real = os.path.lexists
    monkeypatch.setattr(os.path, "lexists", lambda path: (asked.append(str(path)), real(path))[1])
    post(where)
    list(Router(where, {"claude", "gemini"}, settings).one_pass())
    assert asked != []
    assert not [path for path in asked if ".archive" in path]
    put(where, NAME)
    _archive(where, NAME)
    post(where)
    list(Router(where, {"claude", "gemini"}, settings).one_pass())
    assert [path for path in asked if ".archive" in path]


# --- names ------------------------------------------------------------------------------------------------


def test_no_archived_file_is_replaced(where: Tree) -> None:
    put(where, NAME, "first")
    _archive(where, NAME)
    put(where, NAME, "second")
    _archive(where, NAME)
    put(where, NAME, "third", state=HELD)
    kept = put_away(where.outbox("claude"), "discard held", NAME, "why")
    other = NAME.replace(".txt", "~1.txt")
    assert kept == NAME.replace(".txt", "~2.txt")
    bodies = [Path(where.outbox("claude").file(ARCHIVED, one)).read_text()[-5:] for one in (NAME, other, kept)]
    assert bodies == ["first", "econd", "third"]
    assert trace.find(where, NAME)[0].reason() is None
    assert sorted(place.name for place in trace.find(where, kept)) == [kept]


def test_a_reservation_in_the_archive_is_taken(where: Tree) -> None:
    path = Path(where.outbox("claude").file(ARCHIVED, NAME))
    path.parent.mkdir(parents=True)
    path.touch()
    put(where, NAME, "word")
    _archive(where, NAME)
    assert states(where, "claude") == {ARCHIVED: [NAME]}
    assert path.read_text().endswith("word")


def test_a_reason_whose_move_was_never_made_does_not_stay(where: Tree) -> None:
    target = where.outbox("claude").file(ARCHIVED, NAME)
    Path(target).parent.mkdir(parents=True)
    Path(target + ENDED).write_text("claude withdrew it")
    put(where, NAME)
    _archive(where, NAME)
    assert trace.find(where, NAME)[0].reason() is None


def test_a_file_that_another_process_moved_first_leaves_no_reason(where: Tree) -> None:
    assert put_away(where.outbox("claude"), "withdraw unread", NAME, "why") == ""
    assert list(Path(where.outbox("claude").path).rglob("*.ended")) == []
    assert archive_read(where.outbox("claude"), [NAME]) == 0


def test_the_directories_are_flushed_once_at_the_end(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    put(where, NAME)
    flushed: list[str] = []
    _archive(where, NAME)
    monkeypatch.setattr(durable, "flush_directory", flushed.append)
    archived.flush([where.outbox("claude")], READ)
    outbox = where.outbox("claude")
    assert flushed == [outbox.directory(READ), os.path.dirname(outbox.file(ARCHIVED, NAME))]


def test_one_report_per_directory_is_made_to_other_machines(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    reports: list[tuple[str, ...]] = []
    monkeypatch.setattr(changes, "_listeners", [lambda mailboxes, *paths: reports.append(paths)])
    names = [NAME.replace("aaaa", f"aa{number:02}") for number in range(20)]
    for name in names:
        put(where, name)
    _archive(where, *names)
    outbox = where.outbox("claude")
    assert reports == [(os.path.dirname(outbox.file(ARCHIVED, NAME)),), (outbox.directory(READ),)]


# --- links ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("linked", ["month", "archive"])
def test_what_a_link_in_place_of_the_archive_leads_to_is_no_message(
    where: Tree, settings: Settings, tmp_path: Path, linked: str
) -> None:
    where.make([f"a{number}" for number in range(60)])
    raw = Path(put(where, NAME)).read_bytes()
    _archive(where, NAME)
    outbox = where.outbox("claude")
    path = Path(os.path.dirname(outbox.file(ARCHIVED, NAME)) if linked == "month" else outbox.directory(ARCHIVED))
    os.rename(path, tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", path)
    assert not outbox.holds(ARCHIVED, NAME)
    assert not outbox.has_archived(NAME)
    for text in (NAME, NAME.split(".")[0]):
        for look in (trace.find, put_back):
            with pytest.raises(NoSuchMessage):
                look(where, text)
        with pytest.raises(NoSuchMessage):
            trace.one(where, text, View("gemini"))
    assert _again(where, settings, raw) == ["deliver"]
