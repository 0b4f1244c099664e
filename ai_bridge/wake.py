"""Something may have changed: wakes a waiting thread when a file arrives in one of some directories.

Events only wake, and hint at where to look first; the scan that follows decides. So events may be lost (the
kernel's queue overflows, a directory is deleted and made again, a share sends none) and a hint may be wrong:
whoever waits also sweeps over everything at an interval.
"""

import _thread
import os
import signal
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import Empty, SimpleQueue
from typing import Any, Protocol

from ai_bridge.mailboxes import Mailboxes
from ai_bridge.outbox import Outbox

# Told where something arrived; None, which stands for everywhere, where that is not known.
Notify = Callable[[str | None], None]
# Outboxes in a part of a scan: those of one take less than a millisecond.
_PART = 20
# Watches that are ended faster than a thread is begun.
_FEW_WATCHES = 50


class _Watch(Protocol):
    def refresh(self, directories: Iterable[str]) -> bool:
        """Watch just these directories; True where one was not watched before."""

    def close(self) -> None:
        """Stop watching."""


class Wake:
    """Waits for arrivals in the directories that `directories` names; make it before the first scan.

    What arrives between the scan and the wait then ends the wait at once. `changed` holds the directories the last
    wait's wake came from; it is None, which stands for everywhere, where that is not known and where none came.
    """

    def __init__(self, directories: Callable[[], Iterable[str]], poll: bool = False, poll_s: float = 1.0) -> None:
        self._directories = directories
        # A plain Event could deadlock when a signal handler sets it; a SimpleQueue's put is reentrant.
        self._tokens: SimpleQueue[str | None] = SimpleQueue()
        self.changed: frozenset[str] | None = None
        with _signals_blocked():
            self._watch = _make_watch(self.set, poll, poll_s)
        try:
            self._watch.refresh(directories())
        except BaseException:
            self._watch.close()
            raise

    def set(self, directory: str | None = None) -> None:
        """Wake the waiting thread, to look there or everywhere; any thread and any signal handler may call it."""
        self._tokens.put(directory)

    def wait(self, timeout_s: float, anew: bool = True) -> bool:
        """Wait for a wake, at most `timeout_s` seconds; True where one came.

        If `anew`, the directories to watch are named anew before: after each scan of everything, that is.
        """
        self.changed = None
        if anew and self._watch.refresh(self._directories()):
            return True  # something may have arrived before the new directory was watched
        try:
            first = self._tokens.get(timeout=max(timeout_s, 0.0))
        except Empty:
            return False
        further = self.hints()
        self.changed = None if first is None or further is None else further | {first}
        return True

    def hints(self) -> frozenset[str] | None:
        """Return, without waiting, where wakes came from since the last one, as `changed` would hold it."""
        directories = []
        while not self._tokens.empty():
            directories.append(self._tokens.get())
        return None if None in directories else frozenset(filter(None, directories))

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
        self._paths: dict[Any, str] = {}
        self._inotify = InotifyFD()
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
        except OSError:  # not there yet, or the limit of watches is reached: the sweep sees to it
            return False
        with self._lock:
            self._watched[path] = descriptor
            self._paths[descriptor] = path
        return True

    def on_event(self, event: Any) -> None:
        """Called by the library's thread for every event: where directories come and go, everything is looked at."""
        if event.mask & self._gone:
            self._drop(event.wd, still_known=True)
        self._notify(None if event.is_directory else self._paths.get(event.wd))

    def on_watch_deleted(self, descriptor: Any) -> None:
        """Called by the library's thread when a watched directory is gone: the next wait watches the new one."""
        self._drop(descriptor, still_known=False)
        self._notify(None)

    def on_queue_overflow(self) -> None:
        """Called by the library's thread when the kernel lost events: scan."""
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
        with _signals_blocked():  # nor for the end of thousands of watches, one by one
            _thread.start_new_thread(self._inotify.stop, ())


class _ObserverWatch:
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
            for path, changed in now.items():
                if (before := seen.get(path)) != changed:
                    self._notify(path if before and changed else None)
            seen = now

    def close(self) -> None:
        self._stop.set()
        self._thread.join()


def _changed_at(path: str) -> int | None:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return None


def hinted(mailboxes: Mailboxes, wake: Wake) -> list[Outbox]:
    """Return the outboxes at which wakes hinted meanwhile; one that is for everywhere is left to the next wait."""
    outboxes = mailboxes.outboxes_of(wake.hints())
    if outboxes is None:
        wake.set()
    return outboxes or []


def parts(outboxes: list[Outbox]) -> list[list[Outbox]]:
    """Return the outboxes of a scan in parts, between which what a wake hints at can come first."""
    return [outboxes[start : start + _PART] for start in range(0, len(outboxes), _PART)]
