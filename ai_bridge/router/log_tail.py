"""The last lines of a log, and those that are added to it, also across a rotation."""

import os
import re
import time
from collections.abc import Callable, Iterator
from typing import TextIO

_FOLLOW_S = 0.3
# An address that is not a part of another address.
_WHOLE = r"(?<![\w@-]){}(?![\w@-])"


def log_lines(path: str, lines: int, follow: bool, agent: str = "") -> Iterator[str]:
    """Yield the last `lines` lines of a log as one text; if `follow`, go on with what is added, and never end.

    If `agent` is given, only lines that name this agent count. The log may be rotated meanwhile, and the lines may
    reach back into rotated files. If `follow`, first waits until the log exists; else raises OSError without one.
    """
    while follow and not os.path.exists(path):
        time.sleep(_FOLLOW_S)
    is_wanted = _names(agent)
    file = _open_text(path)
    text = file.read()
    whole, rest = _cut(text) if follow else (text, "")
    yield "".join(_last(path, file, whole, lines, is_wanted))
    while follow:
        rotated = _is_rotated(path, file)
        whole, rest = _cut(rest + file.read())  # includes what was written before we saw the rotation
        yield "".join(filter(is_wanted, _lines(whole)))
        if rotated:
            file.close()
            file = _open_text(path)
        else:
            time.sleep(_FOLLOW_S)
    file.close()


def _names(agent: str) -> Callable[[str], bool]:
    """Return a test whether a line names the agent, and not just another one whose address contains this one's."""
    return (lambda _: True) if not agent else lambda line: bool(re.search(_WHOLE.format(re.escape(agent)), line))


def _lines(text: str) -> list[str]:
    return re.findall(r"[^\n]*\n|[^\n]+", text)


def _cut(text: str) -> tuple[str, str]:
    """Return the whole lines of a text, and the beginning of a line at its end."""
    end = text.rfind("\n") + 1
    return text[:end], text[end:]


def _last(path: str, file: TextIO, text: str, lines: int, is_wanted: Callable[[str], bool]) -> list[str]:
    """Return the last wanted lines of the open log, whose `text` was read, and of the files it was rotated to."""
    found = [line for line in _lines(text) if is_wanted(line)]
    number = 1
    while len(found) < lines and os.path.exists(older := f"{path}.{number}"):
        number += 1
        with _open_text(older) as rotated:
            if not os.path.samestat(os.fstat(rotated.fileno()), os.fstat(file.fileno())):  # rotated just now
                found = [line for line in _lines(rotated.read()) if is_wanted(line)] + found
    return found[-lines:]


def _open_text(path: str) -> TextIO:
    return open(path, encoding="utf-8", errors="replace", newline="")


def _is_rotated(path: str, file: TextIO) -> bool:
    """Tell whether another file has the log's path by now."""
    try:
        return not os.path.samestat(os.stat(path), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
