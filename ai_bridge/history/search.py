"""All mail of all agents, found by who, thread and words: through an index, and only as files that are there.

The index (`indexing`) answers which files these may be; each is then looked for, and one that is gone or was altered
is taken in anew before the answer is given. Only a file altered long after it was read, and not met since, may be
missed by its new words.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from heapq import heappop, heappush
from typing import TypeVar

from ai_bridge.errors import Malformed
from ai_bridge.history.database import Cache, Database
from ai_bridge.history.entry import Row, key, locate, slot, told
from ai_bridge.history.indexer import COLUMNS, SCHEMA, VERSION, Index
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Mailboxes

_FILE = "index.sqlite3"
_ALL = f"SELECT {COLUMNS} FROM messages WHERE rowid < ? AND name NOT NULL ORDER BY rowid DESC"
_MATCHING = f"""
SELECT {COLUMNS} FROM texts CROSS JOIN messages ON messages.rowid = texts.rowid
WHERE texts MATCH ? AND texts.rowid < ? AND name NOT NULL ORDER BY texts.rowid DESC
"""
_NEWEST = (1 << 63) - 1
_WORD = re.compile(r'"[^"]*"\*?|\S+')
# How often files that change while they are looked at are taken in anew.
_ROUNDS = 3

Answer = TypeVar("Answer")
Order = tuple[str, str]
# A message: whose outbox it is in, and its ID.
Key = tuple[str, str]


class Query:
    """What is asked for; all that is given must hold.

    `agent`: mail from or to this agent. `peer`: of that, only mail with this one; without `agent`, all from or to it.
    `thread`: the ID of any message of a thread. `words`: what subject and body together hold: words, "phrases", and
    beginnings of words with a `*` at their end; nothing else has a meaning in it. What is no word, like a mark alone,
    is left out, and a query of nothing else finds nothing. `limit`: so many messages, the newest. `before`: only what
    is older than the message of this ID, or than the file of this name.
    """

    __slots__ = ("agent", "before", "limit", "peer", "thread", "words")

    def __init__(
        self,
        agent: str | None = None,
        peer: str | None = None,
        thread: str | None = None,
        words: str = "",
        limit: int = 20,
        before: str | None = None,
    ) -> None:
        self.agent = agent
        self.peer = peer
        self.thread = thread
        self.words = words
        self.limit = limit
        self.before = before


class Found:
    """The `places` found, newest last, a place for each file; whether `more` are older; whether all are `complete`.

    Incomplete: another process is still building the index, so there may be others.
    """

    __slots__ = ("complete", "more", "places")

    def __init__(self, places: list[Place], more: bool, complete: bool) -> None:
        self.places = places
        self.more = more
        self.complete = complete


def find(mailboxes: Mailboxes, query: Query) -> Found:
    """Return the newest messages that a query asks for, never rejected ones.

    Raises `NotMailboxes`, or `NoSuchMessage` where `before` names none.
    """
    return _ask(mailboxes, lambda index: _find(index, query))


def thread(mailboxes: Mailboxes, id_: str) -> tuple[list[Place], bool]:
    """Return all messages of the thread that the message is of, oldest first, and whether these are all.

    None where there is none; not all while another process is still building the index.
    """
    return _ask(mailboxes, lambda index: (_walk(index, _of(index, id_)).places(), index.complete))


def openings(mailboxes: Mailboxes) -> list[Place]:
    """Return every message that asks for a decision (header Decide: majority, unanimous), newest last."""
    return _ask(mailboxes, lambda index: _walk(index, f'keys : "{key("decide")}"').places())


def _ask(mailboxes: Mailboxes, question: Callable[[Index], Answer]) -> Answer:
    def asked(database: Database) -> Answer:
        index = Index(mailboxes, database)
        index.refresh()
        return question(index)

    path, lock = mailboxes.check().state_file(_FILE), mailboxes.state_file("locks", "index.lock")
    return Cache(path, lock, SCHEMA, VERSION).ask(asked)


def _find(index: Index, query: Query) -> Found:
    expression = _expression(index, query)
    older_than = None if query.before is None else (_order_of(index, query.before), query.before)
    walk = _walk(index, expression, max(0, query.limit), older_than)
    return Found(walk.places(), walk.has_more, index.complete)


# --- what is asked, in the language of FTS5 -------------------------------------------------------------


def _expression(index: Index, query: Query) -> str | None:
    """Return what the query asks for, or None where it asks for all."""
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
    """Return the expression for the thread that the message is of."""
    root = id_
    for place in _walk(index, f'keys : "{key("id", id_)}"').places():
        with suppress(OSError, Malformed):
            root = place.load().thread or id_
            break
    return f'keys : ("{key("id", root)}" OR "{key("thread", root)}")'


def _holding(words: str) -> str:
    """Return the expression for words of subject and body: each is a string, so that nothing in it acts."""
    found = dict.fromkeys(map(_quoted, _WORD.findall(words)))
    return f"{{subject body}} : ({' '.join(found)})" if found else ""


def _quoted(word: str) -> str:
    bare = word.rstrip("*")
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        bare = bare[1:-1]
    text = bare.encode("utf-8", "replace").decode().replace('"', '""').replace("\0", " ")
    return f'"{text}" *' if word.endswith("*") else f'"{text}"'


# --- the walk through the rows --------------------------------------------------------------------------


class _Walk:
    """What is met on a walk through rows from the highest number down: files that are there, and rows to be renewed.

    The number of a row is that of its message's time, or a higher one where that was taken. So nothing newer than a
    file can come any more once the walk is at the number of its time, or below it.
    """

    __slots__ = ("_ahead", "_found", "_limit", "_messages", "_settled", "altered")

    def __init__(self, limit: int | None) -> None:
        """`limit` counts messages: the files of one, a file for each recipient, are taken together or not at all."""
        self._limit = limit
        self._found: list[tuple[Order, str, Place]] = []
        self._messages: set[Key] = set()
        self._ahead: list[tuple[int, Key]] = []
        self._settled: set[Key] = set()
        self.altered: list[Row] = []

    def meet(self, mailboxes: Mailboxes, row: Row, older_than: tuple[Order, str] | None) -> None:
        """Look for the file of a row, and take it if it is older than the message of that order and ID."""
        outbox, (id_, recipient) = mailboxes.outbox(row.outbox), told(row.name)
        found = locate(outbox, row.name)
        if found is None or not row.is_of(found[1]):
            self.altered.append(row)
        if found is None:
            return
        order = outbox.order(found[0], row.name)
        if older_than is None or (order < older_than[0] and id_ != older_than[1]):
            self._found.append((order, row.outbox, Place(outbox, found[0], row.name, recipient)))
            self._messages.add((row.outbox, id_))
            heappush(self._ahead, (-slot(order[0]), (row.outbox, id_)))

    def is_done(self, at: int) -> bool:
        """Tell whether the newest are known, and that there are more, once the row of the number `at` was met."""
        while self._ahead and -self._ahead[0][0] >= at:
            self._settled.add(heappop(self._ahead)[1])
        return self._limit is not None and len(self._settled) >= self._limit and self.has_more

    @property
    def has_more(self) -> bool:
        """Whether older ones were met than are asked for."""
        return self._limit is not None and len(self._messages) > self._limit

    def places(self) -> list[Place]:
        """Return the places asked for, newest last."""
        found = [entry[-1] for entry in sorted(self._found, key=lambda entry: entry[:2])]
        if self._limit is None:
            return found
        newest = set(list(dict.fromkeys((place.outbox.owner, place.id) for place in reversed(found)))[: self._limit])
        return [place for place in found if (place.outbox.owner, place.id) in newest]


def _walk(
    index: Index, expression: str | None, limit: int | None = None, older_than: tuple[Order, str] | None = None
) -> _Walk:
    """Walk until the newest `limit` are known, or all; and again where what was met had to be taken in anew."""
    for _ in range(_ROUNDS):
        walk = _Walk(limit)
        below = _NEWEST if older_than is None else index.free(slot(older_than[0][0]))
        with _rows(index, expression, below) as rows:
            for row in rows:
                walk.meet(index.mailboxes, row, older_than)
                if walk.is_done(row.rowid):
                    break
        if not walk.altered or not index.forget(walk.altered):
            break
        index.refresh()
    return walk


@contextmanager
def _rows(index: Index, expression: str | None, below: int) -> Iterator[Iterator[Row]]:
    """Give the rows that match an expression, or all, with numbers less than `below`, the highest first."""
    found = (_ALL, (below,)) if expression is None else (_MATCHING, (expression, below))
    with closing(index.connection.execute(*found)) as cursor:
        yield map(Row._make, cursor)


def _order_of(index: Index, before: str) -> Order:
    """Return the place of a message in the order, by its ID or a file's name; of several files that of the last.

    Raises `NoSuchMessage`. What has no proper name yet is in no index, but found all the same.
    """
    walk = _walk(index, f'keys : ("{key("id", before)}" OR "{key("id", told(before)[0])}")')
    places = [place for place in walk.places() if before in (place.id, place.name)]
    place = places[-1] if places else trace.find(index.mailboxes, before)[0]
    return place.outbox.order(place.state, place.name)
