"""Tells whether a file is still being written: the kernel says so if it can, else the file's age does.

A read lease (fcntl F_SETLEASE, Linux) is granted only while nobody has the file open for writing.
"""

import os
import signal
import time
from _thread import get_ident

from ai_bridge.system import durable, untrusted

try:
    import fcntl

    _SET_LEASE: int | None = getattr(fcntl, "F_SETLEASE", None)
except ImportError:
    _SET_LEASE = None


def has_writer(fd: int) -> bool | None:
    """Tell whether a process has the open file open for writing; None if the kernel cannot say.

    It cannot on other systems, on network file systems, and for files of another user.
    """
    if _SET_LEASE is None:
        return None
    try:
        # If somebody opens the file while the lease is held, the kernel sends this process a signal.
        # The usual one would end the process; SIGURG is ignored.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # type: ignore[attr-defined,unused-ignore]
        fcntl.fcntl(fd, _SET_LEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):
        return None
    fcntl.fcntl(fd, _SET_LEASE, fcntl.F_UNLCK)
    return False


def clock_of(directory: str) -> float:
    """Return the time now by the clock that stamps files in the directory: on a share, its server's clock.

    It writes and removes a small file there. If that fails, it returns this machine's time.
    """
    probe = os.path.join(directory, f".clock-{os.getpid()}-{get_ident()}")
    try:
        untrusted.real_directory(directory)
        durable.remove(probe)
        durable.write_new(probe, b".", flush=False)
        found = os.stat(probe).st_mtime
        durable.remove(probe)
    except OSError:
        return time.time()
    return found


def is_settled(found: os.stat_result, settle_s: float, now: float) -> bool:
    """Tell whether a file was last written at least `settle_s` seconds before `now`.

    A time in the future comes from another machine's clock and proves nothing: if it is that far ahead, the file
    counts as settled, too.
    """
    return abs(now - found.st_mtime) >= settle_s
