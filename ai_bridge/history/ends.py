"""The ends of IDs: the message that one means, the newest message, and the newest ones to choose from.

An end is looked for in the index, and among the few files that no index holds.
"""

from __future__ import annotations

import os
from contextlib import suppress
from itertools import islice

from ai_bridge.agents.person import is_persons
from ai_bridge.agents.resolve import project_for
from ai_bridge.errors import BridgeError, Malformed, NoSuchMessage
from ai_bridge.history import search
from ai_bridge.history.indexer import FILE
from ai_bridge.history.query import Query
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, READ, UNREAD, Outbox
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import reference
from ai_bridge.message.address import POSTMASTER
from ai_bridge.message.ids import stamp_of
from ai_bridge.system import times
from ai_bridge.text import printable, shorten

# The fewest characters of an ID's end.
FEWEST = 3
# The most characters that say what a message is.
_ABOUT = 80
# So many messages are read at once, in a time that nobody notices.
_FEW = 2000
# The most messages that a refusal names, and how many are looked at first to find one that another agent wrote.
_NAMED, _FIRST = 5, 8


class SeveralMeant(BridgeError):
    sentence = "{end} is the end of several IDs: give more of the one you mean, of {why}"


class NothingYet(NoSuchMessage):
    sentence = "there is no message{where} that `last` could mean: {why}"
    for_model = sentence


def exact(mailboxes: Tree, text: str) -> str:
    """Return the ID, or file name, that ends in `text`, which may be `SENDER/` and the end.

    Raises `NoSuchMessage`, and `SeveralMeant` if several IDs have that end.
    """
    sender, end = reference.split(text)
    found = [] if len(end) < FEWEST else _ending_in(mailboxes, sender, end)
    if len(found) > 1:
        raise SeveralMeant(end=text, why=_named(found))
    if not found:
        raise NoSuchMessage(id=text, where=f" in {mailboxes.path}")
    return _name_of(found[0]) if sender else found[0].id


def _name_of(place: Place) -> str:
    return f"{place.outbox.owner}/{place.id}"


def last(mailboxes: Tree, agent: str) -> str:
    """Return, as `SENDER/ID`, the newest message that `agent` means: the newest one to it.

    If the agent is a person, or is not known (''), it is the newest of the project that the agent did not write; that
    of all agents if none has a project. Notices are left out. Raises `NothingYet`.
    """
    reads_along = not agent or is_persons(mailboxes, agent)
    project, limit = project_for(mailboxes, agent), _FIRST
    while True:
        query = Query(limit=limit, project=project) if reads_along else Query(agent=agent, limit=limit)
        found = search.find(mailboxes, query)
        for place in reversed(found.places):
            if place.outbox.owner not in (agent, POSTMASTER) and (reads_along or place.recipient == agent):
                return _name_of(place)
        if not found.more:
            why = "nobody but you has written any yet" if reads_along else f"nobody has written to {agent} yet"
            raise NothingYet(where=f" in {mailboxes.path}", why=why)
        limit *= _FIRST


def _ending_in(mailboxes: Tree, sender: str, end: str) -> list[Place]:
    """Return one place of each message whose ID or file name has that end, the oldest first."""
    places = [*search.by_suffix(mailboxes, end), *_outside(mailboxes, end)]
    found = {_name_of(place): place for place in reversed(places) if sender in ("", place.outbox.owner)}
    return sorted(found.values(), key=lambda place: stamp_of(place.id))


def _outside(mailboxes: Tree, end: str) -> list[Place]:
    """Return what no index holds: held and malformed mail, and what waits in an outbox under any name."""
    return [
        Place(outbox, state, name, label(name)[1])
        for outbox in mailboxes.outboxes()
        for state in (DROPPED, HELD, MALFORMED)
        for name in outbox.visible(state)
        if _has_end(outbox, state, name, end)
    ]


def _has_end(outbox: Outbox, state: str, name: str, end: str) -> bool:
    return Place(outbox, state, name, "").id.endswith(end)


def _named(found: list[Place]) -> str:
    """Return the newest of these messages in words: the ID, the sender and the time of each."""
    newest = [_described(place) for place in reversed(found[-_NAMED:])]
    more = len(found) - len(newest)
    return ", ".join(newest) + (f" and {more} older" if more else "")


def _described(place: Place) -> str:
    stamp = stamp_of(place.id)
    when = f", {times.to_minute(times.stamp_to_date(stamp))}" if stamp else ""
    return f"{printable(place.id)} (from {place.outbox.owner}{when})"


# --- to choose from -------------------------------------------------------------------------------------


def newest(mailboxes: Tree, most: int = 20) -> list[tuple[str, str, str]]:
    """Return the newest messages of this project, the newest first: the end of each ID, the ID, and what it is.

    The end is the shortest, from 4 characters on, that no other of these IDs has. The message is described as
    `sender → recipient subject`. The list is empty if the index would first have to read very many messages.
    """
    if not _is_quick(mailboxes):
        return []
    found = search.find(mailboxes, Query(limit=most, project=project_for(mailboxes, ""))).places
    copies = list(reversed(trace.by_message(found)))
    ids = [places[0].id for places in copies]
    return [(_short(one[0].id, ids), one[0].id, _about(one)) for one in copies]


def _is_quick(mailboxes: Tree) -> bool:
    """Tell whether the index was built before, or has little to read; looks at no more than few names."""
    if os.path.exists(mailboxes.state_file(FILE)):
        return True
    left = _FEW
    for path in [outbox.directory(state) for outbox in mailboxes.outboxes() for state in (UNREAD, READ)]:
        with suppress(OSError), os.scandir(path) as entries:
            left -= sum(1 for _ in islice(entries, left))
    return left > 0


def _short(id_: str, others: list[str]) -> str:
    """Return the shortest end of the ID that stands for none of the other IDs."""
    for length in range(FEWEST + 1, len(id_)):
        if sum(other.endswith(id_[-length:]) for other in others) == 1:
            return id_[-length:]
    return id_


def _about(places: list[Place]) -> str:
    to = ", ".join(place.recipient for place in places)
    try:
        subject = printable(places[0].load().subject)
    except (Malformed, OSError):
        subject = ""
    return shorten(f"{places[0].outbox.owner} → {to} {subject}".strip(), _ABOUT)
