"""Compares the clocks of this and other machines, for a person to know; mail never depends on them.

Another machine's page says when it was written, by that machine's clock. The difference to the time at which it was
seen here is the difference of the clocks, except for the page's time on the way. A jump of this machine's clock shows
by a clock that only counts.
"""

from __future__ import annotations

import json
import time
from contextlib import suppress

from ai_bridge.machines import presence_pages
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import state_files

# Seconds: a page may be so long on its way, and a smaller change is no jump.
TOLERANCE_S, _JUMP_S = 30.0, 2.0
# Only a router that looks this often sees a page at the time when it changes.
_OFTEN_S = 15.0
_FILE = "clocks.json"
# A difference is forgotten a day after it was seen.
_REMEMBERED_S = 86_400.0
HERE = "here"
# The errors that a damaged file causes.
_DAMAGED = (ValueError, TypeError, AttributeError, OverflowError, RecursionError)


class Clocks:
    """Looks at the clocks at each sweep of a router; writes notable differences to the state directory."""

    def __init__(self, mailboxes: Tree) -> None:
        self._mailboxes = mailboxes
        self._pages: dict[str, str] = {}
        self._looked = -_OFTEN_S
        self._offset = time.time() - counted()

    def check(self) -> float:
        """Look at the clocks; returns the seconds by which this machine's clock jumped since the last look, else 0.0.

        It writes the differences that it finds to the state directory.
        """
        offset = time.time() - counted()
        jumped, self._offset = offset - self._offset, offset
        found = {HERE: jumped} if abs(jumped) > _JUMP_S else {}
        stated = presence_pages.stated(self._mailboxes)
        if counted() - self._looked < _OFTEN_S and HERE not in found:
            new = {name: at for name, (digest, at) in stated.items() if self._pages.get(name, digest) != digest}
            found |= {name: at - time.time() for name, at in new.items() if at}
        self._pages, self._looked = {name: digest for name, (digest, _) in stated.items()}, counted()
        if found:
            _save(self._mailboxes, found)
        return found.get(HERE, 0.0)


def counted() -> float:
    """Return the seconds of a clock that only counts, even while the machine sleeps."""
    clock = getattr(time, "CLOCK_BOOTTIME", None)
    return time.monotonic() if clock is None else time.clock_gettime(clock)


def notable(mailboxes: Tree) -> dict[str, float]:
    """Return the seconds by which other machines' clocks are ahead, and as `HERE` the last jump of this one's."""
    now, found = time.time(), _load(mailboxes)
    recent = {name: seconds for name, (seconds, at) in found.items() if abs(now - at) < _REMEMBERED_S}
    return {name: seconds for name, seconds in recent.items() if name == HERE or abs(seconds) > TOLERANCE_S}


def _load(mailboxes: Tree) -> dict[str, tuple[float, float]]:
    with suppress(OSError, *_DAMAGED), open(mailboxes.state_file(_FILE)) as file:
        return {str(name): (float(seconds), float(at)) for name, (seconds, at) in json.load(file).items()}
    return {}


def _save(mailboxes: Tree, found: dict[str, float]) -> None:
    path, now = mailboxes.state_file(_FILE), time.time()
    said = _load(mailboxes) | {name: (seconds, now) for name, seconds in found.items()}
    with suppress(OSError):
        state_files.remember(path, json.dumps(said).encode(), flush=False)
