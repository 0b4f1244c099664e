"""A database that is only a cache: made anew where it is missing, damaged or of another version.

Where the disk refuses it, it is kept in memory: by each process for itself, and for as long as that lives.
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

# Seconds that a writer may be waited for, and that SQLite waits for what others do to the file.
_PATIENCE_S = 2.0
_BUSY_S = 30.0
# Bytes. Large pages make a large text index faster to build, by a tenth; and so does a long log (in pages), for most
# pages are written many times.
_PAGE = 16384
_PRAGMAS = (
    *(f"page_size = {_PAGE}", "cache_size = -32768", "wal_autocheckpoint = 16000"),
    *("synchronous = NORMAL", "secure_delete = OFF"),
)
_ENDINGS = ("", "-wal", "-shm", "-journal")

# What a damaged database is met by: SQLite says so, or gives what nobody ever wrote into it.
_DAMAGE = (sqlite3.DatabaseError, ValueError, TypeError, AttributeError, LookupError)

Answer = TypeVar("Answer")

_in_memory: dict[tuple[int, str], sqlite3.Connection] = {}
_in_memory_guard = threading.Lock()


class Database:
    """An open database: its `connection`, and the lock that whoever writes to it holds."""

    __slots__ = ("_lock", "connection")

    def __init__(self, connection: sqlite3.Connection, lock: str | None) -> None:
        """`lock` is the path of the lock; None where nobody else knows of the database."""
        self.connection = connection
        self._lock = None if lock is None else Lock(lock)

    @contextmanager
    def alone(self) -> Iterator[bool]:
        """Hold the lock for the length of a block; gives False where another kept it for `_PATIENCE_S` seconds."""
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
    """The database at `path`, of a `schema` (SQL) with a `version`; whoever writes to it holds the lock at `lock`."""

    __slots__ = ("_lock", "_path", "_schema", "_version")

    def __init__(self, path: str, lock: str, schema: str, version: int) -> None:
        self._path = path
        self._lock = lock
        self._schema = f"BEGIN; {schema}; PRAGMA user_version = {version}; COMMIT;"
        self._version = version

    def ask(self, question: Callable[[Database], Answer]) -> Answer:
        """Return the answer to `question`; where anything is wrong with the database, of one made anew.

        Raises what the question raises, but no `sqlite3.DatabaseError` that a new database, or one in memory, mends.
        """
        if self._mine in _in_memory:
            return self._asked_in_memory(question)
        with suppress(*_DAMAGE):
            return self._asked(question)
        try:
            is_anew = self._make_anew()
            with suppress(*_DAMAGE):
                return self._asked(question)
        except (OSError, sqlite3.DatabaseError):
            is_anew = True
        return self._asked_in_memory(question) if is_anew else self._asked_in_vain(question)

    def _asked(self, question: Callable[[Database], Answer]) -> Answer:
        with self._opened() as connection:
            self._check(connection)
            return question(Database(connection, self._lock))

    def _check(self, connection: sqlite3.Connection) -> None:
        """Raise `sqlite3.DatabaseError` for another version, or a last page cut short, which SQLite does not see."""
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
        """Ask a database that holds nothing, while another process makes the real one anew."""
        with closing(self._empty()) as connection:
            return question(Database(connection, self._lock))

    def _empty(self) -> sqlite3.Connection:
        connection = sqlite3.connect(":memory:", check_same_thread=False)
        connection.executescript(self._schema)
        return connection

    @contextmanager
    def _opened(self) -> Iterator[sqlite3.Connection]:
        """Open the database, which must be there, for the length of a block."""
        address = f"file:{quote(self._path)}?mode=rw"
        with closing(sqlite3.connect(address, uri=True, timeout=_BUSY_S)) as connection:
            for pragma in _PRAGMAS:
                connection.execute(f"PRAGMA {pragma}")
            yield connection

    def _make_anew(self) -> bool:
        """Put an empty database in the place of this one; False where another process is at work on it.

        Whoever waited for another that was faster leaves the new one alone.
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
