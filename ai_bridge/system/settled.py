"""Whether a file is still being written: asked of the kernel, where the kernel can say.

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
    """Tell whether a process has the open file open for writing; None where the kernel cannot say.

    None: other systems, network file systems, files of another user.
    """
    if _SET_LEASE is None:
        return None
    try:
        # Should somebody open the file in the instant the lease is held, this process is sent a signal;
        # the usual one would end it, SIGURG is ignored.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # type: ignore[attr-defined,unused-ignore]
        fcntl.fcntl(fd, _SET_LEASE, fcntl.F_RDLCK)
    except BlockingIOError:
        return True
    except (OSError, AttributeError):
        return None
    fcntl.fcntl(fd, _SET_LEASE, fcntl.F_UNLCK)
    return False


def clock_of(directory: str) -> float:
    """Return the time by which files in a directory are stamped, which on a share is its server's; ours, in doubt."""
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

    A time in the future is another machine's clock: it proves nothing, and counts as settled after as long.
    """
    return abs(now - found.st_mtime) >= settle_s
