"""Something may have changed: wakes a waiting thread when a file arrives in one of some directories.

Events only wake; the scan that follows decides. So events may be lost (the kernel's queue overflows, a
directory is deleted and made again, a share sends none): whoever waits also sweeps at an interval.
"""

import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Protocol

Notify = Callable[[], None]


class _Watch(Protocol):
    def refresh(self, directories: Iterable[str]) -> bool:
        """Watch just these directories; True where one was not watched before."""

    def close(self) -> None:
        """Stop watching."""


class Wake:
    """Waits for arrivals in the directories that `directories` names anew before each wait.

    Make it before the first scan: what arrives between the scan and the wait then ends the wait at once.
    """

    def __init__(self, directories: Callable[[], Iterable[str]], poll: bool = False, poll_s: float = 1.0) -> None:
        self._directories = directories
        # A plain Event could deadlock when a signal handler sets it; a SimpleQueue's put is reentrant.
        self._tokens: SimpleQueue[None] = SimpleQueue()
        with _signals_blocked():
            self._watch = _make_watch(self.set, poll, poll_s)
        try:
            self._watch.refresh(directories())
        except BaseException:
            self._watch.close()
            raise

    def set(self) -> None:
        """Wake the waiting thread; may be called from any thread and from a signal handler."""
        self._tokens.put(None)

    def wait(self, timeout_s: float) -> bool:
        """Wait for a wake, at most `timeout_s` seconds; True where one came."""
        if self._watch.refresh(self._directories()):
            return True  # something may have arrived before the new directory was watched
        try:
            self._tokens.get(timeout=max(timeout_s, 0.0))
        except Empty:
            return False
        while not self._tokens.empty():
            self._tokens.get()
        return True

    def close(self) -> None:
        """Stop watching and wake whoever still waits."""
        self._watch.close()
        self.set()

    def __enter__(self) -> "Wake":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


@contextmanager
def _signals_blocked() -> Iterator[None]:
    """Let no thread that is started meanwhile take a signal: it could not wake the thread that waits for it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT, signal.SIGHUP})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def _make_watch(notify: Notify, poll: bool, poll_s: float) -> _Watch:
    if not poll:
        for kind in (_InotifyWatch, _ObserverWatch):
            try:
                return kind(notify)
            except (ImportError, OSError):  # not this system, or its limit of instances is reached
                continue
    return _PollWatch(notify, poll_s)


class _InotifyWatch:
    """watchdog's inotify thread, asked for arrivals only.

    The library's observer also asks for departures, and holds every event back 0.5 s to pair the two.
    """

    def __init__(self, notify: Notify) -> None:
        from watchdog.observers.inotify_c import CallbackId, InotifyConstants, InotifyFD, Mask

        arrivals = InotifyConstants.IN_MOVED_TO | InotifyConstants.IN_CREATE | InotifyConstants.IN_CLOSE_WRITE
        self._gone = InotifyConstants.IN_DELETE_SELF | InotifyConstants.IN_MOVE_SELF
        self._mask = Mask(arrivals | self._gone | InotifyConstants.IN_ONLYDIR)
        self._id = CallbackId(id(self))
        self._notify = notify
        self._lock = threading.Lock()
        self._watched: dict[str, Any] = {}
        self._inotify = InotifyFD()
        self._inotify.start()

    def refresh(self, directories: Iterable[str]) -> bool:
        wanted = set(directories)
        with self._lock:
            gone = [self._watched.pop(path) for path in set(self._watched) - wanted]
            new = wanted - set(self._watched)
        self._forget(gone)
        added = [self._add(path) for path in new]
        return any(added)

    def _add(self, path: str) -> bool:
        try:
            descriptor = self._inotify.add_callback(os.fsencode(path), self._mask, self, self._id)
        except OSError:  # not there yet, or the limit of watches is reached: the sweep sees to it
            return False
        with self._lock:
            self._watched[path] = descriptor
        return True

    def on_event(self, event: Any) -> None:
        """Called by the library's thread for every event."""
        if event.mask & self._gone:
            self._drop(event.wd, still_known=True)
        self._notify()

    def on_watch_deleted(self, descriptor: Any) -> None:
        """Called by the library's thread when a watched directory is gone: the next wait watches the new one."""
        self._drop(descriptor, still_known=False)
        self._notify()

    def on_queue_overflow(self) -> None:
        """Called by the library's thread when the kernel lost events: scan."""
        self._notify()

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
            self._watched.clear()
        # Its thread, a daemon, closes the kernel's queue, which may take 20 ms: nobody needs to wait for that.
        self._inotify.stop()


class _ObserverWatch:
    """watchdog's observer of this system (FSEvents, kqueue, ReadDirectoryChangesW)."""

    def __init__(self, notify: Notify) -> None:
        from watchdog.events import FileSystemEvent, FileSystemEventHandler
        from watchdog.observers import Observer

        class Handler(FileSystemEventHandler):
            def on_any_event(self, event: FileSystemEvent) -> None:
                notify()

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


class _PollWatch:
    """A thread that looks at the directories' times of change: where no events exist, or none cross."""

    def __init__(self, notify: Notify, interval_s: float) -> None:
        self._notify = notify
        self._interval_s = interval_s
        self._directories: frozenset[str] = frozenset()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="poll", daemon=True)
        self._thread.start()

    def refresh(self, directories: Iterable[str]) -> bool:
        before, self._directories = self._directories, frozenset(directories)
        return bool(self._directories - before)

    def _run(self) -> None:
        seen: dict[str, int | None] = {}
        while not self._stop.wait(self._interval_s):
            now = {path: _changed_at(path) for path in self._directories}
            if any(seen.get(path) != changed for path, changed in now.items()):
                self._notify()
            seen = now

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def _changed_at(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None
