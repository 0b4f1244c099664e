"""Receipts: waits until the sent messages are read or rejected; looks at no file while nothing happens."""

import time

from ai_bridge.mailboxes.compose import Sent
from ai_bridge.mailboxes.file_names import file_name, variant
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, HELD, MALFORMED, PROCESSING, READ
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.wake import Wake
from ai_bridge.settings import Settings

ENDED = (READ, MALFORMED, ARCHIVED)


def await_read(mailboxes: Tree, sent: list[Sent], sender: str, timeout_s: float, settings: Settings) -> list[Place]:
    """Wait until every copy is read or malformed, at most `timeout_s` seconds; return the place of each copy.

    The places are in the order of the messages and of their recipients. If a copy's file is gone, its place keeps
    the last state, and its `at` is ''.
    """
    outbox = mailboxes.outbox(sender)
    places = [
        Place(outbox, DROPPED, file_name(one.id, recipient), recipient)
        for one in sent
        for recipient in one.recipients
    ]
    deadline = time.monotonic() + timeout_s
    with Wake.over(mailboxes, settings, lambda: [outbox.directory(state) for state in (READ, MALFORMED)]) as wake:
        while _are_awaited(places) and (left := deadline - time.monotonic()) > 0:
            wake.wait(min(left, settings.sweep_s))
    return places


def _are_awaited(places: list[Place]) -> bool:
    """Update the places of the copies that have not ended; tell whether any is left."""
    for outbox in {place.outbox for place in places}:  # all are of one sender
        outbox.freshen()
    for place in places:
        if place.state not in ENDED:
            _look(place)
    return any(place.state not in ENDED for place in places)


def _look(place: Place) -> None:
    """Find the copy by its names, in the order of the moves, so that a copy that moves on meanwhile is found."""
    if place.follow():
        return
    if place.outbox.holds(ARCHIVED, numbered := variant(place.name, 1)):  # it was malformed
        place.state, place.name = ARCHIVED, numbered
        return
    for state in (DROPPED, PROCESSING, HELD, MALFORMED):  # it has a variant of its name if another file had the name
        stem = place.name.removesuffix(".txt") + "~"
        for name in place.outbox.visible(state):
            if name.startswith(stem):
                place.state, place.name = state, name
                return
