"""Withdraws a message: its sender takes back each copy that nobody has read yet."""

import os
import time

from ai_bridge.archive import archived, wishes
from ai_bridge.archive.movers import Movers
from ai_bridge.archive.wishes import WITHDRAW, Wish
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, HELD, PROCESSING, READ, UNREAD
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.trace import Place, find
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import ReaderBusy
from ai_bridge.message.reference import View
from ai_bridge.system import durable, times
from ai_bridge.system.locks import Lock, holder

_OPEN = (DROPPED, PROCESSING, UNREAD, HELD)
# How long a router may hold a message before it counts as on its way, and the pause between two looks.
_PATIENCE_S, _LOOK_S = 1.0, 0.01


class NotYours(BridgeError):
    sentence = "{id} is from {sender}: only {sender} can withdraw it, and you are {agent}"


class End:
    """The end of one copy: its `place`, and `what` happened to it.

    `done`: it was archived, or its machine was asked to do it. `is_busy`: another process had it in hand just now.
    """

    __slots__ = ("done", "is_busy", "place", "what")

    def __init__(self, place: Place, what: str, done: bool, is_busy: bool = False) -> None:
        self.place = place
        self.what = what
        self.done = done
        self.is_busy = is_busy


def take_back_all(mailboxes: Tree, sender: str, id_: str) -> list[End]:
    """Take back every copy of the sender's message that is still dropped, unread or held; returns each one's end.

    A copy that another machine moves is asked for there. Raises what `find` does, `NotYours`, or OSError.
    """
    seen = Snapshot.of(mailboxes)
    places = find(seen, id_, View(sender))
    if places[0].outbox.owner != sender:
        raise NotYours(id=places[0].id, sender=places[0].outbox.owner, agent=sender)
    movers = Movers(seen)
    return [_end(mailboxes, place, movers.machine_of(sender, place.name), movers.here) for place in places]


def _end(mailboxes: Tree, place: Place, machine: str, here: str) -> End:
    if machine == here:
        return take_back(mailboxes, place, f"{place.outbox.owner} withdrew it before it was read")
    if place.state not in _OPEN:
        return End(place, too_late(place), done=False)
    wishes.ask(mailboxes, Wish(WITHDRAW, f"{place.outbox.owner}/{place.name}", place.outbox.owner))
    return End(place, f"asked: {machine} does it", done=True)


def take_back(mailboxes: Tree, place: Place, why: str, patience_s: float = _PATIENCE_S, reader: str = "") -> End:
    """Archive one copy, durably, if nobody has read it; waits up to `patience_s` for a router that has it in hand.

    Holds the recipient's reader lock if the copy is unread, so that no session shows it meanwhile; not that of
    `reader`, which the caller holds itself. Changes the state of `place`. Raises OSError.
    """
    deadline = time.monotonic() + patience_s
    while place.state in _OPEN:
        try:
            if place.state != PROCESSING and _is_taken(mailboxes, place, why, patience_s, reader):
                return End(place, "withdrawn", done=True)
        except ReaderBusy as busy:
            return End(place, f"not withdrawn: {busy}", done=False, is_busy=True)
        if not place.follow() or time.monotonic() > deadline:
            said = "not withdrawn: it is on its way just now; try again in a moment"
            return End(place, said, done=False, is_busy=True)
        if place.state == PROCESSING:
            time.sleep(_LOOK_S)
    return End(place, too_late(place), done=False)


def _is_taken(mailboxes: Tree, place: Place, why: str, patience_s: float, reader: str) -> bool:
    """Make the move; False if another process was first. Raises `ReaderBusy`."""
    agent = place.recipient.partition("~")[0]
    if place.state == UNREAD and agent not in ("", reader):
        with Lock(mailboxes.lock_file("reader", agent)) as lock:
            if not lock.acquire("withdraw", agent, patience_s):
                raise ReaderBusy(agent=agent, holder=str(holder(lock.path)))
            return put_away(place, f"withdraw {UNREAD}", why)
    return put_away(place, f"withdraw {place.state}", why)


def put_away(place: Place, verb: str, why: str) -> bool:
    """Archive one file with the reason, durably; False if another process was first."""
    before = place.path
    kept = archived.put_away(place.outbox, verb, place.name, why)
    if not kept:
        return False
    durable.flush_directory(os.path.dirname(before))
    place.name, place.state = kept, ARCHIVED
    durable.flush_directory(os.path.dirname(place.path))
    return True


def too_late(place: Place) -> str:
    """Return why a copy cannot be withdrawn any more."""
    if place.state == READ:
        return f"too late: read at {place.at()}"
    if place.state == ARCHIVED and place.reason() is None:
        return "too late: it was read"
    return f"not withdrawn: it is {place.state} since {times.without_fraction(place.at())}"
