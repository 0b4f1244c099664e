"""One router pass over many dropped messages against a bare loop that makes the same renames and reads."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from itertools import count
from pathlib import Path

import common

from ai_bridge import settings
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.route import Router
from ai_bridge.system import durable

_numbers = count()


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--messages", type=int, default=10_000)
    options.add_argument("--rounds", type=int, default=5)
    chosen = options.parse_args()
    with common.throw_away(chosen.dir) as directory:
        measure = partial(_on_fresh_files, directory, chosen.messages)
        passes = [partial(_pass, pair_per_hour=limit) for limit in (0, 10 * chosen.messages)]
        loops = [*passes, partial(_bare, rename=durable.rename), partial(_bare, rename=os.rename)]
        times = common.alternate(chosen.rounds, *(partial(measure, loop) for loop in loops))
    _report(chosen.messages, *times)


def _on_fresh_files(directory: Path, messages: int, loop: Callable[[Tree], None]) -> float:
    """Return the seconds the loop takes over new mailboxes in which so many messages are dropped.

    They are left until the end: on ext4 files are made slowly for some seconds after many were removed.
    """
    where = common.make_mailboxes(directory, f"mailboxes-{next(_numbers)}")
    common.send(where, messages)
    os.sync()
    taken = common.seconds(partial(loop, where))
    moved = len(os.listdir(where.outbox(common.SENDER).directory(UNREAD)))
    if moved != messages:
        raise SystemExit(f"error: {moved} of {messages} were moved")
    return taken


def _pass(where: Tree, pair_per_hour: int) -> None:
    loaded = settings.load(where.path, {"pair_per_hour": pair_per_hour})
    for _ in Router(where, {common.SENDER, common.READER}, loaded).one_pass():
        pass


def _bare(where: Tree, rename: Callable[[str, str], None]) -> None:
    outbox = where.outbox(common.SENDER)
    for name in sorted(os.listdir(outbox.path)):
        if name.endswith(".txt"):
            _move_bare(outbox, name, rename)


def _move_bare(outbox: Outbox, name: str, rename: Callable[[str, str], None]) -> None:
    dropped, processing, unread = (outbox.file(state, name) for state in (DROPPED, PROCESSING, UNREAD))
    fd = os.open(dropped, os.O_RDONLY)
    os.read(fd, common.LIMIT)
    os.close(fd)
    rename(dropped, processing)
    rename(processing, unread)


def _report(
    messages: int, routed: list[float], counted: list[float], no_replace: list[float], bare: list[float]
) -> None:
    rows = [
        _row(name, messages, values, bare, target)
        for name, values, target in (
            ("router, one pass", routed, "50 %"),
            ("router, one pass, counting the pair's mail", counted, "50 %"),
            ("bare loop, renames that never replace", no_replace, ""),
            ("bare loop, os.rename", bare, ""),
        )
    ]
    headings = ["loop", "messages/s", "slowest-fastest", "share of bare", "target"]
    common.print_table(f"route: {messages} messages, {len(bare)} rounds", headings, rows)


def _row(name: str, messages: int, values: list[float], bare: list[float], target: str) -> list[str]:
    share = common.median([one / other for one, other in zip(bare, values, strict=True)])
    ends = f"{messages / max(values):.0f}-{messages / min(values):.0f}"
    return [name, f"{messages / common.median(values):.0f}", ends, f"{100 * share:.0f} %", target]


if __name__ == "__main__":
    main()
