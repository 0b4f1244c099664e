"""Counts the mail between two agents within the last hour: one small file per direction, beside the state folders.

A file holds the times of the messages that count, one per line. The time of the last message that does not count
stands there with a minus sign. Only the holder of the recipient's router lock writes the file; a sender only reads. A
damaged file counts as empty. The folder is named after the device and inode of the mailboxes, so that a send finds it
without a digest.
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


class Deliveries:
    """The deliveries in one direction within the last hour; all times are in seconds since the epoch.

    `counted` are the times of the messages that count, the oldest first. `free` is the time of the last message that
    does not count, 0 if there is none.
    """

    __slots__ = ("counted", "free")

    def __init__(self, found: "list[int]") -> None:
        """`found` are the lines of the file; a time in the future, left by a clock that jumped back, is dropped."""
        now = int(time.time())
        recent = [second for second in found if now - SPAN_S < abs(second) <= now]
        self.counted = sorted(second for second in recent if second > 0)
        self.free = max((-second for second in recent if second < 0), default=0)

    def __bool__(self) -> bool:
        """Whether anything was delivered, counted or not."""
        return bool(self.counted) or bool(self.free)

    def forget_old(self) -> None:
        """Drop what has become older than an hour."""
        since = time.time() - SPAN_S
        while self.counted and self.counted[0] < since:
            del self.counted[0]
        if self.free < since:
            self.free = 0

    def lines(self) -> str:
        """Return the content of the file."""
        free = [-self.free] if self.free else []
        return "".join(f"{second}\n" for second in free + self.counted)


def recent(mailboxes: Tree, sender: str, recipient: str) -> Deliveries:
    """Return what was delivered in one direction within the last hour; nothing if the file is missing or damaged."""
    try:
        path = os.path.join(mailboxes.part(folder), sender, recipient)
        return Deliveries([int(word) for word in untrusted.read_file(path, _BYTES).split()])
    except (OSError, Malformed, ValueError):
        return Deliveries([])


def exchanged(mailboxes: Tree, agent: str) -> dict[str, float]:
    """Return when mail between `agent` and each other agent was last delivered, in seconds since the epoch.

    Looks at the times of the files that were ever written, and at no mail. {} if the disk gives none.
    """
    try:
        base = mailboxes.part(folder)
    except OSError:
        return {}
    found: dict[str, float] = {}
    for other in {*untrusted.listed(os.path.join(base, agent)), *untrusted.listed(base)} - {agent}:
        ways = (os.path.join(base, agent, other), os.path.join(base, other, agent))
        found[other] = max(map(state_files.written_s, ways))
    return {other: at for other, at in found.items() if at}


def folder(mailboxes: Tree) -> str:
    """Return the folder of all counts of these mailboxes; raises OSError."""
    tree = os.stat(mailboxes.path)
    return os.path.join(state_base(), "traffic", f"{tree.st_dev:x}-{tree.st_ino:x}")


class Traffic:
    """Counts what one pass of a router delivers. A file is read at first use; `save` writes it back."""

    __slots__ = ("_changed", "_deliveries", "_limit", "_mailboxes", "_where")

    def __init__(self, mailboxes: Tree, limit: int) -> None:
        """`limit` is the most messages to remember per direction."""
        self._mailboxes = mailboxes
        self._where = Snapshot.of(mailboxes)
        self._limit = min(limit, _MOST)
        self._deliveries: dict[tuple[str, str], Deliveries] = {}
        self._changed: set[tuple[str, str]] = set()

    def deliveries(self, sender: str, recipient: str) -> Deliveries:
        """Return what was delivered in one direction within the last hour, as `recent` does."""
        found = self._deliveries.get((sender, recipient))
        if found is None:
            found = self._deliveries[sender, recipient] = recent(self._where, sender, recipient)
        found.forget_old()
        return found

    def count(self, sender: str, recipient: str) -> None:
        """Count one message that was delivered now; `save` writes it to the disk."""
        counted = self.deliveries(sender, recipient).counted
        counted.append(int(time.time()))
        if len(counted) > self._limit:
            del counted[0]
        self._changed.add((sender, recipient))

    def remember(self, sender: str, recipient: str) -> None:
        """Remember that a message which does not count was delivered now; `save` writes it to the disk."""
        self.deliveries(sender, recipient).free = int(time.time())
        self._changed.add((sender, recipient))

    def save(self) -> None:
        """Write the changed counts to the disk, and forget all: another process may count before the next pass.

        An OSError, such as a full disk, loses the counts.
        """
        changed, deliveries, where = self._changed, self._deliveries, self._where
        self._where = Snapshot.of(self._mailboxes)
        self._changed, self._deliveries = set(), {}
        for direction in changed:
            try:
                path = os.path.join(where.part(folder), *direction)
                state_files.remember(path, deliveries[direction].lines().encode("ascii"), flush=False)
            except OSError:
                continue
