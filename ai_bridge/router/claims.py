"""Claims the very file that the router read, and gives it back if the disk refuses the next step."""

import os
from contextlib import contextmanager, suppress

from ai_bridge.mailboxes.outbox import PROCESSING, Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


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
