"""Archiving old mail against a bare loop of the same renames; the index is warm, as after any look at past mail."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import common

from ai_bridge.archive.threads import archive_older
from ai_bridge.history import search
from ai_bridge.history.query import Query
from ai_bridge.mailboxes.outbox import ARCHIVED, READ
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import times

_LONG_AGO = 1_700_000_000
_MONTH_S = 30 * 86_400
_DAY_S = 86_400
# Messages of a thread, and threads of a day.
_THREAD, _DAILY = 5, 500
_numbers = count()


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--messages", type=int, default=100_000)
    options.add_argument("--rounds", type=int, default=3)
    chosen = options.parse_args()
    with common.throw_away(chosen.dir) as directory:
        measure = partial(_on_fresh_files, directory, chosen.messages)
        loops = [partial(measure, loop) for loop in (_archive, _bare)]
        archived, bare = common.alternate(chosen.rounds, *loops)
    rows = [
        _row("archive --older-than 30d", chosen.messages, archived, bare, "50 %"),
        _row("bare loop, os.rename", chosen.messages, bare, bare, ""),
    ]
    headings = ["loop", "messages/s", "slowest-fastest", "share of bare", "target"]
    common.print_table(f"archive: {chosen.messages} messages", headings, rows)


def _on_fresh_files(directory: Path, messages: int, loop: Callable[[Tree], None]) -> float:
    """Return the seconds the loop takes over new mailboxes with so many read messages, all of them old."""
    where = common.make_mailboxes(directory, f"mailboxes-{next(_numbers)}")
    outbox = where.outbox(common.SENDER)
    for name, text in map(_message, range(messages)):
        path = outbox.file(READ, name)
        Path(path).write_text(text)
        os.utime(path, (_LONG_AGO, _LONG_AGO))  # else the index reads it once more
    while not search.find(where, Query(limit=1)).complete:
        pass
    os.sync()
    taken = common.seconds(partial(loop, where))
    if left := len(os.listdir(outbox.directory(READ))):
        raise SystemExit(f"error: {left} of {messages} were not moved")
    return taken


def _message(number: int) -> tuple[str, str]:
    """Return the name and the text of one of the messages, which are of threads of `_THREAD` messages."""
    first = _id(number - number % _THREAD)
    thread = f"Thread: {first}\n" if number % _THREAD else ""
    text = f"ID: {_id(number)}\nFrom: {common.SENDER}\nTo: {common.READER}\nSubject: s\n{thread}\n{common.BODY}"
    return f"{_id(number)}.{common.READER}.txt", text


def _id(number: int) -> str:
    day, rest = divmod(number, _THREAD * _DAILY)
    stamp = times.format_stamp((_LONG_AGO + day * _DAY_S + rest) * 1_000_000_000)
    return f"{common.SENDER}-{stamp[:8]}-{stamp[8:14]}-{number % 1_000_000:06}-aaaa"


def _archive(where: Tree) -> None:
    archive_older(where, _MONTH_S)


def _bare(where: Tree) -> None:
    """Make the same renames into directories that are known beforehand, without any check."""
    outbox, made = where.outbox(common.SENDER), set[str]()
    read, archive, skip = outbox.directory(READ), outbox.directory(ARCHIVED), len(f"{common.SENDER}-")
    for name in os.listdir(read):
        month = f"{archive}/{name[skip : skip + 4]}-{name[skip + 4 : skip + 6]}"
        if month not in made:
            os.makedirs(month)
            made.add(month)
        os.rename(f"{read}/{name}", f"{month}/{name}")


def _row(name: str, messages: int, values: list[float], bare: list[float], target: str) -> list[str]:
    rates = sorted(messages / value for value in values)
    ratios = [other / value for value, other in zip(values, bare, strict=True)]
    share = f"{100 * common.median(ratios):.0f} %"
    return [name, f"{common.median(rates):.0f}", f"{rates[0]:.0f}-{rates[-1]:.0f}", share, target]


if __name__ == "__main__":
    main()
