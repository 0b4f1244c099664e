"""Remembers the messages that have arrived at their team, as its receipts say, in a file of lines.

The file is a cache and is never flushed. A forgotten message may be sent once more, and the other side recognizes it.
"""

import os
from contextlib import suppress

from ai_bridge.system import durable

# The file is written again once it has this many lines that no longer count.
_SPARE = 10_000
_GONE = "-"


def key_of(sender: str, name: str) -> str:
    """Return the key of a message: its file `name` in the outbox of `sender`."""
    return f"{sender}/{name}"


def load(path: str) -> set[str]:
    """Return the keys of the messages that have arrived, as the file at `path` has them; raises OSError."""
    found: set[str] = set()
    with suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
        for line in map(str.strip, file):
            if line.startswith(_GONE):
                found.discard(line[1:])
            else:
                found.add(line)
    return found


class Arrived:
    """The keys of the messages that have arrived and have not ended, in memory and in the file at `path`."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._keys = load(path)
        self._lines = 0
        durable.make_directory(os.path.dirname(path))
        self._rewrite()

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        """Note in the file that the message has arrived; raises OSError."""
        if key not in self._keys:
            self._keys.add(key)
            self._append(key)

    def forget(self, key: str) -> None:
        """Note in the file that the message has ended; raises OSError."""
        if key in self._keys:
            self._keys.discard(key)
            self._append(_GONE + key)
        if self._lines > len(self._keys) + _SPARE:
            self._rewrite()

    def _append(self, line: str) -> None:
        fd = durable.open_own(self._path)
        try:
            os.lseek(fd, 0, os.SEEK_END)
            durable.write_all(fd, f"{line}\n".encode())
        finally:
            os.close(fd)
        self._lines += 1

    def _rewrite(self) -> None:
        durable.replace_own(self._path, "".join(f"{key}\n" for key in sorted(self._keys)).encode())
        self._lines = len(self._keys)
