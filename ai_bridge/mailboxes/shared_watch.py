"""One watch for all threads of a process that wait: each hears of the directories that it asked for."""

import threading
from collections.abc import Callable, Iterable

from ai_bridge.system.directory_events import Notify, Watch


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
