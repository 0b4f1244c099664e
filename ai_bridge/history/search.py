"""Finds mail of all agents by participant, thread and words, through an index; every result is a file that exists.

The index (`indexer`) names the files that may match. Each is then looked for, and one that is gone or altered is read
again before the answer is given. A search by new words may miss a file that was altered long after it was read, if no
search has met it since.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from heapq import heappop, heappush

from ai_bridge.agents.resolve import resolve_writer
from ai_bridge.errors import Malformed
from ai_bridge.history.entry import TAIL, Row, key, locate, parts_of_name, slot
from ai_bridge.history.indexer import COLUMNS, Index, ask
from ai_bridge.history.query import Query
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import project_of

_ALL = f"SELECT {COLUMNS} FROM messages WHERE rowid < ? AND rowid >= ? AND name NOT NULL ORDER BY rowid DESC"
_MATCHING = f"""
SELECT {COLUMNS} FROM texts CROSS JOIN messages ON messages.rowid = texts.rowid
WHERE texts MATCH ? AND texts.rowid < ? AND texts.rowid >= ? AND name NOT NULL ORDER BY texts.rowid DESC
"""
_ENDING = f"SELECT {COLUMNS} FROM messages WHERE tail = ? AND name NOT NULL ORDER BY rowid"
_NEWEST = (1 << 63) - 1
_OLDEST = -(1 << 63)
# One term of a search: a phrase in quotation marks, or anything without a blank; a `*` may end it.
TERM = re.compile(r'"[^"]*"\*?|\S+')
# The most times that files which change during a search are read again.
_ROUNDS = 3

Order = tuple[str, str]
# A message: the owner of its outbox, and its ID.
Key = tuple[str, str]


class Found:
    """The `places` found, newest last, one per file; whether `more` are older; whether the answer is `complete`.

    It is not complete while another process is still building the index: there may be others.
    """

    __slots__ = ("complete", "more", "places")

    def __init__(self, places: list[Place], more: bool, complete: bool) -> None:
        self.places = places
        self.more = more
        self.complete = complete


def find(mailboxes: Tree, query: Query) -> Found:
    """Return the newest messages that match a query, never rejected ones; brings the index up to date first.

    Raises `NotMailboxes`, or `NoSuchMessage` if `before` names no message.
    """
    return ask(mailboxes, lambda index: _find(index, query))


def find_as_asked(mailboxes: Tree, query: Query) -> Found:
    """Return what `find` does, for a query as somebody wrote it: refuses names that mean nothing.

    Replaces `query.peer`, which may be any name of an agent, by the agent's address. Raises what `resolve_writer` and
    `find` do, and `NoSuchMessage` if `query.thread` is no message.
    """
    if query.peer is not None:
        query.peer = resolve_writer(mailboxes, query.peer, query.agent or "")
    found = find(mailboxes, query)
    if query.thread is not None and not found.places:
        trace.find(mailboxes, query.thread)  # raises if there is no such message
    return found


def thread(mailboxes: Tree, id_: str) -> tuple[list[Place], bool]:
    """Return all messages of the thread to which the message belongs, oldest first, and whether these are all.

    The list is empty if there is no such message. It may lack some while another process is still building the index.
    """
    return ask(mailboxes, lambda index: (_walk(index, _of(index, id_)).places(), index.complete))


def openings(mailboxes: Tree) -> list[Place]:
    """Return every message that opens a decision (header Decide: majority, unanimous), newest last."""
    return ask(mailboxes, lambda index: _walk(index, f'keys : "{key("decide")}"').places())


def by_suffix(mailboxes: Tree, suffix: str) -> list[Place]:
    """Return the places of all messages whose ID ends in `suffix`, oldest first; [] if it has less than 3 characters.

    Rejected mail is not found, nor mail without a proper name. It may lack some while another process is still
    building the index.
    """
    if len(suffix) < TAIL or not suffix.isascii():  # the characters of an ID are ASCII
        return []
    return ask(mailboxes, lambda index: _ending_in(index, suffix))


def _ending_in(index: Index, suffix: str) -> list[Place]:
    places = []
    for row in map(Row._make, index.connection.execute(_ENDING, (suffix[-TAIL:],)).fetchall()):
        id_, recipient = parts_of_name(row.name)
        outbox = index.mailboxes.outbox(row.outbox)
        if id_.endswith(suffix) and (found := locate(outbox, row.name)):
            places.append(Place(outbox, found[0], row.name, recipient))
    return places


def _find(index: Index, query: Query) -> Found:
    expression = _expression(index, query)
    older_than = None if query.before is None else (_order_of(index, query.before), query.before)
    walk = _walk(index, expression, max(0, query.limit), older_than, query.project, query.since)
    return Found(walk.places(), walk.has_more, index.complete)


# --- what is asked, in the language of FTS5 -------------------------------------------------------------


def _expression(index: Index, query: Query) -> str | None:
    """Return the FTS5 expression of a query, None if it asks for all messages."""
    parts = [_with(query.agent, query.peer), "" if query.thread is None else _of(index, query.thread)]
    parts.append(_holding(query.words))
    return " AND ".join(f"({part})" for part in parts if part) or None


def _with(agent: str | None, peer: str | None) -> str:
    if agent is None or peer is None:
        one = peer if agent is None else agent
        return "" if one is None else f'keys : ("{key("from", one)}" OR "{key("to", one)}")'
    ways = (f'("{key("from", one)}" AND "{key("to", other)}")' for one, other in ((agent, peer), (peer, agent)))
    return f"keys : ({' OR '.join(ways)})"


def _of(index: Index, id_: str) -> str:
    """Return the expression for the thread to which the message belongs."""
    root = id_
    for place in _walk(index, f'keys : "{key("id", id_)}"').places():
        with suppress(OSError, Malformed):
            root = place.load().thread or id_
            break
    return f'keys : ("{key("id", root)}" OR "{key("thread", root)}")'


def _holding(words: str) -> str:
    """Return the expression for words of subject and body; each is quoted, so that none acts as an operator."""
    found = dict.fromkeys(map(_quoted, TERM.findall(words)))
    return f"{{subject body}} : ({' '.join(found)})" if found else ""


def _quoted(word: str) -> str:
    bare = word.rstrip("*")
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    text = bare.encode("utf-8", "replace").decode().replace('"', '""').replace("\0", " ")
    return f'"{text}" *' if word.endswith("*") else f'"{text}"'


# --- the walk through the rows --------------------------------------------------------------------------


class _Walk:
    """A walk through rows, from the highest number down; it collects files that exist, and rows that are out of date.

    The number of a row is that of its message's time, or a higher one if that was taken. So once the walk has reached
    the number of a file's time, no newer file can follow.
    """

    __slots__ = ("_ahead", "_found", "_limit", "_messages", "_project", "_settled", "_since", "altered")

    def __init__(self, limit: int | None, project: str, since: str) -> None:
        """`limit` counts messages: all files of a message (one per recipient) are taken, or none of them.

        If a `project` is given, only files from or to its agents are taken, and if `since`, those from that time on.
        """
        self._limit = limit
        self._project = project
        self._since = since
        self._found: list[tuple[Order, str, Place]] = []
        self._messages: set[Key] = set()
        self._ahead: list[tuple[int, Key]] = []
        self._settled: set[Key] = set()
        self.altered: list[Row] = []

    def meet(self, mailboxes: Tree, row: Row, older_than: tuple[Order, str] | None) -> None:
        """Look for the file of a row, and take it if it is older than the message of that order and ID."""
        outbox, (id_, recipient) = mailboxes.outbox(row.outbox), parts_of_name(row.name)
        if self._project and self._project not in (project_of(row.outbox), project_of(recipient)):
            return
        found = locate(outbox, row.name)
        if found is None or not row.is_of(found[1]):
            self.altered.append(row)
        if found is None:
            return
        order = outbox.order(found[0], row.name)
        if order[0] >= self._since and (older_than is None or (order < older_than[0] and id_ != older_than[1])):
            self._found.append((order, row.outbox, Place(outbox, found[0], row.name, recipient)))
            self._messages.add((row.outbox, id_))
            heappush(self._ahead, (-slot(order[0]), (row.outbox, id_)))

    def is_done(self, at: int) -> bool:
        """Tell whether, after the row numbered `at`, the newest are known and also that there are more."""
        while self._ahead and -self._ahead[0][0] >= at:
            self._settled.add(heappop(self._ahead)[1])
        return self._limit is not None and len(self._settled) >= self._limit and self.has_more

    @property
    def has_more(self) -> bool:
        """Whether more messages were met than are asked for."""
        return self._limit is not None and len(self._messages) > self._limit

    def places(self) -> list[Place]:
        """Return the places asked for, newest last."""
        found = [entry[-1] for entry in sorted(self._found, key=lambda entry: entry[:2])]
        if self._limit is None:
            return found
        newest = set(list(dict.fromkeys((place.outbox.owner, place.id) for place in reversed(found)))[: self._limit])
        return [place for place in found if (place.outbox.owner, place.id) in newest]


def _walk(
    index: Index,
    expression: str | None,
    limit: int | None = None,
    older_than: tuple[Order, str] | None = None,
    project: str = "",
    since: str = "",
) -> _Walk:
    """Walk until the newest `limit` messages are known, or all; walk again if files had to be read again."""
    for _ in range(_ROUNDS):
        walk = _Walk(limit, project, since)
        below = _NEWEST if older_than is None else index.free(slot(older_than[0][0]))
        with _rows(index, expression, below, slot(since) if since else _OLDEST) as rows:
            for row in rows:
                walk.meet(index.mailboxes, row, older_than)
                if walk.is_done(row.rowid):
                    break
        if not walk.altered or not index.forget(walk.altered):
            break
        index.refresh()
    return walk


@contextmanager
def _rows(index: Index, expression: str | None, below: int, least: int) -> Iterator[Iterator[Row]]:
    """Yield the rows that match an expression, or all, with numbers from `least` to less than `below`, backwards."""
    found = (_ALL, (below, least)) if expression is None else (_MATCHING, (expression, below, least))
    with closing(index.connection.execute(*found)) as cursor:
        yield map(Row._make, cursor)


def _order_of(index: Index, before: str) -> Order:
    """Return a message's place in the order, by its ID or a file's name; if it has several files, that of the last.

    Raises `NoSuchMessage`. A file that has no proper name yet is in no index, but is found in the outboxes.
    """
    walk = _walk(index, f'keys : ("{key("id", before)}" OR "{key("id", parts_of_name(before)[0])}")')
    places = [place for place in walk.places() if before in (place.id, place.name)]
    place = places[-1] if places else trace.find(index.mailboxes, before)[0]
    return place.outbox.order(place.state, place.name)
