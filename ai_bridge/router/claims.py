"""Claims the very file that the router read, once its writer is done, and gives it back if the next step fails."""

import os
import time
from contextlib import contextmanager, suppress

from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import PROCESSING, Outbox
from ai_bridge.message import ids
from ai_bridge.system import settled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


# How long a reservation, an empty file under a message's name, may wait for its message.
_RESERVED_S = 60.0


class Writers:
    """Tells whether a file's writer is done; `settle_s` is the setting of that name."""

    __slots__ = ("_settle_s", "is_network")

    def __init__(self, settle_s: float, is_network: bool) -> None:
        self._settle_s = settle_s
        self.is_network = is_network

    def are_done(self, outbox: Outbox, name: str, fd: int, found: os.stat_result) -> bool:
        """Tell whether an open file is complete, by the kernel, else by our form of name, else by the file's age."""
        if found.st_size == 0 and ids.is_own_id(label(name)[0]):  # it reserves the name of a message
            return self.have_settled(outbox, found, _RESERVED_S)
        writer = None if self.is_network else settled.has_writer(fd)
        if writer is not None:
            return not writer
        return ids.is_own_id(label(name)[0]) or self.have_settled(outbox, found)

    def have_settled(self, outbox: Outbox, found: os.stat_result, at_least_s: float = 0.0) -> bool:
        """Tell whether nobody wrote to the file for a while, by the clock that stamps the files there."""
        now = settled.clock_of(outbox.temporary) if self.is_network else time.time()
        return settled.is_settled(found, max(self._settle_s, at_least_s), now)


class Claims:
    """The claims of one router that are not finished."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: set[tuple[Outbox, str]] = set()

    def take(self, outbox: Outbox, name: str, found: os.stat_result, is_network: bool = False) -> bool:
        """Claim the file that was read; False if it is gone, or if another file has its name by now.

        `found` is the file as the router read it. A different file under the same name goes back to the outbox.
        If `is_network`, the inode does not count: some network file systems have no lasting inode numbers.
        Raises OSError. A file server may make the move and lose its answer, so `release` then gives the file back.
        """
        try:
            if not outbox.move("claim", name):
                return False
            claimed = os.lstat(outbox.file(PROCESSING, name))
        except FileExistsError:  # another router's claim has that name, and is not ours to give back
            raise
        except OSError:
            self._open.add((outbox, name))
            raise
        same = (claimed.st_size, claimed.st_mtime_ns) == (found.st_size, found.st_mtime_ns)
        if same and (is_network or claimed.st_ino == found.st_ino):
            return True
        outbox.release(name)
        return False

    @contextmanager
    def released_on_trouble(self, outbox: Outbox, name: str) -> "Iterator[None]":
        """Give a claimed file back if the block raises; if the disk refuses that, too, `release` tries again."""
        self._open.add((outbox, name))
        try:
            yield
        except Exception:
            self.release()
            raise
        self._open.discard((outbox, name))

    def release(self) -> None:
        """Give back every file that an error left claimed."""
        for outbox, name in list(self._open):
            with suppress(OSError):
                outbox.release(name)
                self._open.discard((outbox, name))
