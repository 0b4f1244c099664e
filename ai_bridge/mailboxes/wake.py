"""Wakes a waiting thread when a file arrives in one of some directories, because something may have changed.

Events only wake, and hint at the place to look first; the scan that follows decides. Events may be lost (the kernel's
queue overflows, a directory is deleted and made again, a share sends none) and a hint may be wrong. So a waiting
thread also scans everything at an interval.
"""

import threading
from collections.abc import Callable, Iterable
from functools import partial
from queue import Empty, SimpleQueue

from ai_bridge.mailboxes.outbox import Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system.directory_events import Notify, Watch, make_watch
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
        shared: "SharedWatch | None" = None,
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
        shared: "SharedWatch | None" = None,
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


# --- one watch for several wakes ---------------------------------------------------------------------------


class SharedWatch:
    """A watch that begins when the first thread joins, and ends when the last one leaves."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._watch: Watch | None = None
        # By member: the directories that it asked for. Never changed but replaced, because any thread reads it.
        self._members: dict[_Member, frozenset[str]] = {}

    def join(self, notify: Notify, make: Callable[[Notify], Watch]) -> Watch:
        """Return the caller's part of the watch, which calls `notify`; `make` starts a watch if there is none."""
        member = _Member(self, notify)
        with self._lock:
            if self._watch is None:
                self._watch = make(self._report)
            self._members = self._members | {member: frozenset()}
        return member

    def _report(self, directory: str | None) -> None:
        for member, wanted in self._members.items():
            if directory is None or directory in wanted:
                member.notify(directory)

    def refresh(self, member: "_Member", directories: Iterable[str]) -> bool:
        """Watch these directories for a member; True if it did not watch one of them before."""
        with self._lock:
            if self._watch is None or member not in self._members:
                return False
            before, wanted = self._members[member], frozenset(directories)
            self._members = self._members | {member: wanted}
            is_new = self._watch.refresh(frozenset().union(*self._members.values()))
        if is_new:  # a directory may have come back, and what arrived there meanwhile was reported to nobody
            for other in self._members.keys() - {member}:
                other.notify(None)
        return is_new or not wanted <= before

    def leave(self, member: "_Member") -> None:
        """Report nothing more to the member."""
        with self._lock:
            self._members = {one: wanted for one, wanted in self._members.items() if one is not member}
            if self._watch is None:
                return
            if not self._members:
                self._watch.close()
                self._watch = None
            else:
                self._watch.refresh(frozenset().union(*self._members.values()))


class _Member:
    """One thread's part of a shared watch."""

    def __init__(self, shared: SharedWatch, notify: Notify) -> None:
        self._shared = shared
        self.notify = notify

    def refresh(self, directories: Iterable[str]) -> bool:
        """Watch exactly these directories from now on; True if one of them was not watched before."""
        return self._shared.refresh(self, directories)

    def close(self) -> None:
        """Stop watching."""
        self._shared.leave(self)
