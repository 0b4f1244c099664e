"""What a session was told of: no message twice, by whatever means, and by whichever process tells.

It is remembered in the state directory under the session's key, for what is unread only. Whoever tells holds a lock
from the look at what is new until it is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ai_bridge import durable, reading
from ai_bridge.errors import Malformed
from ai_bridge.identity import digest
from ai_bridge.inbox import Waiting
from ai_bridge.locks import Lock
from ai_bridge.mailboxes import Mailboxes

# Whoever tells just now may tell of all this: it is not worth a client's waiting.
_PATIENCE_S = 0.2
# A hundred thousand unread messages.
_LIMIT = 16_000_000


class Claim:
    """The right to tell a session of the messages `news`; to be settled, told or not."""

    def __init__(self, told: Told, lock: Lock, news: list[Waiting], unread: list[Waiting]) -> None:
        self.news = news
        self._told = told
        self._lock = lock
        self._unread = unread
        self._before = told.known()

    def settle(self, told: bool) -> None:
        """Remember the messages if the session was told of them, and let others tell; the second time do nothing."""
        if not self._lock.held:
            return
        try:
            if told:
                self._told.remember(self._unread, self._before)
        finally:
            self._lock.release()


class Told:
    """What one session of `agent` was told; `key` is what stands for the session."""

    def __init__(self, mailboxes: Mailboxes, agent: str, key: str) -> None:
        self._of = (agent, key)
        self._lock_file = mailboxes.lock_file("told", agent)
        self._path = mailboxes.state_file("told", f"{agent}-{digest(key)[:16]}")
        self._read: tuple[object, set[str]] = (None, set())
        # What the disk did not take.
        self._unwritten: set[str] = set()
        self._mutex = threading.Lock()

    def is_of(self, agent: str, key: str) -> bool:
        """Tell whether this is of that session."""
        return self._of == (agent, key)

    def claim(self, look: Callable[[], list[Waiting]]) -> Claim | None:
        """Return the claim to tell of what `look` finds and is new; None where there is nothing, or another tells."""
        if not self.news(look()):
            return None
        lock = Lock(self._lock_file)
        if not lock.acquire("told", "", _PATIENCE_S):
            return None
        try:
            unread = look()  # another may have told, or read, meanwhile
            news = self.news(unread)
        except BaseException:
            lock.release()
            raise
        if not news:
            lock.release()
            return None
        return Claim(self, lock, news, unread)

    def news(self, unread: list[Waiting]) -> list[Waiting]:
        """Return those of the messages that the session was not told of."""
        known = self.known() if unread else set()
        return [one for one in unread if _mark(one) not in known]

    def remember(self, unread: list[Waiting], before: set[str]) -> None:
        """Note that the session knows of all these; of what was known `before`, forget all others."""
        with self._mutex:
            self._write({_mark(one) for one in unread} | (self.known() - before))

    def add(self, seen: list[Waiting]) -> None:
        """Note that the session knows of these, too: it was shown them."""
        with self._mutex:
            known = self.known()
            if new := {_mark(one) for one in seen} - known:
                self._write(known | new)

    def _write(self, marks: set[str]) -> None:
        """Note just these; where the disk refuses, only this process knows."""
        try:
            durable.make_directory(os.path.dirname(self._path))
            durable.replace_own(self._path, "\n".join(sorted(marks)).encode("utf-8", "surrogateescape"))
            self._unwritten = set()
        except OSError:
            self._unwritten = marks

    def known(self) -> set[str]:
        """Return what was noted of."""
        return self._written() | self._unwritten

    def _written(self) -> set[str]:
        """Return what the disk tells, read again only where it was written anew."""
        try:
            status = os.stat(self._path)
            mark = (status.st_ino, status.st_size, status.st_mtime_ns)
            if self._read[0] != mark:
                raw = reading.read_file(self._path, _LIMIT)
                self._read = (mark, set(raw.decode("utf-8", "surrogateescape").split("\n")))
        except (OSError, Malformed):
            return set()
        return self._read[1]


def _mark(one: Waiting) -> str:
    return f"{one.sender}/{one.name}"
