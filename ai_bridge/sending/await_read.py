"""Receipts: wait until what was sent is read, or rejected; nothing is looked at while nothing happens."""

import time

from ai_bridge.mailboxes.compose import Sent
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, PROCESSING, READ, file_name
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.mailboxes.wake import Wake
from ai_bridge.settings import Settings

ENDED = (READ, MALFORMED)


def await_read(
    mailboxes: Mailboxes, sent: list[Sent], sender: str, timeout_s: float, settings: Settings
) -> list[Place]:
    """Wait, at most `timeout_s` seconds, until every copy is read or malformed; return where each is then.

    The places are in the order of the messages and of their recipients. A copy that ended is not looked at again;
    one whose file is nowhere any more keeps the state it was last seen in, and its `at` is ''.
    """
    outbox = mailboxes.outbox(sender)
    places = [
        Place(outbox, DROPPED, file_name(one.id, recipient), recipient)
        for one in sent
        for recipient in one.recipients
    ]
    deadline = time.monotonic() + timeout_s
    with Wake.over(mailboxes, settings, lambda: [outbox.directory(state) for state in ENDED]) as wake:
        while _are_awaited(places) and (left := deadline - time.monotonic()) > 0:
            wake.wait(min(left, settings.sweep_s))
    return places


def _are_awaited(places: list[Place]) -> bool:
    """Look where each copy is that has not ended; tell whether any is left."""
    for outbox in {place.outbox for place in places}:  # all are of one sender
        outbox.freshen()
    for place in places:
        if place.state not in ENDED:
            _look(place)
    return any(place.state not in ENDED for place in places)


def _look(place: Place) -> None:
    """Find the copy by its names, in the order of the moves, so that one that moves on meanwhile is met."""
    if place.follow():
        return
    for state in (DROPPED, PROCESSING, HELD, MALFORMED):  # where its own name was taken, it has a variant of it
        stem = place.name.removesuffix(".txt") + "~"
        for name in place.outbox.visible(state):
            if name.startswith(stem):
                place.state, place.name = state, name
                return
