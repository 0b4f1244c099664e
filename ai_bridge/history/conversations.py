"""Conversations: the threads of past mail, with who takes part, how many messages there are, and how many are unread.

The index keeps the newest message of each thread, so the newest conversations are found without a look at all mail.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from contextlib import suppress
from functools import partial
from itertools import groupby
from operator import itemgetter

from ai_bridge.errors import Malformed, NoSuchMessage
from ai_bridge.history.entry import Row, locate, number_of_thread, parts_of_name, slot
from ai_bridge.history.indexer import COLUMNS, Index, ask
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import project_of
from ai_bridge.message.message import Message
from ai_bridge.system import times

_NEWEST_FIRST = "SELECT thread, last FROM threads WHERE last < ? ORDER BY last DESC"
_LAST = "SELECT last FROM threads WHERE thread = ?"
_FILES_BETWEEN = """
SELECT last, thread, outbox, name FROM (
    SELECT thread, last FROM threads WHERE last > ? AND last < ? ORDER BY last LIMIT 1000)
JOIN messages USING (thread) WHERE name NOT NULL ORDER BY last
"""
_OF_THREAD = f"SELECT {COLUMNS} FROM messages WHERE thread = ? AND name NOT NULL ORDER BY rowid"
_BEGINNING = -(1 << 63)
_END = (1 << 63) - 1
# If a conversation has more files than this, to list what is unread is less work than to look for each of them.
_MANY = 2000


class Conversation:
    """One thread of messages.

    `id`: the thread's ID. `subject`: that of its oldest message. `agents`: the addresses that wrote or got mail in
    it, in that order. `count`: its messages; one to several agents counts once. `unread`: its copies that are unread.
    `last`: a place of the newest message. `message`: that message, None if it cannot be read. `at_s`: when it was
    composed, in seconds since the epoch; 0.0 if its name does not say so.
    """

    __slots__ = ("agents", "at_s", "count", "id", "last", "message", "subject", "unread")

    def __init__(
        self,
        id: str,
        subject: str,
        agents: list[str],
        count: int,
        unread: int,
        last: Place,
        message: Message | None,
    ) -> None:
        self.id = id
        self.subject = subject
        self.agents = agents
        self.count = count
        self.unread = unread
        self.last = last
        self.message = message
        self.at_s = _at_s(last)


def newest(mailboxes: Tree, project: str = "", limit: int = 20, before: str | None = None) -> list[Conversation]:
    """Return the conversations whose last message is newest, the newest last; brings the index up to date first.

    `project`: only those with an agent of this project; '' for all. `before`: only those older than this thread.
    Raises `NotMailboxes`, or `NoSuchMessage` if `before` is no thread.
    """
    return ask(mailboxes, lambda index: _newest(index, project, limit, before))


def ended_before(
    mailboxes: Tree, seconds: float, without: Collection[int] = frozenset()
) -> Iterator[list[tuple[str, str]]]:
    """Yield the files of each thread whose last message was composed before `seconds` since the epoch, oldest first.

    A file is the owner of its outbox and its name. Rejected mail is in no thread, nor mail without a proper name. The
    index is brought up to date first, and again for each thousand threads. The threads with the numbers in `without`
    are left out.
    """
    after, bound = _BEGINNING, slot(times.format_stamp(int(seconds * 1e9)))
    while rows := ask(mailboxes, partial(_files_between, after=after, bound=bound)):
        for last, files in groupby(rows, itemgetter(0)):
            after = last
            found = list(files)
            if found[0][1] not in without:
                yield [(owner, name) for _, _, owner, name in found]


def _files_between(index: Index, after: int, bound: int) -> list[tuple[int, int, str, str]]:
    return index.connection.execute(_FILES_BETWEEN, (after, bound)).fetchall()


def _newest(index: Index, project: str, limit: int, before: str | None) -> list[Conversation]:
    found: list[Conversation] = []
    for thread, _ in index.connection.execute(_NEWEST_FIRST, (_bound(index, before),)):
        if len(found) >= limit:
            break
        rows = _rows(index, thread)
        if project and not any(_is_of_project(row, project) for row in rows):
            continue
        if one := _conversation(index, rows):
            found.append(one)
    return found[::-1]


def _bound(index: Index, before: str | None) -> int:
    """Return the row below which the last messages are wanted."""
    if before is None:
        return _END
    last = index.connection.execute(_LAST, (number_of_thread(before),)).fetchone()
    if last is None:
        raise NoSuchMessage(id=before, where=f" that begins a thread in {index.mailboxes.path}")
    return int(last[0])


def _rows(index: Index, thread: int) -> list[Row]:
    return list(map(Row._make, index.connection.execute(_OF_THREAD, (thread,))))


def _is_of_project(row: Row, project: str) -> bool:
    return project in (project_of(row.outbox), project_of(parts_of_name(row.name)[1]))


def _conversation(index: Index, rows: list[Row]) -> Conversation | None:
    """Return the conversation of these rows; None if none of its files is there any more."""
    last = next(_places(index, reversed(rows)), None)
    first = next(_places(index, rows), None)
    if last is None or first is None:
        return None
    message = _loaded(last)
    oldest = message if first.path == last.path else _loaded(first)
    named = [(row.outbox, *parts_of_name(row.name)) for row in rows]
    agents = dict.fromkeys(agent for sender, _, recipient in named for agent in (sender, recipient))
    count = len({(sender, id_) for sender, id_, _ in named})
    id_ = (message and message.thread) or last.id
    subject = oldest.subject if oldest else ""
    return Conversation(id_, subject, list(agents), count, _unread(index.mailboxes, rows), last, message)


def _places(index: Index, rows: Iterator[Row] | list[Row]) -> Iterator[Place]:
    """Yield the places of the files of these rows that are there."""
    for row in rows:
        outbox = index.mailboxes.outbox(row.outbox)
        if found := locate(outbox, row.name):
            yield Place(outbox, found[0], row.name, parts_of_name(row.name)[1])


def _loaded(place: Place) -> Message | None:
    with suppress(Malformed, OSError):
        return place.load()
    return None


def _unread(mailboxes: Tree, rows: list[Row]) -> int:
    """Return how many of these files are unread."""
    if len(rows) <= _MANY:
        return sum(os.path.lexists(mailboxes.outbox(row.outbox).file(UNREAD, row.name)) for row in rows)
    unread = {owner: set(mailboxes.outbox(owner).listed(UNREAD)) for owner in {row.outbox for row in rows}}
    return sum(row.name in unread[row.outbox] for row in rows)


def _at_s(place: Place) -> float:
    try:
        return times.parse_stamp(place.outbox.order(place.state, place.name)[0])
    except ValueError:
        return 0.0
