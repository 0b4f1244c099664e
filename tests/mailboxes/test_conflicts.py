"""Every sync tool's conflict copies are recognised by name and set aside; a person's own files are mail."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.mailboxes import conflicts
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, REASON, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.router import strays
from ai_bridge.router.daemon import Daemon
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from tests.support.machine import LAPTOP, TOWER, On, settle_on
from tests.support.mail import post, route, states

# What each tool makes of `NAME.txt`.
BY_WORD = {
    "Syncthing": "{}.sync-conflict-20261122-030057-757LWGV.txt",
    "Syncthing, long ago": "{}.sync-conflict-20261122-030057.txt",
    "Dropbox": "{} (Ann's conflicted copy 2026-11-22).txt",
    "Dropbox, twice": "{} (web's conflicted copy 2026-11-22 1).txt",
    "Nextcloud": "{} (conflicted copy 2026-11-22 030057).txt",
    "Nextcloud, of a person": "{} (conflicted copy ann b 2026-11-22 030057).txt",
    "ownCloud": "{}_conflict-20261122-030057.txt",
    "Seafile": "{} (SFConflict ann@example.org 2026-11-22-03-00-57).txt",
    "Unison": "{} (copy: conflict on 2026-11-22).txt",
    "Unison, twice": "{} (copy: conflict #1 on 2026-11-22).txt",
    "Unison, long ago": "{} (conflict on 2026-11-22).txt",
}
# Only behind a name this program gave.
BY_NUMBER = {
    "Google Drive": "{} (1).txt",
    "Google Drive, often": "{}(12).txt",
    "iCloud": "{} 2.txt",
    "OneDrive": "{}-DESKTOP-AB12CD.txt",
    "OneDrive, a Mac": "{}-Anns-MacBook.txt",
    "Resilio": "{}.Conflict.txt",
    "Resilio, twice": "{}.Conflict1.txt",
}
ALL = BY_WORD | BY_NUMBER
OWN = "claude-20261122-032405-271828-k7ab"
HAND = "ID: by-hand\nFrom: claude\nTo: gemini\nSubject: s\n\nhello"


@pytest.mark.parametrize("tool", ALL)
def test_a_copy_of_our_own_file_is_known_and_what_it_was_made_of(tool: str) -> None:
    made_of = f"{OWN}.gemini@web.txt"
    copy = ALL[tool].format(made_of.removesuffix(".txt"))
    assert conflicts.original(copy) == made_of
    assert conflicts.label(copy) == (OWN, "gemini@web")
    assert conflicts.original(made_of) == ""


@pytest.mark.parametrize("tool", BY_WORD)
def test_a_copy_of_any_other_file_is_known_by_its_word(tool: str) -> None:
    assert conflicts.original(BY_WORD[tool].format("my letter")) == "my letter.txt"


@pytest.mark.parametrize("tool", ALL)
def test_a_copy_that_was_dropped_is_set_aside_and_its_original_delivered(
    where: Tree, settings: Settings, tool: str
) -> None:
    name = f"{post(where)}.gemini.txt"
    outbox = where.outbox("claude")
    copy = ALL[tool].format(name.removesuffix(".txt"))
    Path(outbox.file(DROPPED, copy)).write_bytes(Path(outbox.file(DROPPED, name)).read_bytes())
    route(where, settings)
    assert states(where, "claude") == {UNREAD: [name], MALFORMED: [copy]}
    assert f"a sync tool made of {name}" in Path(outbox.file(MALFORMED, copy) + REASON).read_text()
    assert len(unread_for(where, "gemini")) == 1


@pytest.mark.parametrize("tool", ALL)
def test_a_copy_among_what_was_delivered_is_not_shown_and_set_aside(
    where: Tree, settings: Settings, tool: str
) -> None:
    name = f"{post(where)}.gemini.txt"
    route(where, settings)
    outbox = where.outbox("claude")
    copy = ALL[tool].format(name.removesuffix(".txt"))
    Path(outbox.file(UNREAD, copy)).write_bytes(Path(outbox.file(UNREAD, name)).read_bytes())
    assert [one.name for one in unread_for(where, "gemini")] == [name]
    router = Router(where, {"claude", "gemini"}, settings)
    assert [(step.verb, step.name) for step in strays.tidy(router)] == [("reject", copy)]
    assert states(where, "claude") == {UNREAD: [name], MALFORMED: [copy]}
    assert list(strays.tidy(router)) == []


PERSONS = [
    *("letter (1).txt", "notes.Conflict.txt", "todo 2.txt", "reply-FINAL.txt", "a.sync-conflict.txt", "x (2026).txt"),
    *(
        "my conflict on monday.txt",
        "copy.txt",
        "(1).txt",
        "a.b (1).txt",
        "m-1.gemini (1).txt",
        "conflict-20261122.txt",
    ),
]


@pytest.mark.parametrize("name", PERSONS)
def test_a_persons_own_file_is_delivered_whatever_it_is_called(where: Tree, settings: Settings, name: str) -> None:
    assert conflicts.original(name) == ""
    Path(where.outbox("claude").file(DROPPED, name)).write_text(HAND)
    route(where, settings)
    assert [one.id for one in unread_for(where, "gemini")] == ["by-hand"]


@pytest.mark.parametrize("agent", ["gemini", "gemini-2", "conflict", "gemini-laptop", "sync-conflict"])
def test_no_agent_is_called_so_that_its_mail_passes_for_a_copy(where: Tree, settings: Settings, agent: str) -> None:
    where.make([agent])
    name = f"{post(where, to=agent)}.{agent}.txt"
    assert conflicts.original(name) == ""
    route(where, settings)
    assert states(where, "claude") == {UNREAD: [name]}


def test_a_released_variant_is_no_copy(where: Tree, settings: Settings) -> None:
    name = f"{post(where)}.gemini.txt"
    outbox = where.outbox("claude")
    Path(outbox.file(DROPPED, name)).rename(outbox.file(DROPPED, name.replace(".txt", "~1.txt")))
    route(where, settings)
    assert states(where, "claude") == {UNREAD: [name]}


def test_a_copy_is_set_aside_by_the_recipients_home_alone(where: Tree, settings: Settings, on: On) -> None:
    settle_on(where, LAPTOP, "claude")
    settle_on(where, TOWER, "gemini")
    outbox, copy = where.outbox("claude"), f"{OWN}.gemini (1).txt"
    Path(outbox.file(DROPPED, copy)).write_text(HAND)
    on(LAPTOP)
    Daemon(where, settings).run_once()
    assert states(where, "claude") == {DROPPED: [copy]}
    on(TOWER)
    Daemon(where, settings).run_once()
    assert states(where, "claude") == {MALFORMED: [copy]}


@pytest.mark.parametrize(
    "name", ["", ".txt", " (1).txt", ".sync-conflict-20261122-030057.txt", "(conflict on ).txt" * 9]
)
def test_no_name_is_too_odd(name: str) -> None:
    conflicts.original(name)
    conflicts.label(name)


def test_a_name_made_to_be_slow_is_not(where: Tree) -> None:
    for part in (" (", " (a conflicted copy", "-A", " 1", "_conflict-", " (conflict on "):
        conflicts.original(part * (250 // len(part)) + ".txt")


def test_a_copy_that_was_claimed_goes_back_and_aside(where: Tree, settings: Settings) -> None:
    outbox, copy = where.outbox("claude"), f"{OWN}.gemini.sync-conflict-20261122-030057-757LWGV.txt"
    Path(outbox.file(PROCESSING, copy)).write_text(HAND)
    route(where, settings)
    assert states(where, "claude") == {MALFORMED: [copy]}
