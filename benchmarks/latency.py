"""The time from a drop to the return of a reader that another process blocks in, one message at a time.

A router runs in a third process. In turn with it, the benchmark measures a floor: a file is renamed twice, from
process to process, and raw inotify alone wakes each.
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from itertools import count
from pathlib import Path

import common
from common import percentiles

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable

_WARM_UP = 20
# Long enough that the reader has acknowledged the last message and is blocked again.
_PAUSE_S = 0.03
_READERS = {"a blocked `wait`": "wait", "a blocked peer_wait, MCP": "mcp"}
_TARGETS = ["3.00", "", "15.00"]
_numbers = count()


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--messages", type=int, default=500)
    chosen = options.parse_args()
    rows = []
    with common.throw_away(chosen.dir) as directory:
        for name, kind in _READERS.items():
            rows += _rows(name, *_measure(directory / kind, kind, chosen.messages))
    rows.append(["target, from its publishing", *_TARGETS])
    headings = ["from a drop to", "p50 ms", "p90 ms", "p99 ms"]
    common.print_table(f"latency: {chosen.messages} messages to each", headings, rows)


def _rows(name: str, floor: list[float], times: list[float], sends: list[float]) -> list[list[str]]:
    whole = [one + other for one, other in zip(times, sends, strict=True)]
    return [
        [f"{name}, from its publishing", *percentiles(times)],
        [f"{name}, from the call of send", *percentiles(whole)],
        ["  the floor beside it, two hops", *percentiles(floor)],
    ]


def _measure(directory: Path, kind: str, messages: int) -> tuple[list[float], list[float], list[float]]:
    """Return the seconds of the floor, of each message from its publishing, and of `send` until then."""
    where = common.make_mailboxes(directory)
    stamps = _stamp_publishing()
    sends: list[float] = []
    with common.router(where), _reader(kind, where.path) as reader, _two_hops(directory) as floor:
        time.sleep(1.0)  # the server's start is not what is measured
        message = partial(_message, where, reader, stamps, sends)
        common.alternate(_WARM_UP, floor, message)
        sends.clear()
        found = common.alternate(messages, floor, message)
    return found[0], found[1], sends[-messages:]


# --- what is measured -----------------------------------------------------------------------------------


def _message(where: Tree, reader: subprocess.Popen[bytes], stamps: list[int], sends: list[float]) -> float:
    """Return the seconds from a message's publishing to the reader's return."""
    time.sleep(_PAUSE_S)
    called = time.monotonic_ns()
    common.send(where)
    published = stamps.pop()
    sends.append((published - called) / 1e9)
    return (_instant(reader) - published) / 1e9


def _stamp_publishing() -> list[int]:
    """Have the instant before each publishing noted: the fsync of the content is before it, the message after."""
    stamps: list[int] = []
    publish = durable.publish

    def stamped(temporary: str, final: str) -> None:
        stamps.append(time.monotonic_ns())
        publish(temporary, final)

    durable.publish = stamped
    return stamps


def _rename(source: Path, target: Path, last: subprocess.Popen[bytes]) -> float:
    """Return the seconds from a rename here to the instant at which the last process had the file."""
    name = str(next(_numbers))
    (source / name).write_text(common.BODY)
    time.sleep(_PAUSE_S)
    renamed = time.monotonic_ns()
    os.rename(source / name, target / name)
    return (_instant(last) - renamed) / 1e9


# --- processes ------------------------------------------------------------------------------------------


@contextmanager
def _reader(*words: str) -> Iterator[subprocess.Popen[bytes]]:
    script = str(Path(__file__).with_name("readers.py"))
    with common.child([sys.executable, script, *words], stdout=subprocess.PIPE) as process:
        yield process


@contextmanager
def _two_hops(directory: Path) -> Iterator[Callable[[], float]]:
    """Yield what sends a file through two processes that wait for it."""
    places = [directory / f"hop-{number}" for number in range(4)]
    for place in places:
        place.mkdir()
    with _reader("hop", *map(str, places[1:3])), _reader("hop", *map(str, places[2:4])) as last:
        yield partial(_rename, places[0], places[1], last)


def _instant(process: subprocess.Popen[bytes]) -> int:
    assert process.stdout is not None
    if not (line := process.stdout.readline()):
        raise SystemExit("error: a reader ended")
    return int(line)


if __name__ == "__main__":
    main()
