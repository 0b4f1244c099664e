"""What a router has claimed: the very file that was read; it goes back where the disk refuses what was to come."""

import os
from contextlib import contextmanager, suppress

from ai_bridge.mailboxes.outbox import PROCESSING, Outbox

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Claims:
    """The claims of one router that are not done with."""

    __slots__ = ("_open",)

    def __init__(self) -> None:
        self._open: set[tuple[Outbox, str]] = set()

    def take(self, outbox: Outbox, name: str, found: os.stat_result, is_network: bool = False) -> bool:
        """Claim the file that was read; another one under the same name is given back to the next pass.

        A file server may make the move and lose its answer: what an error left claimed goes back at the next pass.
        Not all network file systems number their files, or keep the number.
        """
        try:
            if not outbox.move("claim", name):
                return False
            claimed = os.lstat(outbox.file(PROCESSING, name))
        except FileExistsError:  # another's claim has that name: it is not ours to give back
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
        """Give a claimed file back where the disk refuses what was to come; if it refuses that too, later."""
        self._open.add((outbox, name))
        try:
            yield
        except Exception:
            self.release()
            raise
        self._open.discard((outbox, name))

    def release(self) -> None:
        """Give back what trouble left claimed."""
        for outbox, name in list(self._open):
            with suppress(OSError):
                outbox.release(name)
                self._open.discard((outbox, name))
