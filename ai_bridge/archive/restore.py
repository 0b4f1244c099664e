"""Puts a message back: a read or archived one to unread, one that was set aside to where it was dropped."""

import os
from contextlib import suppress

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.file_names import without_number
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, MALFORMED, READ, REASON, UNREAD
from ai_bridge.mailboxes.trace import Place, find, without_reason
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.reference import View
from ai_bridge.system import durable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class CannotRestore(BridgeError):
    sentence = (
        "{id} is {state}, not read or malformed or archived: there is nothing to restore "
        "(a person's `allow` is for held mail)"
    )


class NameTaken(BridgeError):
    sentence = "{name} cannot be restored: a message of that name is {state}; deal with that one first"


def put_back(
    mailboxes: Tree, id_: str, view: View | None = None, check: "Callable[[Place], None] | None" = None
) -> list[Place]:
    """Move a read or archived message back to unread, durably; returns its places.

    A message that is malformed, or that was archived unread (malformed, discarded, withdrawn or expired), goes back
    to where it was dropped, and a router judges it again. Calls `check`, if it is given, with each malformed file
    before anything is moved; it may raise. Raises what `find` raises, `CannotRestore`, `NameTaken` or OSError.
    """
    places = find(mailboxes, id_, view)
    restorable = [place for place in places if place.state in (READ, MALFORMED, ARCHIVED)]
    if not restorable:
        raise CannotRestore(id=id_, state=places[0].state)
    for place in restorable:
        if check is not None and place.state == MALFORMED:
            check(place)
    for place in restorable:
        _put_one_back(place)
    return restorable


def _put_one_back(place: Place) -> None:
    before, directory = place.state, os.path.dirname(place.path)
    has_ended = before == MALFORMED or (before == ARCHIVED and os.path.lexists(place.path_of_reason()))
    after = DROPPED if has_ended else UNREAD
    verb = "restore ended" if before == ARCHIVED and has_ended else f"restore {before}"
    is_malformed = place.path_of_reason().endswith(REASON) and has_ended and before == ARCHIVED
    try:
        place.name = without_reason(place, lambda: _move(place, verb, is_malformed))
    except FileExistsError:
        raise NameTaken(name=place.name, state=after) from None
    place.state = after
    place.outbox.flush(after)
    durable.flush_directory(directory)


def _move(place: Place, verb: str, is_malformed: bool) -> str:
    """Make the move, and return the new name; an archived malformed file loses the number that it got there."""
    if is_malformed:
        plain = without_number(place.name)
        with suppress(FileExistsError):
            place.outbox.move(verb, place.name, plain)
            return plain
    place.outbox.move(verb, place.name)
    return place.name
