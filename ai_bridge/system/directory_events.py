"""Watches: each reports arrivals in some directories, from kernel events, or by looking at the directories regularly.

A watch calls `notify` with the directory in which something arrived, or with None if it does not know. It may call
from any thread.
"""

import _thread
import os
import sys
import threading
from collections.abc import Callable, Iterable
from typing import Any, Protocol

from ai_bridge.system.signals import signals_blocked

# Called with the directory in which something arrived; None, if that is not known, stands for all directories.
Notify = Callable[[str | None], None]
# The state of a directory, to be compared with a later one; None if it cannot be read.
Mark = int | frozenset[str] | None
# The parts of watchdog's module `inotify_c` that `InotifyWatch` uses. It is private, so a release may change it.
_PARTS = {
    "InotifyConstants": (
        *("IN_MOVED_TO", "IN_CREATE", "IN_CLOSE_WRITE"),
        *("IN_DELETE_SELF", "IN_MOVE_SELF", "IN_ONLYDIR"),
    ),
    "InotifyFD": ("start", "stop", "add_callback", "remove_callbacks"),
    "Mask": (),
    "CallbackId": (),
}
# Ending so many watches takes less time than starting a thread.
_FEW_WATCHES = 50


class Watch(Protocol):
    def refresh(self, directories: Iterable[str]) -> bool:
        """Watch exactly these directories from now on; True if one of them was not watched before."""

    def close(self) -> None:
        """Stop watching."""


def make_watch(notify: Notify, poll: bool, poll_s: float, is_network: bool) -> Watch:
    """Return a watch; on a network file system it also polls, because changes by other machines cause no events.

    `poll` asks for polling alone; `poll_s` is the seconds between two looks. Starts a thread.
    """
    look = _names if is_network else _changed_at
    events = None if poll else _make_event_watch(notify)
    if events is None or is_network:
        polling = PollWatch(notify, poll_s, look)
        return polling if events is None else _BothWatches(events, polling)
    return events


def slow_because() -> str:
    """Return why this program learns of each arrival half a second late, or later; '' if it learns of it at once.

    The answer is '' on systems other than Linux: there the library's observer is the only way. Changes nothing.
    """
    if not sys.platform.startswith("linux"):
        return ""
    try:
        _import_inotify()
    except ImportError as error:
        return str(error)
    return ""


def _import_inotify() -> Any:
    """Return watchdog's module `inotify_c`; raises ImportError if the module or a part that is used is missing."""
    import watchdog.observers.inotify_c as library

    for name, parts in _PARTS.items():
        found = getattr(library, name, None)
        if found is None or not all(hasattr(found, part) for part in parts):
            raise ImportError(f"{library.__name__} has another {name}")
    return library


def _make_event_watch(notify: Notify) -> Watch | None:
    for kind in (InotifyWatch, ObserverWatch):
        try:
            return kind(notify)
        except (ImportError, OSError):  # not this system, or its limit of instances is reached
            continue
    return None


class _BothWatches:
    """Events for changes on this machine, and polling for changes on others."""

    def __init__(self, *watches: Watch) -> None:
        self._watches = watches

    def refresh(self, directories: Iterable[str]) -> bool:
        wanted = list(directories)
        added = [watch.refresh(wanted) for watch in self._watches]
        return any(added)

    def close(self) -> None:
        for watch in self._watches:
            watch.close()


class InotifyWatch:
    """watchdog's inotify thread, asked for arrivals only.

    The library's observer also asks for departures, and holds every event back 0.5 s to pair the two.
    """

    def __init__(self, notify: Notify) -> None:
        library = _import_inotify()
        kinds = library.InotifyConstants
        arrivals = kinds.IN_MOVED_TO | kinds.IN_CREATE | kinds.IN_CLOSE_WRITE
        self._gone = kinds.IN_DELETE_SELF | kinds.IN_MOVE_SELF
        self._mask = library.Mask(arrivals | self._gone | kinds.IN_ONLYDIR)
        self._id = library.CallbackId(id(self))
        self._notify = notify
        self._lock = threading.Lock()
        self._watched: dict[str, Any] = {}
        self._paths: dict[Any, str] = {}
        self._inotify = library.InotifyFD()
        self._inotify.start()

    def refresh(self, directories: Iterable[str]) -> bool:
        wanted = set(directories)
        with self._lock:
            gone = [self._watched.pop(path) for path in set(self._watched) - wanted]
            new = wanted - set(self._watched)
            self._paths = {descriptor: path for path, descriptor in self._watched.items()}
        self._forget(gone)
        added = [self._add(path) for path in new]
        return any(added)

    def _add(self, path: str) -> bool:
        try:
            descriptor = self._inotify.add_callback(os.fsencode(path), self._mask, self, self._id)
        except OSError:  # not there yet, or too many watches: the sweep scans it
            return False
        with self._lock:
            self._watched[path] = descriptor
            self._paths[descriptor] = path
        return True

    def on_event(self, event: Any) -> None:
        """Called by the library's thread for each event; if a directory came or went, everything must be scanned."""
        if event.mask & self._gone:
            self._drop(event.wd, still_known=True)
        self._notify(None if event.is_directory else self._paths.get(event.wd))

    def on_watch_deleted(self, descriptor: Any) -> None:
        """Called by the library's thread when a watched directory is gone: the next `refresh` watches the new one."""
        self._drop(descriptor, still_known=False)
        self._notify(None)

    def on_queue_overflow(self) -> None:
        """Called by the library's thread when the kernel lost events: everything must be scanned."""
        self._notify(None)

    def _drop(self, descriptor: Any, still_known: bool) -> None:
        with self._lock:
            paths = [path for path, known in self._watched.items() if known == descriptor]
            for path in paths:
                del self._watched[path]
        if still_known and paths:
            self._forget([descriptor])

    def _forget(self, descriptors: list[Any]) -> None:
        if descriptors:
            self._inotify.remove_callbacks([(descriptor, self._id) for descriptor in descriptors])

    def close(self) -> None:
        with self._lock:
            watched = len(self._watched)
            self._watched.clear()
        # Its thread, a daemon, closes the kernel's queue, which may take 20 ms: nobody needs to wait for that.
        if watched <= _FEW_WATCHES:
            self._inotify.stop()
            return
        with signals_blocked():  # nor must anybody wait while thousands of watches end
            _thread.start_new_thread(self._inotify.stop, ())


class ObserverWatch:
    """watchdog's observer of this system (FSEvents, kqueue, ReadDirectoryChangesW)."""

    def __init__(self, notify: Notify) -> None:
        from watchdog.events import EVENT_TYPE_MODIFIED, FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                path = os.fsdecode(event.dest_path or event.src_path)
                if not event.is_directory:
                    notify(os.path.dirname(path))
                else:
                    notify(path if event.event_type == EVENT_TYPE_MODIFIED else None)

        self._handler = Handler()
        self._observer = Observer()
        self._observer.start()
        self._watched: dict[str, Any] = {}

    def refresh(self, directories: Iterable[str]) -> bool:
        wanted = {path for path in directories if os.path.isdir(path)}
        for path in set(self._watched) - wanted:
            self._observer.unschedule(self._watched.pop(path))
        new = wanted - set(self._watched)
        for path in new:
            self._watched[path] = self._observer.schedule(self._handler, path)
        return bool(new)

    def close(self) -> None:
        self._observer.stop()
        self._observer.join()


class PollWatch:
    """A thread that looks at the directories every `interval_s` seconds, where the kernel has no events."""

    def __init__(self, notify: Notify, interval_s: float, look: "Callable[[str], Mark]") -> None:
        self._notify = notify
        self._look = look
        self._interval_s = interval_s
        self._directories: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poll", daemon=True)
        self._thread.start()

    def refresh(self, directories: Iterable[str]) -> bool:
        before, self._directories = self._directories, frozenset(directories)
        return bool(self._directories - before)

    def _run(self) -> None:
        seen: dict[str, Mark] = {}
        while not self._stop.wait(self._interval_s):
            now = {path: self._look(path) for path in self._directories}
            for path, changed in now.items():
                if (before := seen.get(path)) != changed:
                    self._notify(path if before is not None and changed is not None else None)
            seen = now

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def _changed_at(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def _names(path: str) -> frozenset[str] | None:
    """Return the names in a directory; its time of change may be half a minute old on a network file system."""
    try:
        return frozenset(os.listdir(path))
    except OSError:
        return None
