"""Wakes a waiting thread when a file arrives in one of some directories, because something may have changed.

Events only wake, and hint at the place to look first; the scan that follows decides. Events may be lost (the kernel's
queue overflows, a directory is deleted and made again, a share sends none) and a hint may be wrong. So a waiting
thread also scans everything at an interval.
"""

from collections.abc import Callable, Iterable
from functools import partial
from queue import Empty, SimpleQueue

from ai_bridge.mailboxes.outbox import Outbox
from ai_bridge.mailboxes.shared_watch import SharedWatch
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system.directory_events import make_watch
from ai_bridge.system.filesystems import file_system
from ai_bridge.system.signals import signals_blocked

# Outboxes in one part of a scan, which takes less than a millisecond.
_PART = 20


class Wake:
    """Waits for arrivals in the directories that `directories` returns; make it before the first scan.

    Then a file that arrives between the scan and the wait ends the wait at once. `changed` holds the directories from
    which the wakes of the last wait came. None stands for everywhere: no wake came, or the directory is not known.
    """

    def __init__(
        self,
        directories: Callable[[], Iterable[str]],
        poll: bool = False,
        poll_s: float = 1.0,
        is_network: bool = False,
        shared: SharedWatch | None = None,
    ) -> None:
        """`shared` is the watch of the process that this wake joins; without one it has a watch of its own."""
        self._directories = directories
        # A plain Event could deadlock when a signal handler sets it; a SimpleQueue's put is reentrant.
        self._tokens: SimpleQueue[str | None] = SimpleQueue()
        self.changed: frozenset[str] | None = None
        with signals_blocked():
            make = partial(make_watch, poll=poll, poll_s=poll_s, is_network=is_network)
            self._watch = shared.join(self.set, make) if shared else make(self.set)
        try:
            self._watch.refresh(directories())
        except BaseException:
            self._watch.close()
            raise

    @classmethod
    def over(
        cls,
        mailboxes: Tree,
        settings: Settings,
        directories: Callable[[], Iterable[str]],
        shared: SharedWatch | None = None,
    ) -> "Wake":
        """Return a wake for directories of these mailboxes, by the means their file system needs."""
        return cls(directories, settings.poll, settings.poll_s, file_system(mailboxes.path).is_network, shared)

    def set(self, directory: str | None = None) -> None:
        """Wake the waiting thread to look in `directory`, or everywhere; any thread or signal handler may call it."""
        self._tokens.put(directory)

    def wait(self, timeout_s: float, rescan: bool = True) -> bool:
        """Wait for a wake, at most `timeout_s` seconds; True if one came.

        With `rescan`, needed after each scan of everything, it first asks again for the directories to watch.
        """
        self.changed = None
        if rescan and self._watch.refresh(self._directories()):
            return True  # something may have arrived before the new directory was watched
        try:
            first = self._tokens.get(timeout=max(timeout_s, 0.0))
        except Empty:
            return False
        further = self.hints()
        self.changed = None if first is None or further is None else further | {first}
        return True

    def hints(self) -> frozenset[str] | None:
        """Return, without waiting, the directories of the wakes since the last one, in the form of `changed`."""
        directories = []
        while not self._tokens.empty():
            directories.append(self._tokens.get())
        return None if None in directories else frozenset(filter(None, directories))

    def close(self) -> None:
        """Stop watching, and wake a thread that still waits."""
        self._watch.close()
        self.set()

    def __enter__(self) -> "Wake":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def hinted(mailboxes: Tree, wake: Wake) -> list[Outbox]:
    """Return the outboxes at which wakes hinted meanwhile; a wake for everywhere is left to the next wait."""
    outboxes = mailboxes.outboxes_of(wake.hints())
    if outboxes is None:
        wake.set()
    return outboxes or []


def parts(outboxes: list[Outbox]) -> list[list[Outbox]]:
    """Return the outboxes of a scan in parts, between which an outbox with a hint can come first."""
    return [outboxes[start : start + _PART] for start in range(0, len(outboxes), _PART)]
