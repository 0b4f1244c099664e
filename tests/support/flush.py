"""`os.fsync` for tests in which no power is cut: it refuses what the real one does, and does not wait for the disk.

A flush is half of the time of many tests, and changes nothing that a test can see. That flushes are made, and in
which order, is counted by the tests of `system/durable`; what they are worth is shown by `tests/power_cuts`.
"""

from __future__ import annotations

import os
import stat
from typing import Any

_real, _fstat = os.fsync, os.fstat  # tests of faults put others in their place


def check(file: Any) -> None:
    """Raise what fsync(2) raises for this descriptor, or file with one."""
    mode = _fstat(file if isinstance(file, int) else file.fileno()).st_mode
    if not stat.S_ISREG(mode) and not stat.S_ISDIR(mode):
        _real(file)


def is_left_out() -> bool:
    """Tell whether this process, and so what it starts, does without flushes."""
    return os.fsync is check


def leave_out() -> None:
    """Do without flushes from now on."""
    os.fsync = check
