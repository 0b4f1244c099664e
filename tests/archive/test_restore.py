"""A message that was read or rejected is put back, and replaces nothing."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.archive.restore import CannotRestore, NameTaken, put_back
from ai_bridge.mailboxes.file_names import variant
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, ENDED, MALFORMED, PROCESSING, READ, REASON, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.mail import put_message, route, states


def test_a_read_message_is_unread_again(where: Tree) -> None:
    put_message(where, READ, "n1.gemini.txt")
    (place,) = put_back(where, "n1")
    assert (place.state, os.path.isfile(place.path)) == (UNREAD, True)
    assert states(where, "claude") == {UNREAD: ["n1.gemini.txt"]}


def test_a_repaired_message_goes_on_and_one_that_was_not_is_rejected_again(where: Tree, settings: Settings) -> None:
    put_message(where, DROPPED, "mended.txt", to="gmini")
    put_message(where, DROPPED, "not.txt", "n2", to="gmini")
    route(where, settings)
    put_message(where, MALFORMED, "mended.txt")
    for name in ("mended.txt", "not.txt"):
        (place,) = put_back(where, name)
        assert (place.state, os.path.isfile(place.path)) == (DROPPED, True)
    assert os.listdir(where.outbox("claude").directory(MALFORMED)) == []
    route(where, settings)
    assert states(where, "claude") == {UNREAD: ["n1.gemini.txt"], MALFORMED: ["not.txt"]}


@pytest.mark.parametrize("state", [DROPPED, PROCESSING, UNREAD])
def test_what_is_under_way_is_not_restored(where: Tree, state: str) -> None:
    put_message(where, state, "n1.gemini.txt")
    with pytest.raises(CannotRestore, match=f"n1 is {state}, not read or malformed"):
        put_back(where, "n1")
    assert states(where, "claude") == {state: ["n1.gemini.txt"]}


def test_restoring_replaces_nothing(where: Tree) -> None:
    put_message(where, READ, "n1.gemini.txt")
    Path(put_message(where, UNREAD, "n1.gemini.txt")).write_text("kept")
    with pytest.raises(NameTaken, match=r"n1\.gemini\.txt cannot be restored: a message of that name is unread"):
        put_back(where, "n1")
    assert Path(where.outbox("claude").file(UNREAD, "n1.gemini.txt")).read_text() == "kept"


def test_an_archived_malformed_file_goes_back_under_its_own_name_and_replaces_nothing(
    where: Tree, settings: Settings
) -> None:
    for number in (1, 2):
        path = put_message(where, ARCHIVED, variant("n1.gemini.txt", number))
        Path(path + REASON).write_text("why")
    assert [place.state for place in put_back(where, "n1")] == [DROPPED, DROPPED]
    assert len(states(where, "claude").pop(DROPPED)) == 2
    assert Path(where.outbox("claude").file(DROPPED, "n1.gemini.txt")).exists()
    assert [step.verb for step in route(where, settings)] == ["deliver", "collapse"]
    assert states(where, "claude") == {UNREAD: ["n1.gemini.txt"]}


def test_an_archived_message_is_unread_again_and_one_that_nobody_read_is_judged_again(
    where: Tree, settings: Settings
) -> None:
    put_message(where, ARCHIVED, "n1.gemini.txt")
    for id_, ending in (("n2", ENDED), ("n3", REASON)):
        Path(put_message(where, ARCHIVED, f"{id_}.gemini.txt", id_) + ending).write_text("why")
    assert [put_back(where, id_)[0].state for id_ in ("n1", "n2", "n3")] == [UNREAD, DROPPED, DROPPED]
    assert states(where, "claude") == {DROPPED: ["n2.gemini.txt", "n3.gemini.txt"], UNREAD: ["n1.gemini.txt"]}
    assert not list(Path(where.outbox("claude").directory(ARCHIVED)).rglob("n*"))
    route(where, settings)
    assert len(states(where, "claude")[UNREAD]) == 3
