"""Puts a message back: a read one to unread, a malformed one to where it was dropped."""

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, READ, REASON, UNREAD
from ai_bridge.mailboxes.trace import Place, find
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.reference import View
from ai_bridge.system import durable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeVar

    Moved = TypeVar("Moved")


class CannotRestore(BridgeError):
    sentence = (
        "{id} is {state}, not read or malformed: there is nothing to restore (a person's `allow` is for held mail)"
    )


class NameTaken(BridgeError):
    sentence = "{name} cannot be restored: a message of that name is {state}; deal with that one first"


def put_back(
    mailboxes: Tree, id_: str, view: View | None = None, check: "Callable[[Place], None] | None" = None
) -> list[Place]:
    """Move a read message back to unread, a malformed one back to where it was dropped, durably; returns the places.

    Calls `check`, if it is given, with each malformed file before anything is moved; it may raise. Raises what `find`
    raises, `CannotRestore`, `NameTaken` or OSError. A malformed file that has not been repaired is rejected again.
    """
    places = find(mailboxes, id_, view)
    restorable = [place for place in places if place.state in (READ, MALFORMED)]
    if not restorable:
        raise CannotRestore(id=id_, state=places[0].state)
    for place in restorable:
        if check is not None and place.state == MALFORMED:
            check(place)
    for place in restorable:
        _put_one_back(place)
        before, place.state = place.state, UNREAD if place.state == READ else DROPPED
        place.outbox.flush(place.state, before)
    return restorable


def _put_one_back(place: Place) -> None:
    try:
        without_reason(place, lambda: place.outbox.move(f"restore {place.state}", place.name))
    except FileExistsError:
        raise NameTaken(name=place.name, state=UNREAD if place.state == READ else DROPPED) from None


def without_reason(place: Place, move: "Callable[[], Moved]") -> "Moved":
    """Remove the reason of a file, then make the move; if that fails, write the reason again.

    The reason goes first, because a router may write a new one as soon as the file is back.
    """
    reason = place.reason()
    if reason is not None:
        durable.remove(place.path + REASON)
    try:
        return move()
    except OSError:
        if reason is not None:
            durable.replace_own(place.path + REASON, f"{reason}\n".encode())
        raise
