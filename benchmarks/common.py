"""Helpers of the benchmarks: throw-away mailboxes, processes that always end, timing side by side, a plain table."""

from __future__ import annotations

import argparse
import math
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from ai_bridge.mailboxes.compose import Sent
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending import send as sending
from ai_bridge.sending.send import Wanted
from ai_bridge.system.locks import holder

ROOT = Path(__file__).resolve().parent.parent
PROGRAM = str(Path(sys.executable).parent / "ai-bridge")
SENDER, READER = "claude", "gemini"
LIMIT = 1_048_576
BODY = "Phase 1 is complete. No escaping: $(), \\, \", ' mean nothing here.\n" * 4
_FOREIGN = ("AI_BRIDGE_", "AI_CONNECT_", "CLAUDE_", "XDG_")
_PATIENCE_S = 20.0


# --- what is asked for, and where -----------------------------------------------------------------------


def parser(description: str | None) -> argparse.ArgumentParser:
    """Return a parser with the option that all benchmarks have."""
    made = argparse.ArgumentParser(description=description)
    made.add_argument("--dir", default=".", help="work in a throw-away directory in here (default: the current one)")
    return made


@contextmanager
def throw_away(parent: str) -> Iterator[Path]:
    """Yield a new directory that is removed at the end; home and state of this process and its children are in it.

    No limit holds for the mail of a pair of agents.
    """
    directory = Path(tempfile.mkdtemp(prefix=".benchmark-", dir=os.path.abspath(parent)))
    for name in list(os.environ):
        if name.startswith(_FOREIGN) or name == "PYTHONDONTWRITEBYTECODE":
            del os.environ[name]
    os.environ["HOME"] = str(directory / "home")
    os.environ["AI_BRIDGE_PAIR_PER_HOUR"] = "0"  # more is sent than two agents may in an hour
    try:
        yield directory
    finally:
        shutil.rmtree(directory)


def make_mailboxes(directory: Path, name: str = "mailboxes") -> Tree:
    """Return new mailboxes with a sender and a reader."""
    where = Tree(str(directory / name))
    where.make([SENDER, READER])
    return where


def send(where: Tree, number: int = 1, sender: str = SENDER, recipient: str = READER, body: str = BODY) -> list[Sent]:
    """Send messages with one flush, as the faces do."""
    return sending.send(Snapshot(where.path), sender, [Wanted([recipient], body) for _ in range(number)])


# --- processes ------------------------------------------------------------------------------------------


@contextmanager
def child(words: Sequence[str], **options: object) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a process that has ended when the block is left."""
    process = subprocess.Popen(words, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(_PATIENCE_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        for stream in (process.stdin, process.stdout):
            if stream is not None:
                stream.close()


@contextmanager
def router(where: Tree, *options: str) -> Iterator[subprocess.Popen[bytes]]:
    """Yield a router process that serves all agents of the mailboxes."""
    log = os.path.join(os.path.dirname(where.path), "router.log")
    words = [PROGRAM, "router", "--mailboxes", where.path, "--log", log, *options]
    with child(words, stdin=subprocess.DEVNULL) as process:
        deadline = time.monotonic() + _PATIENCE_S
        while not all(_is_ready(where, agent) for agent in where.agents()):
            if process.poll() is not None or time.monotonic() > deadline:
                raise SystemExit("error: the router did not start")
            time.sleep(0.01)
        yield process


def _is_ready(where: Tree, agent: str) -> bool:
    found = holder(where.lock_file("router", agent))
    return found is not None and found.ready


# --- timing ---------------------------------------------------------------------------------------------


def seconds(action: Callable[[], object]) -> float:
    """Return the seconds one call takes."""
    before = time.perf_counter()
    action()
    return time.perf_counter() - before


def whole_process(words: Sequence[str], stdin: Path) -> float:
    """Return the seconds from before the start of a process to after its end."""
    files = [
        (os.POSIX_SPAWN_OPEN, 0, str(stdin), os.O_RDONLY, 0),
        (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
    ]
    before = time.perf_counter()
    pid = os.posix_spawn(words[0], words, os.environ, file_actions=files)
    _, status = os.waitpid(pid, 0)
    taken = time.perf_counter() - before
    if status:
        raise SystemExit(f"error: {' '.join(words)} failed")
    return taken


def alternate(rounds: int, *actions: Callable[[], float]) -> list[list[float]]:
    """Call the actions in turn, A B A B; returns what each returned, after a first turn that does not count."""
    found: list[list[float]] = [[] for _ in actions]
    for number in range(rounds + 1):
        for results, action in zip(found, actions, strict=True):
            result = action()
            if number:
                results.append(result)
    return found


def measured(
    description: str | None, rounds: int, actions: Callable[[Path], Sequence[Callable[[], float]]]
) -> list[list[float]]:
    """Run a benchmark whose `actions`, made in a throw-away directory, take turns; returns the times of each."""
    options = parser(description)
    options.add_argument("--rounds", type=int, default=rounds)
    chosen = options.parse_args()
    with throw_away(chosen.dir) as directory:
        return alternate(chosen.rounds, *actions(directory))


def median(values: Sequence[float]) -> float:
    """Return the middle value."""
    return statistics.median(values)


def bare_drop(directory: str, name: str, data: bytes) -> None:
    """Put one durable file into a directory as a plain script would: write, fsync, rename, fsync of the directory."""
    temporary = os.path.join(directory, f".{name}.new")
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    os.write(fd, data)
    os.fsync(fd)
    os.close(fd)
    os.rename(temporary, os.path.join(directory, name))
    fd = os.open(directory, os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)


def percentile(values: Sequence[float], percent: float) -> float:
    """Return the smallest value that at least `percent` per cent of the values do not exceed."""
    ranked = sorted(values)
    return ranked[max(0, math.ceil(len(ranked) * percent / 100) - 1)]


def spread(values: Sequence[float]) -> str:
    """Return the first and the last decile of some milliseconds given in seconds."""
    return f"{1e3 * percentile(values, 10):.2f}-{1e3 * percentile(values, 90):.2f}"


# --- printing -------------------------------------------------------------------------------------------


def print_table(title: str, headings: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table: the first column to the left, the figures to the right."""
    widths = [max(len(row[column]) for row in (headings, *rows)) for column in range(len(headings))]
    print(title)
    for row in (headings, tuple("-" * width for width in widths), *rows):
        cells = [
            row[0].ljust(widths[0]),
            *(text.rjust(width) for text, width in zip(row[1:], widths[1:], strict=True)),
        ]
        print("  ".join(cells).rstrip())
    print(flush=True)


def ms(value: float) -> str:
    """Return seconds as milliseconds."""
    return f"{1e3 * value:.2f}"


def percentiles(values: Sequence[float]) -> list[str]:
    """Return the cells p50, p90, p99 in milliseconds of some seconds."""
    return [ms(percentile(values, percent)) for percent in (50, 90, 99)]
