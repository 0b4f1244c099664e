"""The file that holds the memory of one session, and the lock under which a process changes it."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from ai_bridge.agents.session_keys import digest
from ai_bridge.errors import Malformed
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.memory import Memory, export, parse
from ai_bridge.system import state_files, untrusted
from ai_bridge.system.locks import Lock

DIRECTORY = "told"
# A process holds the lock only while it changes the file.
_PATIENCE_S = 2.0
# Bytes, enough for some millions of unread messages.
_LIMIT = 1_000_000_000
_DIGITS = 16


class MemoryFile:
    """The file of the session `key` of `agent`. If the disk refuses a change, only this process remembers it."""

    def __init__(self, mailboxes: Tree, agent: str, key: str) -> None:
        self._path = mailboxes.state_file(DIRECTORY, f"{agent}-{digest(key)[:_DIGITS]}")
        self._lock_file = mailboxes.lock_file(DIRECTORY, agent)
        self._read: tuple[object, Memory] = (None, Memory())
        self._unwritten: Memory | None = None
        self._mutex = threading.RLock()

    def load(self) -> Memory:
        """Return the memory, read again only if the file was written since; the caller must not change it."""
        if self._unwritten is not None:
            return self._unwritten
        try:
            mark = state_files.mark(self._path)
            if self._read[0] != mark:
                self._read = (mark, parse(untrusted.read_file(self._path, _LIMIT)))
        except (OSError, Malformed):
            return Memory()
        return self._read[1]

    def forget(self) -> None:
        """Forget what the disk refused."""
        self._unwritten = None

    @contextmanager
    def changing(self) -> Iterator[bool]:
        """Hold the lock; the value is False if another process holds it for two seconds."""
        lock = Lock(self._lock_file)
        with self._mutex:
            try:
                is_locked = lock.acquire(DIRECTORY, "", _PATIENCE_S)
            except OSError:  # no other process can note anything there, either
                is_locked = True
            try:
                yield is_locked
            finally:
                lock.release()

    def store(self, memory: Memory) -> bool:
        """Note exactly this memory; False if the disk refuses it."""
        try:
            state_files.remember(self._path, export(memory), flush=False)
        except OSError:
            self._unwritten = memory
            return False
        self._unwritten = None
        return True


def memory_of(mailboxes: Tree, agent: str, digest_: str) -> Memory:
    """Return the memory of the session whose key has that digest; an empty one if there is none."""
    path = mailboxes.state_file(DIRECTORY, f"{agent}-{digest_.strip('-')[:_DIGITS]}")
    return parse(state_files.recall(path, _LIMIT))


def memories(mailboxes: Tree, agent: str) -> list[Memory]:
    """Return the memories of all sessions that the agent has had, as far as they are still there."""
    folder = mailboxes.state_file(DIRECTORY)
    own = [name for name in untrusted.listed(folder) if name.rpartition("-")[0] == agent]
    return [parse(state_files.recall(os.path.join(folder, name), _LIMIT)) for name in own]
