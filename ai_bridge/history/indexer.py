"""Keeps the index up to date with the outboxes: it reads new files, and writes their words to the database.

A directory is listed again if its time has changed, and only files with new names are read. So a message that moves
to the archive is not read again. The numbers of rows
follow the times of their messages, so a query walks back from the newest and stops when it has enough.
"""

from __future__ import annotations

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import TypeVar

from ai_bridge.history.database import Cache, Database
from ai_bridge.history.entry import STATES, Row, Text, locate, nanoseconds, parts_of_name, read, slot
from ai_bridge.mailboxes.outbox import ARCHIVED, DIRECTORIES, REASON, Outbox
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.states import month_of
from ai_bridge.mailboxes.tree import Tree

Answer = TypeVar("Answer")

FILE = "index.sqlite3"
# The states of messages that are not archived.
_LIVE = tuple(state for state in STATES if state != ARCHIVED)
# Raise it with every change to what is written to the database.
VERSION = 3
# A row without a name is of a file that went away. Its words cannot be taken out of a table without content, so its
# number is never given to another file. New words are merged with older ones at the end of a refresh.
SCHEMA = """
CREATE TABLE messages (
    rowid INTEGER PRIMARY KEY, outbox TEXT, name TEXT, size INTEGER, written INTEGER, thread INTEGER, tail TEXT);
CREATE UNIQUE INDEX names ON messages (outbox, name);
CREATE INDEX of_threads ON messages (thread);
CREATE INDEX tails ON messages (tail);
CREATE TABLE threads (thread INTEGER PRIMARY KEY, last INTEGER);
CREATE INDEX newest ON threads (last);
CREATE TABLE unsettled (rowid INTEGER PRIMARY KEY);
CREATE TABLE directories (path TEXT PRIMARY KEY, written INTEGER) WITHOUT ROWID;
CREATE VIRTUAL TABLE texts USING fts5(
    subject, body, keys, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');
INSERT INTO texts (texts, rank) VALUES
    ('pgsz', 16000), ('hashsize', 64000000), ('automerge', 0), ('crisismerge', 1000)
"""
COLUMNS = "messages.rowid, outbox, name, size, written"
_UNSETTLED = f"SELECT {COLUMNS} FROM unsettled JOIN messages USING (rowid)"
_NAMES = "SELECT name FROM messages WHERE outbox = ?"
# `last` is the row of a thread's newest message.
_GROW = """
INSERT INTO threads VALUES (?, ?) ON CONFLICT (thread) DO UPDATE SET last = max(last, excluded.last)
"""
_THREAD = "SELECT thread FROM messages WHERE rowid = ?"
_CLEAR = "UPDATE messages SET outbox = NULL, name = NULL, thread = NULL, tail = NULL WHERE rowid = ?"
_SHRINK = "UPDATE threads SET last = (SELECT max(rowid) FROM messages WHERE thread = threads.thread) WHERE thread = ?"
_NEXT_FREE = """
SELECT rowid + 1 FROM messages AS taken WHERE rowid >= ?
AND NOT EXISTS (SELECT 1 FROM messages WHERE rowid = taken.rowid + 1) ORDER BY rowid LIMIT 1
"""
# The number is the most pages that one step writes. One step for each so many new messages keeps up with them.
_MERGE = "INSERT INTO texts (texts, rank) VALUES ('merge', 100)"
_MESSAGES_A_STEP = 1000
# Nanoseconds: a file that changed so recently may change again without showing another time.
_SETTLE_NS = 2_000_000_000
# Characters that are written to the database at once, and those that a file counts besides its body. Each write
# touches most pages of `messages`, so few writes are better.
_BATCH = 32_000_000
_LEAST = 500


def ask(mailboxes: Tree, question: Callable[[Index], Answer]) -> Answer:
    """Return the answer of the index of these mailboxes, brought up to date; raises `NotMailboxes`.

    It writes to the database, and replaces one that is damaged or of another version.
    """

    def asked(database: Database) -> Answer:
        index = Index(mailboxes, database)
        index.refresh()
        return question(index)

    mailboxes = Snapshot.of(mailboxes).check()
    path, lock = mailboxes.state_file(FILE), mailboxes.state_file("locks", "index.lock")
    return Cache(path, lock, SCHEMA, VERSION).ask(asked)


class Index:
    """An open index; `complete` says whether it is up to date."""

    __slots__ = ("_database", "complete", "connection", "mailboxes")

    def __init__(self, mailboxes: Tree, database: Database) -> None:
        self.mailboxes = mailboxes
        self.complete = False
        self.connection = database.connection
        self._database = database

    def free(self, wanted: int) -> int:
        """Return the first number from `wanted` on that no row has."""
        if self.connection.execute("SELECT 1 FROM messages WHERE rowid = ?", (wanted,)).fetchone() is None:
            return wanted
        return int(self.connection.execute(_NEXT_FREE, (wanted,)).fetchone()[0])

    def forget(self, rows: list[Row]) -> bool:
        """Forget files that are gone or altered, so that `refresh` looks for them; False if others are at work.

        It takes the database's lock and changes `complete`.
        """
        with self._database.alone() as self.complete:
            if self.complete:
                self._forget(rows)
        return self.complete

    def refresh(self) -> None:
        """Read files that are new since the last time; afterwards `complete` is False if another process is doing so.

        If anything changed, it takes the database's lock and writes to the database.
        """
        quiet_ns, seen = time.time_ns() - _SETTLE_NS, self._seen()
        self.complete = True
        if self._changed(seen) or self.connection.execute("SELECT 1 FROM unsettled").fetchone():
            with self._database.alone() as self.complete:
                if self.complete:
                    self._look_again(quiet_ns)
                    self._take_in(seen, quiet_ns)

    def _seen(self) -> dict[str, int]:
        """Return the time of change of each directory of messages, in nanoseconds, by `owner/state`.

        Each month of archived messages counts for itself: `owner/archived/YYYY-MM`.
        """
        seen = {}
        for outbox in self.mailboxes.outboxes():
            for part, directory in _directories(outbox):
                with suppress(OSError):
                    seen[f"{outbox.owner}/{part}"] = nanoseconds(os.stat(directory))
        return seen

    def _changed(self, seen: dict[str, int]) -> set[str]:
        known = dict(self.connection.execute("SELECT path, written FROM directories"))
        return {path for path, _ in seen.items() ^ known.items()}

    def _look_again(self, quiet_ns: int) -> None:
        """Forget files altered soon after they were read; stop checking those last written before `quiet_ns`."""
        settled, altered = [], []
        for row in map(Row._make, self.connection.execute(_UNSETTLED).fetchall()):
            found = locate(self.mailboxes.outbox(row.outbox), row.name)
            if found is None or not row.is_of(found[1]):
                altered.append(row)
            elif row.written < quiet_ns:
                settled.append((row.rowid,))
        with self.connection:
            self.connection.executemany("DELETE FROM unsettled WHERE rowid = ?", settled)
        self._forget(altered)

    def _forget(self, rows: list[Row]) -> None:
        numbers = [(row.rowid,) for row in rows]
        paths = {(f"{row.outbox}/{part}",) for row in rows for part in (*_LIVE, f"{ARCHIVED}/{month_of(row.name)}")}
        with self.connection as connection:
            threads = {thread for number in numbers for thread in connection.execute(_THREAD, number)}
            connection.executemany(_CLEAR, numbers)
            connection.executemany(_SHRINK, threads)
            connection.execute("DELETE FROM threads WHERE last IS NULL")
            connection.executemany("DELETE FROM unsettled WHERE rowid = ?", numbers)
            connection.executemany("DELETE FROM directories WHERE path = ?", paths)

    def _take_in(self, seen: dict[str, int], quiet_ns: int) -> None:
        """Read new files in changed directories; a directory unchanged since `quiet_ns` is not listed next time."""
        changed = self._changed(seen)
        texts, listed, size, taken = list[Text](), dict[str, int | None](), 0, 0
        for owner in sorted({path.partition("/")[0] for path in changed}):
            parts = {path.partition("/")[2]: path for path in changed if path.partition("/")[0] == owner}
            paths = {part: parts[part] for part in sorted(parts, key=_in_order)}
            for text in self._new(self.mailboxes.outbox(owner), paths, seen):
                texts.append(text)
                taken += 1
                size += len(text.words[1]) + _LEAST
                if size >= _BATCH:
                    self._write(texts, listed, quiet_ns)
                    texts, listed, size = [], {}, 0
            listed |= {path: seen.get(path) for path in paths.values()}
        self._write(texts, listed, quiet_ns)
        self._merge(1 + taken // _MESSAGES_A_STEP)

    def _merge(self, steps: int) -> None:
        """Merge new words with older ones, to make queries faster: at most `steps` steps, fewer if all is done."""
        for _ in range(steps):
            before = self.connection.total_changes
            with self.connection:
                self.connection.execute(_MERGE)
            if self.connection.total_changes - before < 2:  # by the documentation of FTS5, nothing was left to do
                break

    def _new(self, outbox: Outbox, paths: dict[str, str], seen: dict[str, int]) -> Iterator[Text]:
        """Read the files with new names; a directory with a file that cannot be read is taken out of `seen`."""
        known = {name for (name,) in self.connection.execute(_NAMES, (outbox.owner,))}
        for part, path in paths.items():
            state, _, month = part.partition("/")
            try:
                names = _archived(outbox, month) if month else outbox.unordered(state)
            except OSError:
                seen.pop(path, None)
                continue
            for name in names:
                if name not in known and (meaning := parts_of_name(name))[0]:
                    known.add(name)
                    if text := read(outbox, state, name, *meaning):
                        yield text
                    else:
                        seen.pop(path, None)

    def _write(self, texts: list[Text], listed: dict[str, int | None], quiet_ns: int) -> None:
        """Write the texts to the database, and the times of change of directories that were read completely."""
        texts.sort()
        try:
            self._insert(_numbered(texts, int), listed, quiet_ns)
        except sqlite3.IntegrityError:  # a number is taken; asking for each of them first would take longer
            self._insert(_numbered(texts, self.free), listed, quiet_ns)

    def _insert(self, rows: list[tuple[int, Text]], listed: dict[str, int | None], quiet_ns: int) -> None:
        words = ((number, *text.words) for number, text in rows)
        files = ((number, text.outbox, text.name, text.size, text.written, *text[-2:]) for number, text in rows)
        grown = {text.thread: number for number, text in rows}
        unsettled = ((number,) for number, text in rows if text.written >= quiet_ns)
        quiet = ((path, changed) for path, changed in listed.items() if changed and changed < quiet_ns)
        with self.connection as connection:
            connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?, ?, ?)", files)
            connection.executemany(_GROW, grown.items())
            connection.executemany("INSERT INTO texts (rowid, subject, body, keys) VALUES (?, ?, ?, ?)", words)
            connection.executemany("INSERT INTO unsettled VALUES (?)", unsettled)
            connection.executemany("DELETE FROM directories WHERE path = ?", ((path,) for path in listed))
            connection.executemany("INSERT INTO directories VALUES (?, ?)", quiet)


def _directories(outbox: Outbox) -> Iterator[tuple[str, str]]:
    """Yield each directory of messages that is there: its state, with the month if it has one, and its path."""
    for state in _LIVE:
        yield state, f"{outbox.path}/{DIRECTORIES[state]}"
    if not os.path.isdir(f"{outbox.path}/{DIRECTORIES[ARCHIVED]}"):
        return
    with suppress(OSError):
        for month in outbox.months():
            yield f"{ARCHIVED}/{os.path.basename(month)}", month


def _in_order(part: str) -> tuple[int, str]:
    """Return the key by which directories are listed: in the order of the moves."""
    return STATES.index(part.partition("/")[0]), part


def _archived(outbox: Outbox, month: str) -> list[str]:
    """Return the files of a month that are no malformed ones; raises OSError."""
    names = set(os.listdir(os.path.join(outbox.directory(ARCHIVED), month)))
    return [name for name in names if f"{name}{REASON}" not in names and month_of(name) == month]


def _numbered(texts: list[Text], free: Callable[[int], int]) -> list[tuple[int, Text]]:
    """Give each of the sorted texts the number of its time, or the next higher one that `free` allows."""
    rows, last = [], slot("0") - 1
    for text in texts:
        last = free(max(slot(text.stamp), last + 1))
        rows.append((last, text))
    return rows
