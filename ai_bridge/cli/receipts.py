"""The receipts of `send --wait-read`: where each copy is after the wait, and the exit code."""

import sys

from ai_bridge.mailboxes.compose import Sent
from ai_bridge.mailboxes.outbox import ARCHIVED, MALFORMED, READ
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending.await_read import await_read
from ai_bridge.settings import Settings
from ai_bridge.text import printable

_NOTHING_CAME = 3


def wait(where: Tree, sent: list[Sent], sender: str, timeout_s: float, loaded: Settings) -> int:
    """Wait until all copies are read or malformed, at most `timeout_s` s; print on standard error where each is.

    Returns the exit code: 0 if all are read, 1 if any ended unread, else 3.
    """
    places = await_read(where, sent, sender, timeout_s, loaded)
    if sys.stderr is not None:
        sys.stderr.write("".join(_receipt(place, len(sent) > 1) for place in places))
        sys.stderr.flush()
    if any(_ended_unread(place) for place in places):
        return 1
    return _NOTHING_CAME if {place.state for place in places} - {READ, ARCHIVED} else 0


def _ended_unread(place: Place) -> bool:
    """Tell whether the message is malformed, or was archived before anyone read it."""
    return place.state == MALFORMED or (place.state == ARCHIVED and place.reason() is not None)


def _receipt(place: Place, with_id: bool) -> str:
    to = f"{place.id} → {place.recipient}" if with_id else place.recipient
    if place.state == MALFORMED:
        return f"{to}: malformed: {printable(place.reason() or 'for a reason that is not known')}\n"
    if at := place.at():
        reason = f": {printable(why)}" if (why := place.reason()) else ""
        return f"{to}: {place.state} {'at' if place.state == READ else 'since'} {at}{reason}\n"
    return f"{to}: was {place.state}, and its file is gone\n"
