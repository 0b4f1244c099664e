"""The messages that a session was told of, so that no means and no process announces one to it twice.

The state directory keeps this under the session's key, for unread messages only. A process that announces mail holds
a lock from its look at what is new until the mail is announced.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ai_bridge.agents.session_keys import digest
from ai_bridge.errors import Malformed
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.system import state_files, untrusted
from ai_bridge.system.locks import Lock

# The process that holds the lock may announce all this mail, so a client need not wait longer.
_PATIENCE_S = 0.2
# Bytes, enough for some millions of unread messages.
_LIMIT = 1_000_000_000
_TOLD, _SHOWN = "told", "shown"

# For each message: when its file came there (a rename changes a file's ctime), and whether its body was shown.
_Memory = dict[str, tuple[int, str]]


class Ring:
    """The right to announce the messages `news` to a session. It holds a lock until `finish` is called."""

    def __init__(self, rings: Rings, lock: Lock, news: list[Waiting], unread: list[Waiting], showing: bool) -> None:
        self.news = news
        self._rings = rings
        self._lock = lock
        self._gone = rings.remembered().keys() - {_name(one) for one in unread}
        self._how = _SHOWN if showing else _TOLD

    def finish(self, told: bool) -> None:
        """Remember the messages if the session was told of them, and release the lock; a second call does nothing."""
        if not self._lock.held:
            return
        try:
            if told:
                self._rings.remember(self.news, self._how, self._gone)
        finally:
            self._lock.release()


class Rings:
    """The messages that one session of `agent` was told of; `key` identifies the session.

    `passing`: this process ends once it has announced the mail. If the disk refuses its notes, such a process
    announces nothing, because each process after it would announce the same mail again.
    """

    def __init__(self, mailboxes: Tree, agent: str, key: str, passing: bool = False) -> None:
        self._of = (agent, key)
        self._passing = passing
        self._lock_file = mailboxes.lock_file("told", agent)
        self._path = mailboxes.state_file("told", f"{agent}-{digest(key)[:16]}")
        self._read: tuple[object, _Memory] = (None, {})
        # Notes that the disk refused.
        self._unwritten: _Memory = {}
        self._mutex = threading.Lock()

    def forget(self) -> None:
        """Forget everything, on disk as well: the session begins again and remembers nothing."""
        with self._mutex:
            self._note({})

    def is_of(self, agent: str, key: str) -> bool:
        """Tell whether this is the memory of the session `key` of `agent`."""
        return self._of == (agent, key)

    def begin_ring(
        self,
        look: Callable[[], list[Waiting]],
        is_meant: Callable[[Waiting], bool] = lambda one: True,
        showing: bool = False,
    ) -> Ring | None:
        """Return the claim to announce the new messages, or to show them if `showing`.

        `look` returns all unread messages; only those for which `is_meant` is true count. The claim holds the lock of
        the agent until its `finish`. Returns None if nothing is new or if another process holds that lock.
        """
        if not self._news(look(), is_meant, showing):
            return None
        lock = Lock(self._lock_file)
        if not lock.acquire("told", "", _PATIENCE_S):
            return None
        try:
            unread = look()  # another process may have announced or read it meanwhile
            news = self._news(unread, is_meant, showing)
            if news and self._may_tell():
                return Ring(self, lock, news, unread, showing)
        except BaseException:
            lock.release()
            raise
        lock.release()
        return None

    def _news(self, unread: list[Waiting], is_meant: Callable[[Waiting], bool], showing: bool) -> list[Waiting]:
        known = self.remembered() if unread else {}
        return [one for one in unread if is_meant(one) and _is_new(one, known, showing)]

    def is_news(self, one: Waiting) -> bool:
        """Tell whether the message is new to the session."""
        return _is_new(one, self.remembered(), showing=False)

    def _may_tell(self) -> bool:
        """Tell whether the disk takes notes; only a process that is passing needs them there."""
        return not self._passing or self._is_written(self.remembered())

    # --- the memory -------------------------------------------------------------------------------------

    def remember(self, news: list[Waiting], how: str, gone: set[str]) -> None:
        """Note on disk that the session was told of `news` (`how`: told or shown), and forget the names in `gone`."""
        with self._mutex:
            kept = {name: noted for name, noted in self.remembered().items() if name not in gone}
            self._note(kept | {_name(one): (_came(one), how) for one in news})

    def add(self, seen: list[Waiting]) -> None:
        """Note on disk that the session was shown the messages `seen`, too."""
        with self._mutex:
            known = self.remembered()
            if new := {_name(one): (_came(one), _SHOWN) for one in seen if _is_new(one, known, showing=True)}:
                self._note(known | new)

    def _note(self, memory: _Memory) -> None:
        """Note exactly this memory; if the disk refuses it, only this process remembers."""
        self._unwritten = {} if self._is_written(memory) else memory

    def _is_written(self, memory: _Memory) -> bool:
        lines = [f"{name}\t{came}\t{how}" for name, (came, how) in sorted(memory.items())]
        try:
            state_files.remember(self._path, "\0".join(lines).encode("utf-8", "surrogateescape"), flush=False)
        except OSError:
            return False
        return True

    def remembered(self) -> _Memory:
        """Return all notes; the caller must not change them."""
        return self._written() | self._unwritten if self._unwritten else self._written()

    def _written(self) -> _Memory:
        """Return the notes on disk, read again only if the file was written since; {} if it cannot be read."""
        try:
            mark = state_files.mark(self._path)
            if self._read[0] != mark:
                self._read = (mark, _parsed(untrusted.read_file(self._path, _LIMIT)))
        except (OSError, Malformed):
            return {}
        return self._read[1]


def _parsed(raw: bytes) -> _Memory:
    """Return the notes in a file; a malformed entry is skipped."""
    found: _Memory = {}
    for line in raw.decode("utf-8", "surrogateescape").split("\0"):
        name, came, how = ["", "", *line.rsplit("\t", 2)][-3:]
        if name and came.isascii() and came.isdigit():
            found[name] = (int(came), how)
    return found


def _is_new(one: Waiting, known: _Memory, showing: bool) -> bool:
    """Tell whether the session does not know the message; a message that a person restored since is new again."""
    noted = known.get(_name(one))
    return noted is None or noted[0] != _came(one) or (showing and noted[1] != _SHOWN)


def _name(one: Waiting) -> str:
    return f"{one.sender}/{one.name}"


def _came(one: Waiting) -> int:
    """Return when the file came there, in nanoseconds since the epoch; 0 if the file is gone."""
    try:
        return os.lstat(one.path).st_ctime_ns
    except OSError:
        return 0
