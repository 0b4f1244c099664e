"""What the index keeps of each message file, and how it follows the outboxes.

A directory is listed again where its time has changed, and of the names found there only new ones are read. Rows have
numbers that follow the time of their messages, so a query walks from the newest back and stops when it has enough.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from ai_bridge import address, message, reading
from ai_bridge.cache import Database
from ai_bridge.errors import Malformed
from ai_bridge.handler import HANDLER
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.outbox import DIRECTORIES, DROPPED, PROCESSING, READ, UNREAD, Outbox, label

# To be raised with every change to what is written to the database.
VERSION = 1
# A row without a name is of a file that went away: its words cannot be taken out of a table without content, so its
# number is never given to another. New words are merged with older ones by each refresh a little, not all at once.
SCHEMA = """
CREATE TABLE messages (rowid INTEGER PRIMARY KEY, outbox TEXT, name TEXT, size INTEGER, written INTEGER);
CREATE UNIQUE INDEX names ON messages (outbox, name);
CREATE TABLE unsettled (rowid INTEGER PRIMARY KEY);
CREATE TABLE directories (path TEXT PRIMARY KEY, written INTEGER) WITHOUT ROWID;
CREATE VIRTUAL TABLE texts USING fts5(
    subject, body, keys, content='', columnsize=0, tokenize='unicode61 remove_diacritics 2');
INSERT INTO texts (texts, rank) VALUES
    ('pgsz', 16000), ('hashsize', 64000000), ('automerge', 0), ('crisismerge', 1000)
"""
COLUMNS = "messages.rowid, outbox, name, size, written"
_NAMES = "SELECT name FROM messages WHERE outbox = ?"
_UNSETTLED = f"SELECT {COLUMNS} FROM unsettled JOIN messages USING (rowid)"
_NEXT_FREE = """
SELECT rowid + 1 FROM messages AS taken WHERE rowid >= ?
AND NOT EXISTS (SELECT 1 FROM messages WHERE rowid = taken.rowid + 1) ORDER BY rowid LIMIT 1
"""
# The number is that of the pages merged at most: some 20 ms.
_MERGE = "INSERT INTO texts (texts, rank) VALUES ('merge', 256)"

# In the order of a message's way: what moves on while one looks is met again.
STATES = (DROPPED, PROCESSING, UNREAD, READ)
# Nanoseconds: what changed so short a time ago may change again and show no other time.
_SETTLE_NS = 2_000_000_000
# Characters that are written to the database at once, and what a file counts besides its body. Most pages of
# `messages` are touched each time, so it is better done seldom.
_BATCH = 32_000_000
_LEAST = 500
# Times in microseconds, moved so that those of our centuries fit into the 64 bits of a row's number.
_MIDDLE = 2 * 10**19
_FARTHEST = 9 * 10**18
_63_BITS = (1 << 63) - 1


class Row(NamedTuple):
    """What is kept of a file: whose `outbox` it is in, its `name`, its size, and its time of writing."""

    rowid: int
    outbox: str
    name: str
    size: int
    written: int

    def is_of(self, found: os.stat_result) -> bool:
        """Tell whether the file is as it was when it was read."""
        return (found.st_size, found.st_mtime_ns & _63_BITS) == (self.size, self.written)


class _Text(NamedTuple):
    """What is read of a file; sorted, these are in the order of the messages."""

    stamp: str
    name: str
    outbox: str
    size: int
    written: int
    words: tuple[str, str, str]


# --- a file ---------------------------------------------------------------------------------------------

# Many files are for few recipients.
_is_address = lru_cache(4096)(address.is_address)


def slot(stamp: str) -> int:
    """Return the number of a time (in the form of `message.stamp_of`): that of a later one is not lower."""
    return max(-_FARTHEST, min(int(stamp[:20].ljust(20, "0")) - _MIDDLE, _FARTHEST))


def told(name: str) -> tuple[str, str]:
    """Return the ID and the recipient a file's name tells, each '' where it does not tell both."""
    id_, recipient = label(name)
    recipient = recipient.partition("~")[0]
    return (id_, recipient) if id_ and name.endswith(".txt") and _is_address(recipient) else ("", "")


def key(kind: str, text: str = "") -> str:
    """Return the one word that stands for `from` or `to` an agent, an `id`, a `thread`, or what is to `decide`."""
    return kind[0] + text.encode("utf-8", "surrogatepass").hex()


def locate(outbox: Outbox, name: str) -> tuple[str, os.stat_result] | None:
    """Return the farthest state a file is in, with its stat; None where it is found in none."""
    for _ in range(2):  # what is released or restored moves backward, past whoever looks
        found = None
        for state in STATES:
            with suppress(OSError):
                found = state, os.lstat(outbox.file(state, name))
        if found:
            return found
    return None


def _read(outbox: Outbox, state: str, name: str, id_: str, recipient: str) -> _Text | None:
    """Read a file where it was listed, or wherever it is now; None where it is gone."""
    path = outbox.file(state, name)
    try:
        stat = os.lstat(path)
    except OSError:
        found = locate(outbox, name)
        return _read(outbox, found[0], name, id_, recipient) if found else None
    parsed = _parsed(path)
    keys = f"{key('from', outbox.owner)} {key('to', recipient)} {key('id', id_)}"
    if parsed.thread:
        keys += f" {key('thread', parsed.thread)}"
    if parsed.get("Decide") in ("majority", "unanimous"):
        keys += f" {key('decide')}"
    stamp = message.stamp_of(id_) or outbox.order(state, name)[0]
    words = (parsed.subject, parsed.body, keys)
    return _Text(stamp, name, outbox.owner, stat.st_size, stat.st_mtime_ns & _63_BITS, words)


def _parsed(path: str) -> message.Message:
    """Return the message at `path`; one without headers and body for what cannot be read, or is none."""
    try:
        block, body = HANDLER.split(reading.read_delivered(path).decode())
        return message.Message(HANDLER.load(block), body)
    except (OSError, Malformed, UnicodeDecodeError):
        return message.Message({}, "")


# --- the index ------------------------------------------------------------------------------------------


class Index:
    """An open index; `complete` tells whether it was brought up to date."""

    __slots__ = ("_database", "complete", "connection", "mailboxes")

    def __init__(self, mailboxes: Mailboxes, database: Database) -> None:
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
        """Forget files that are gone or altered, so that `refresh` looks for them; False where others are at work."""
        with self._database.alone() as alone:
            if alone:
                self._forget(rows)
            return alone

    def refresh(self) -> None:
        """Take in what came since the last time; `complete` is False where another process is at that."""
        quiet_ns, seen = time.time_ns() - _SETTLE_NS, self._seen()
        self.complete = True
        if self._changed(seen) or self.connection.execute("SELECT 1 FROM unsettled").fetchone():
            with self._database.alone() as self.complete:
                if self.complete:
                    self._look_again(quiet_ns)
                    self._take_in(seen, quiet_ns)

    def _seen(self) -> dict[str, int]:
        """Return when each directory of messages was last changed, in nanoseconds, by `owner/state`."""
        seen = {}
        for outbox in self.mailboxes.outboxes():
            for state in STATES:
                with suppress(OSError):
                    changed = os.stat(f"{outbox.path}/{DIRECTORIES[state]}").st_mtime_ns
                    seen[f"{outbox.owner}/{state}"] = changed & _63_BITS
        return seen

    def _changed(self, seen: dict[str, int]) -> set[str]:
        known = dict(self.connection.execute("SELECT path, written FROM directories"))
        return {path for path, _ in seen.items() ^ known.items()}

    def _look_again(self, quiet_ns: int) -> None:
        """Forget what was altered soon after it was read, and look no more at what was last written before then."""
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
        paths = {(f"{row.outbox}/{state}",) for row in rows for state in STATES}
        with self.connection as connection:
            connection.executemany("UPDATE messages SET outbox = NULL, name = NULL WHERE rowid = ?", numbers)
            connection.executemany("DELETE FROM unsettled WHERE rowid = ?", numbers)
            connection.executemany("DELETE FROM directories WHERE path = ?", paths)

    def _take_in(self, seen: dict[str, int], quiet_ns: int) -> None:
        """Read what is new where a directory changed; one unchanged since `quiet_ns` is not listed next time."""
        changed = self._changed(seen)
        texts, listed, size = list[_Text](), dict[str, int | None](), 0
        for owner in sorted({path.partition("/")[0] for path in changed}):
            paths = {state: path for state in STATES if (path := f"{owner}/{state}") in changed}
            for text in self._new(self.mailboxes.outbox(owner), paths, seen):
                texts.append(text)
                size += len(text.words[1]) + _LEAST
                if size >= _BATCH:
                    self._write(texts, listed, quiet_ns)
                    texts, listed, size = [], {}, 0
            listed |= {path: seen.get(path) for path in paths.values()}
        self._write(texts, listed, quiet_ns)
        with self.connection:
            self.connection.execute(_MERGE)

    def _new(self, outbox: Outbox, paths: dict[str, str], seen: dict[str, int]) -> Iterator[_Text]:
        """Read the files with new names; a directory that hides something is taken out of `seen`."""
        known = {name for (name,) in self.connection.execute(_NAMES, (outbox.owner,))}
        for state, path in paths.items():
            try:
                names = os.listdir(outbox.directory(state))
            except OSError:
                seen.pop(path, None)
                continue
            for name in names:
                if name not in known and (meaning := told(name))[0]:
                    known.add(name)
                    if text := _read(outbox, state, name, *meaning):
                        yield text
                    else:
                        seen.pop(path, None)

    def _write(self, texts: list[_Text], listed: dict[str, int | None], quiet_ns: int) -> None:
        """Write to the database what was read, and when the directories changed of which nothing is missing then."""
        texts.sort()
        rows = list(zip(self._numbers(texts), texts, strict=True))
        words = ((number, *text.words) for number, text in rows)
        files = ((number, text.outbox, text.name, text.size, text.written) for number, text in rows)
        unsettled = ((number,) for number, text in rows if text.written >= quiet_ns)
        quiet = ((path, changed) for path, changed in listed.items() if changed and changed < quiet_ns)
        with self.connection as connection:
            connection.executemany("INSERT INTO texts (rowid, subject, body, keys) VALUES (?, ?, ?, ?)", words)
            connection.executemany("INSERT INTO messages VALUES (?, ?, ?, ?, ?)", files)
            connection.executemany("INSERT INTO unsettled VALUES (?)", unsettled)
            connection.executemany("DELETE FROM directories WHERE path = ?", ((path,) for path in listed))
            connection.executemany("INSERT INTO directories VALUES (?, ?)", quiet)

    def _numbers(self, texts: list[_Text]) -> Iterator[int]:
        """Give each of the sorted texts the number of its time, or the next free one."""
        last = -_63_BITS
        for text in texts:
            last = self.free(max(slot(text.stamp), last + 1))
            yield last
