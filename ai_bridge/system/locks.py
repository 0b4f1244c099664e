"""Kernel locks: a live process holds one, its death releases it, and nothing else shows who is alive.

The text in the lock file names the holder; it is believed only while the lock is held.
"""

import os
import time

from ai_bridge.system import durable, times

try:
    import fcntl
except ImportError:
    # Windows locks bytes and forbids others to read them: a byte far behind the text is locked.
    _LOCKED_BYTE = 1 << 30

    def _try_lock(fd: int) -> bool:
        import msvcrt

        os.lseek(fd, _LOCKED_BYTE, os.SEEK_SET)
        try:
            msvcrt.locking(fd, msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined,unused-ignore]
        except OSError:
            return False
        return True
else:

    def _try_lock(fd: int) -> bool:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except (BlockingIOError, PermissionError):
            return False
        return True


_RETRY_S = 0.005


class Holder:
    """The holder of a lock: its `pid`, `role` (router, reader), `serves` (what for), `since` (RFC 3339), `ready`.

    `pid` is 0 while the holder has not written its line yet.
    """

    __slots__ = ("pid", "ready", "role", "serves", "since")

    def __init__(self, pid: int, role: str, serves: str, since: str, ready: bool) -> None:
        self.pid = pid
        self.role = role
        self.serves = serves
        self.since = since
        self.ready = ready

    def __str__(self) -> str:
        return f"{self.role}, pid {self.pid}, since {self.since}" if self.pid else "just starting"


class Lock:
    """One lock file."""

    __slots__ = ("_fd", "path")

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd: int | None = None

    @property
    def held(self) -> bool:
        """Whether this object holds the lock."""
        return self._fd is not None

    def is_in_place(self) -> bool:
        """Tell whether the held lock is still the file at its path; it is not if its directory was removed.

        Another thread may release it meanwhile.
        """
        fd = self._fd
        try:
            return fd is not None and os.path.samestat(os.stat(self.path), os.fstat(fd))
        except OSError:
            return False

    def acquire(self, role: str, serves: str = "", patience_s: float = 0.1) -> bool:
        """Take the lock, trying for `patience_s` seconds; False if another process holds it.

        A probe (`holder`) takes it for some microseconds: patience must outlast that. Creates the file. Raises
        OSError.
        """
        durable.make_directory(os.path.dirname(self.path))
        fd = durable.open_own(self.path)
        deadline = time.monotonic() + patience_s
        while not _try_lock(fd):
            if time.monotonic() >= deadline:
                os.close(fd)
                return False
            time.sleep(_RETRY_S)
        self._fd = fd
        try:
            self.describe(role, serves)
        except BaseException:
            self._fd = None
            os.close(fd)
            raise
        return True

    def describe(self, role: str, serves: str, ready: bool = False) -> None:
        """Write into the lock file who holds it; raises RuntimeError if this object does not, or OSError."""
        if self._fd is None:
            raise RuntimeError(f"{self.path} is not held")
        since = times.format_utc(time.time())
        state = "ready" if ready else "starting"
        with _named(self.path):
            durable.rewrite(self._fd, f"{os.getpid()} {role} {since} {state} {serves}\n".encode())

    def release(self) -> None:
        """Give the lock back; does nothing if it is not held."""
        if self._fd is None:
            return
        fd, self._fd = self._fd, None
        with _named(self.path):
            try:
                durable.rewrite(fd, b"")
            finally:
                os.close(fd)

    def __enter__(self) -> "Lock":
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def holder(path: str) -> Holder | None:
    """Return who holds the lock at `path`, None if nobody does; takes a free lock for an instant. Raises OSError."""
    try:
        fd = os.open(path, os.O_RDWR)
    except FileNotFoundError:
        return None
    with _named(path):
        try:
            if _try_lock(fd):
                return None
            os.lseek(fd, 0, os.SEEK_SET)
            return _parsed(os.read(fd, 512).decode("utf-8", "replace"))
        finally:
            os.close(fd)


class _named:  # noqa: N801 - it is used as a function; `contextlib` would cost every start
    """Gives an error the lock's path: for a descriptor the system reports no name."""

    def __init__(self, path: str) -> None:
        self._path = path

    def __enter__(self) -> None:
        return

    def __exit__(self, kind: object, error: BaseException | None, trace: object) -> None:
        if isinstance(error, OSError):
            error.filename = self._path


def _parsed(text: str) -> Holder:
    """Read the holder's line; a holder that has not written it yet has `pid` 0."""
    words = text.partition("\n")[0].split()
    if len(words) < 4 or not (words[0].isascii() and words[0].isdigit()):
        return Holder(0, "unknown", "", "", False)
    return Holder(int(words[0]), words[1], " ".join(words[4:]), words[2], words[3] == "ready")
