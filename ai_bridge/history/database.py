"""A database that is only a cache: it is rebuilt if it is missing, damaged or of another version.

If the disk refuses it, each process keeps a database of its own in memory, for as long as the process lives.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TypeVar
from urllib.parse import quote

from ai_bridge.system import durable, state_files
from ai_bridge.system.locks import Lock

# Seconds to wait for another writer, and seconds that SQLite waits while others use the file.
_PATIENCE_S = 2.0
_BUSY_S = 30.0
# Bytes. Large pages make a large text index a tenth faster to build. So does a long log (in pages), because most
# pages are written many times.
_PAGE = 16384
_PRAGMAS = (
    *(f"page_size = {_PAGE}", "cache_size = -32768", "wal_autocheckpoint = 16000"),
    *("synchronous = NORMAL", "secure_delete = OFF"),
)
_ENDINGS = ("", "-wal", "-shm", "-journal")

# The errors of a damaged database: SQLite reports it, or returns values that nobody ever wrote into it.
_DAMAGE = (sqlite3.DatabaseError, ValueError, TypeError, AttributeError, LookupError)

Answer = TypeVar("Answer")

_in_memory: dict[tuple[int, str], sqlite3.Connection] = {}
_in_memory_guard = threading.Lock()


class Database:
    """An open database: its `connection`, and the lock that a writer must hold."""

    __slots__ = ("_lock", "connection")

    def __init__(self, connection: sqlite3.Connection, lock: str | None) -> None:
        """`lock` is the path of the lock; None if no other process knows the database."""
        self.connection = connection
        self._lock = None if lock is None else Lock(lock)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Hold the lock during a block; yields False, without the lock, if another kept it for `_PATIENCE_S` seconds.

        Raises `sqlite3.OperationalError` if the lock file cannot be opened.
        """
        if self._lock is None:
            yield True
            return
        try:
            held = self._lock.acquire("index", patience_s=_PATIENCE_S)
        except OSError as error:
            raise sqlite3.OperationalError(str(error)) from error
        with self._lock:
            yield held


class Cache:
    """The database at `path`, with its `schema` (SQL) and `version`; a writer holds the lock at the path `lock`."""

    __slots__ = ("_lock", "_path", "_schema", "_version")

    def __init__(self, path: str, lock: str, schema: str, version: int) -> None:
        self._path = path
        self._lock = lock
        self._schema = f"BEGIN; {schema}; PRAGMA user_version = {version}; COMMIT;"
        self._version = version

    def ask(self, question: Callable[[Database], Answer]) -> Answer:
        """Return the answer to `question`; if anything is wrong with the database, ask a rebuilt one again.

        It may replace the database on the disk, under its lock. It raises what the question raises, but no
        `sqlite3.DatabaseError` that a new database, or one in memory, avoids.
        """
        if self._mine in _in_memory:
            return self._asked_in_memory(question)
        with suppress(*_DAMAGE):
            return self._asked(question)
        try:
            is_new = self._make_again()
            with suppress(*_DAMAGE):
                return self._asked(question)
        except (OSError, sqlite3.DatabaseError):
            is_new = True
        return self._asked_in_memory(question) if is_new else self._asked_in_vain(question)

    def _asked(self, question: Callable[[Database], Answer]) -> Answer:
        with self._opened() as connection:
            self._check(connection)
            return question(Database(connection, self._lock))

    def _check(self, connection: sqlite3.Connection) -> None:
        """Raise `sqlite3.DatabaseError` for another version, or a truncated last page, which SQLite does not see."""
        found = self._identity()
        if connection.execute("PRAGMA user_version").fetchone() != (self._version,) or not found or found[1] % _PAGE:
            raise sqlite3.DatabaseError(f"{self._path} is not a database of version {self._version}")

    def _asked_in_memory(self, question: Callable[[Database], Answer]) -> Answer:
        with _in_memory_guard:
            if self._mine not in _in_memory:
                _in_memory[self._mine] = self._empty()
            return question(Database(_in_memory[self._mine], None))

    @property
    def _mine(self) -> tuple[int, str]:
        return os.getpid(), self._path

    def _asked_in_vain(self, question: Callable[[Database], Answer]) -> Answer:
        """Ask an empty database, while another process rebuilds the real one."""
        with closing(self._empty()) as connection:
            return question(Database(connection, self._lock))

    def _empty(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.executescript(self._schema)
        return connection

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the database, which must exist, during a block."""
        address = f"file:{quote(self._path)}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_S)) as connection:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            yield connection

    def _make_again(self) -> bool:
        """Replace this database with an empty one; False if another process is at work on it.

        If another process replaced it while this one waited for the lock, the new database stays.
        """
        bad, lock = self._identity(), Lock(self._lock)
        with lock:
            if not lock.acquire("index", patience_s=_PATIENCE_S):
                return False
            if self._identity() == bad:
                for ending in _ENDINGS:
                    durable.remove(self._path + ending)
                os.close(durable.open_own(self._path))
                with self._opened() as connection:
                    connection.execute("PRAGMA journal_mode = WAL")
                    connection.executescript(self._schema)
        return True

    def _identity(self) -> state_files.Mark | None:
        try:
            return state_files.mark(self._path)
        except OSError:
            return None
