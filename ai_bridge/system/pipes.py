"""Tells whether the other end of a pipe has read everything, by the bytes that the kernel still holds."""

import os
import socket
import stat
import struct
import sys
import time
from collections.abc import Callable

_FIRST_LOOK_S, _LAST_LOOK_S = 0.0002, 0.02


def unread_bytes(fd: int) -> int:
    """Return how many written bytes the other end has not read yet; -1 if it closed without reading them.

    The result is 0 for a terminal or a file, and on a system that cannot say.
    """
    if sys.platform == "win32":  # it cannot say: what the kernel accepted counts as read
        return 0
    import fcntl
    import termios

    mode = os.fstat(fd).st_mode
    if stat.S_ISFIFO(mode):
        return _ask(fcntl.ioctl, fd, termios.FIONREAD)
    if not stat.S_ISSOCK(mode):  # a terminal, or a file: what it accepted is there
        return 0
    left = _ask(fcntl.ioctl, fd, getattr(termios, "TIOCOUTQ", termios.FIONREAD))
    return -1 if left == 0 and _was_reset(fd) else left


def is_given(fd: int) -> bool:
    """Tell whether somebody gave this process a pipe or a file at `fd` that holds something; never waits.

    A parent that has the same file passed its own on, maybe without knowing: then, and if the system cannot say, the
    result is False.
    """
    try:
        mine = os.fstat(fd)
        return _holds_something(fd, mine) and not os.path.samestat(mine, os.stat(f"/proc/{os.getppid()}/fd/{fd}"))
    except OSError:
        return False


def _holds_something(fd: int, kind: os.stat_result) -> bool:
    if stat.S_ISREG(kind.st_mode):
        return kind.st_size > os.lseek(fd, 0, os.SEEK_CUR)
    return stat.S_ISFIFO(kind.st_mode) and unread_bytes(fd) > 0


def is_taken(fd: int, patience_s: float) -> bool:
    """Wait until the other end has read everything; False if it closed, or read nothing for `patience_s` seconds.

    A slow reader is waited for: the seconds start again each time it reads something.
    """
    left, deadline, pause = unread_bytes(fd), time.monotonic() + patience_s, _FIRST_LOOK_S
    while left > 0:
        if _has_left(fd) or time.monotonic() >= deadline:
            return unread_bytes(fd) == 0  # it may have read the rest just before
        time.sleep(pause)
        pause = min(pause * 2, _LAST_LOOK_S)
        before, left = left, unread_bytes(fd)
        if left < before:
            deadline = time.monotonic() + patience_s
    return left == 0


def _has_left(fd: int) -> bool:
    """Tell whether nobody can read the pipe any more; unread bytes may still be in it."""
    import select  # rarely needed: most writes are read at the first look

    poll = select.poll()
    poll.register(fd, 0)  # an error or a hang-up is always reported
    return bool(poll.poll(0))


def _ask(ioctl: Callable[..., bytes], fd: int, question: int) -> int:
    try:
        answer: int = struct.unpack("i", ioctl(fd, question, struct.pack("i", 0)))[0]
    except OSError:  # it cannot say: what the kernel accepted counts as read
        return 0
    return answer


def _was_reset(fd: int) -> bool:
    """Tell whether the other end of a socket was closed with bytes unread."""
    with socket.socket(fileno=os.dup(fd)) as peer:
        return peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
