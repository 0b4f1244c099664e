"""How much mail went between two agents within the last hour: a small file a direction, beside the state folders.

Its writer is whoever holds the recipient's router lock; whoever sends only looks. One that is damaged counts anew.
The folder is named after the device and inode of the mailboxes, so that a send finds it without a digest.
"""

import os
import time

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.system import state_files, untrusted
from ai_bridge.system.directories import state_base

SPAN_S = 3600
# Of one direction; beyond it a limit is never reached.
_MOST = 100_000
_BYTES = 16 * _MOST


def recent(mailboxes: Mailboxes, sender: str, recipient: str) -> list[int]:
    """Return when messages were delivered in one direction within the last hour, in seconds, the oldest first.

    What a clock that jumped back left in the future does not count.
    """
    try:
        found = [int(word) for word in untrusted.read_file(_path(mailboxes, sender, recipient), _BYTES).split()]
    except (OSError, Malformed, ValueError):
        return []
    now = int(time.time())
    return sorted(second for second in found if now - SPAN_S < second <= now)


def _path(mailboxes: Mailboxes, sender: str, recipient: str) -> str:
    tree = os.stat(mailboxes.path)
    return os.path.join(state_base(), "traffic", f"{tree.st_dev:x}-{tree.st_ino:x}", sender, recipient)


class Traffic:
    """What one pass of a router delivers, counted: read when first asked for, written back by `save`."""

    __slots__ = ("_changed", "_limit", "_mailboxes", "_times")

    def __init__(self, mailboxes: Mailboxes, limit: int) -> None:
        """`limit` is how many are worth remembering of one direction."""
        self._mailboxes = mailboxes
        self._limit = min(limit, _MOST)
        self._times: dict[tuple[str, str], list[int]] = {}
        self._changed: set[tuple[str, str]] = set()

    def times(self, sender: str, recipient: str) -> list[int]:
        """Return when messages were delivered in one direction within the last hour, the oldest first."""
        found = self._times.get((sender, recipient))
        if found is None:
            found = self._times[sender, recipient] = recent(self._mailboxes, sender, recipient)
        since = time.time() - SPAN_S
        while found and found[0] < since:
            del found[0]
        return found

    def note(self, sender: str, recipient: str) -> None:
        """Count a message that was delivered now."""
        found = self.times(sender, recipient)
        found.append(int(time.time()))
        if len(found) > self._limit:
            del found[0]
        self._changed.add((sender, recipient))

    def save(self) -> None:
        """Write what changed, and forget all, for another may count until the next pass; a full disk loses it."""
        changed, times = self._changed, self._times
        self._changed, self._times = set(), {}
        for direction in changed:
            try:
                path = _path(self._mailboxes, *direction)
                raw = "".join(f"{second}\n" for second in times[direction]).encode("ascii")
                state_files.remember(path, raw, flush=False)
            except OSError:
                continue
