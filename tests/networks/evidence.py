"""What to look at where a verdict is not clean: the logs' last words, and what lies where it should not."""

from __future__ import annotations

import sys
from collections import Counter
from pathlib import Path

from tests.networks.workload import Course, left, said

_MANY = 8


def show(course: Course) -> None:
    """Print it, to standard error."""
    for actor in course.actors():
        told = set(said(actor))
        troubles = Counter(line for line in actor.lines if line not in told)
        _print(f"{actor.name} of {actor.host.agent}", [f"{count} times {text}" for text, count in troubles.items()])
        _print("  its standard error", _tail(actor.host.base / f"{actor.name}.err"))
    for router in course.routers:
        log = _tail(router.host.router_log, 10_000)
        _print(f"log of {router.host.agent}'s router", [line for line in log if " INFO deliver" not in line])
    for router, look in zip(course.routers, course.looks, strict=True):
        for state, names in look.items():
            if state not in ("read", "conflicts"):
                _print(f"{state}, seen by {router.host.agent}", names)
    _print("lost", sorted(_lost(course)))
    _print("left behind", [name for look in course.looks for name in left(look)])


def _lost(course: Course) -> set[str]:
    shown = {line.split()[0] for reader in course.readers for line in said(reader)}
    return {id_ for sender in course.senders for id_ in said(sender)} - shown


def _tail(path: Path, lines: int = _MANY) -> list[str]:
    return path.read_text().splitlines()[-lines:] if path.exists() else []


def _print(what: str, lines: list[str]) -> None:
    if lines:
        print(f"--- {what}: {len(lines)}", *(line[:300] for line in lines[-_MANY:]), sep="\n    ", file=sys.stderr)
