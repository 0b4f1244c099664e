"""Which messages have arrived at their team, as its receipts say: a file of lines, so that it is not asked again.

It is a cache and is never flushed: what it forgot is sent once more, and the other side knows it already.
"""

import os
from contextlib import suppress

from ai_bridge.system import durable

# Lines, beyond those that still count, at which the file is written again.
_SPARE = 10_000
_GONE = "-"


def key_of(sender: str, name: str) -> str:
    """Return what a message is called here: its file `name` in the outbox of `sender`."""
    return f"{sender}/{name}"


def load(path: str) -> set[str]:
    """Return the keys of what has arrived."""
    found: set[str] = set()
    with suppress(FileNotFoundError), open(path, encoding="utf-8", errors="replace") as file:
        for line in map(str.strip, file):
            if line.startswith(_GONE):
                found.discard(line[1:])
            else:
                found.add(line)
    return found


class Arrived:
    """What has arrived and has not ended."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._keys = load(path)
        self._lines = 0
        durable.make_directory(os.path.dirname(path))
        self._rewrite()

    def __contains__(self, key: str) -> bool:
        return key in self._keys

    def add(self, key: str) -> None:
        """Note that it has arrived; raises OSError."""
        if key not in self._keys:
            self._keys.add(key)
            self._append(key)

    def forget(self, key: str) -> None:
        """Note that it has ended; raises OSError."""
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
