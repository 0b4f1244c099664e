"""The last lines of a log, and those that are added to it, also across a rotation."""

import os
import time
from collections.abc import Iterator
from typing import TextIO

_FOLLOW_S = 0.3


def log_lines(path: str, lines: int, follow: bool) -> Iterator[str]:
    """Yield the last `lines` lines of a log as one text; if `follow`, go on with what is added, and never end.

    The log may be rotated meanwhile. If `follow`, first waits until the log exists; else raises OSError without one.
    """
    while follow and not os.path.exists(path):
        time.sleep(_FOLLOW_S)
    file = _open_text(path)
    yield "".join(file.readlines()[-lines:])
    while follow:
        rotated = _is_rotated(path, file)
        yield file.read()  # includes what was written before we saw the rotation
        if rotated:
            file.close()
            file = _open_text(path)
        else:
            time.sleep(_FOLLOW_S)
    file.close()


def _open_text(path: str) -> TextIO:
    return open(path, encoding="utf-8", errors="replace", newline="")


def _is_rotated(path: str, file: TextIO) -> bool:
    """Tell whether another file has the log's path by now."""
    try:
        return not os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
