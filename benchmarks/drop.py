"""Durable drops per second, one by one and in batches, against a bare loop of write, fsync, rename, fsync."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import common

_SOME = 25
_BATCH = 100
_numbers = count()


def main() -> None:
    times = common.measured(__doc__, 20, _actions)
    _report(*times)


def _actions(directory: Path) -> list[Callable[[], float]]:
    """Return what is measured, each the seconds a message."""
    where = common.make_mailboxes(directory)
    bare = directory / "bare"
    bare.mkdir()
    return [
        partial(_each, _SOME, partial(_times, _SOME, partial(_bare_drop, str(bare)))),
        partial(_each, _SOME, partial(_times, _SOME, partial(common.send, where))),
        partial(_each, _BATCH, partial(common.send, where, _BATCH)),
    ]


def _each(messages: int, action: Callable[[], object]) -> float:
    return common.seconds(action) / messages


def _times(number: int, action: Callable[[], object]) -> None:
    for _ in range(number):
        action()


def _bare_drop(directory: str) -> None:
    common.bare_drop(directory, f"{next(_numbers):08d}.txt", common.BODY.encode())


def _report(bare: list[float], one: list[float], batch: list[float]) -> None:
    rows = [
        _row("bare loop", bare, bare),
        _row("send, one by one", one, bare),
        _row(f"a send of {_BATCH}", batch, bare),
    ]
    headings = ["drops", "drops/s", "p10-p90 ms a drop", "x bare"]
    common.print_table(f"drop: one thread, {len(bare)} rounds of {_SOME}", headings, rows)


def _row(name: str, values: list[float], bare: list[float]) -> list[str]:
    times = common.median([other / one for one, other in zip(values, bare, strict=True)])
    return [name, f"{1 / common.median(values):.0f}", common.spread(values), f"{times:.2f}"]


if __name__ == "__main__":
    main()
