"""discard: malformed and held mail goes to the archive, and is never deleted."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.archive.discard import CannotDiscard, NotYours, discard_copies
from ai_bridge.archive.wishes import A_PERSON
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.file_names import variant
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, HELD, MALFORMED, PROCESSING, READ, REASON, UNREAD
from ai_bridge.mailboxes.tree import Tree
from tests.history.test_search import put
from tests.support.mail import states

ID = "claude-20260103-000000-000000-aaaa"
NAME = f"{ID}.gemini.txt"


@pytest.mark.parametrize("by", [A_PERSON, "claude", "gemini"])
@pytest.mark.parametrize("state", [HELD, MALFORMED])
def test_it_is_archived_with_its_reason_and_who_discarded_it(where: Tree, state: str, by: str) -> None:
    path = put(where, NAME, "kept", state=state)
    Path(path + REASON).write_text("its card holds it\n")
    (end,) = discard_copies(where, ID, by)
    assert (end.done, end.what) == (True, "discarded")
    assert states(where, "claude") == {ARCHIVED: [variant(NAME, int(state == MALFORMED))]}
    assert (end.place.state, os.path.lexists(end.place.path)) == (ARCHIVED, True)
    (place,) = trace.find(where, ID)
    assert (place.reason(), place.load().body) == (f"its card holds it\ndiscarded by {by}", "kept")
    assert not os.path.lexists(path + REASON)


def test_a_malformed_file_is_named_as_it_is(where: Tree) -> None:
    Path(where.outbox("claude").file(MALFORMED, "hello.txt")).write_text("no message")
    assert [end.done for end in discard_copies(where, "hello.txt", A_PERSON)] == [True]
    (place,) = trace.find(where, "hello.txt")
    assert (place.state, place.reason()) == (ARCHIVED, "the reason is not known\ndiscarded by a person")


@pytest.mark.parametrize("state", [DROPPED, PROCESSING, UNREAD, READ])
def test_other_mail_is_not_discarded(where: Tree, state: str) -> None:
    put(where, NAME, state=state)
    with pytest.raises(CannotDiscard, match=f"{ID} is {state}, not malformed or held"):
        discard_copies(where, ID, A_PERSON)
    assert states(where, "claude") == {state: [NAME]}


def test_an_agent_discards_only_mail_of_its_own(where: Tree) -> None:
    where.make(["codex"])
    put(where, NAME, state=HELD)
    with pytest.raises(NotYours, match="is neither from nor to codex"):
        discard_copies(where, ID, "codex")
    assert states(where, "claude") == {HELD: [NAME]}
