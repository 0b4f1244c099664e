"""Counts the mail between two agents within the last hour: one small file per direction, beside the state folders.

Only the holder of the recipient's router lock writes the file; a sender only reads. A damaged file counts as empty.
The folder is named after the device and inode of the mailboxes, so that a send finds it without a digest.
"""

import os
import time

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import state_files, untrusted
from ai_bridge.system.directories import state_base

SPAN_S = 3600
# The most times in one file: a higher limit is never reached.
_MOST = 100_000
_BYTES = 16 * _MOST


def recent(mailboxes: Tree, sender: str, recipient: str) -> list[int]:
    """Return when messages were delivered in one direction within the last hour, the oldest first.

    The times are seconds since the epoch. A time in the future, left by a clock that jumped back, does not count.
    """
    try:
        path = os.path.join(mailboxes.part(folder), sender, recipient)
        found = [int(word) for word in untrusted.read_file(path, _BYTES).split()]
    except (OSError, Malformed, ValueError):
        return []
    now = int(time.time())
    return sorted(second for second in found if now - SPAN_S < second <= now)


def folder(mailboxes: Tree) -> str:
    """Return the folder of all counts of these mailboxes; raises OSError."""
    tree = os.stat(mailboxes.path)
    return os.path.join(state_base(), "traffic", f"{tree.st_dev:x}-{tree.st_ino:x}")


class Traffic:
    """Counts what one pass of a router delivers. A file is read at first use; `save` writes it back."""

    __slots__ = ("_changed", "_limit", "_mailboxes", "_times", "_where")

    def __init__(self, mailboxes: Tree, limit: int) -> None:
        """`limit` is the most messages to remember per direction."""
        self._mailboxes = mailboxes
        self._where = Snapshot.of(mailboxes)
        self._limit = min(limit, _MOST)
        self._times: dict[tuple[str, str], list[int]] = {}
        self._changed: set[tuple[str, str]] = set()

    def times(self, sender: str, recipient: str) -> list[int]:
        """Return when messages were delivered in one direction within the last hour, as `recent` does."""
        found = self._times.get((sender, recipient))
        if found is None:
            found = self._times[sender, recipient] = recent(self._where, sender, recipient)
        since = time.time() - SPAN_S
        while found and found[0] < since:
            del found[0]
        return found

    def count(self, sender: str, recipient: str) -> None:
        """Count one message that was delivered now; `save` writes it to the disk."""
        found = self.times(sender, recipient)
        found.append(int(time.time()))
        if len(found) > self._limit:
            del found[0]
        self._changed.add((sender, recipient))

    def save(self) -> None:
        """Write the changed counts to the disk, and forget all: another process may count before the next pass.

        An OSError, such as a full disk, loses the counts.
        """
        changed, times, where = self._changed, self._times, self._where
        self._where = Snapshot.of(self._mailboxes)
        self._changed, self._times = set(), {}
        for direction in changed:
            try:
                path = os.path.join(where.part(folder), *direction)
                raw = "".join(f"{second}\n" for second in times[direction]).encode("ascii")
                state_files.remember(path, raw, flush=False)
            except OSError:
                continue
