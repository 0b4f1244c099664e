"""Waits for an event, with bounds, and what such a wait may ask of a pipe."""

from __future__ import annotations

import fcntl
import struct
import termios
import time
from collections.abc import Callable


def until(condition: Callable[[], object], seconds: float = 60.0) -> None:
    """Wait, within bounds, until the condition holds; fails the test where it does not."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "this did not come about in time"
        time.sleep(0.005)


def waiting_bytes(fd: int) -> int:
    """Return how many bytes lie in the pipe whose end for reading this is."""
    count: int = struct.unpack("i", fcntl.ioctl(fd, termios.FIONREAD, bytes(4)))[0]
    return count
