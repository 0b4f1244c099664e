"""Many agents and much past mail, compared with two agents without: the wake, passes, full scans and look-ups.

It makes the mailboxes first, which takes a minute; `--keep` leaves them, and `--reuse` measures with them again.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

import common
import scale_mail
import scale_past
import tree
from ground import HEADINGS, Ground, Row

from ai_bridge.mailboxes.tree import Tree

# Each measures something and returns its rows; one more row is one more function.
_PARTS: tuple[Callable[[Ground], list[Row]], ...] = (
    scale_mail.wake_with_a_router,
    scale_mail.wake_without_a_router,
    scale_mail.router_pass,
    scale_mail.idle_router,
    scale_mail.looks_at_everything,
    scale_past.list_of_agents,
    scale_past.index_from_nothing,
    scale_past.history,
    scale_past.threads,
    scale_past.search,
    scale_past.new_message,
)


def main() -> None:
    chosen = _options().parse_args()
    with common.throw_away(chosen.dir) as directory:
        many = Tree(chosen.reuse).check() if chosen.reuse else _made(chosen, directory)
        ground = Ground(many, common.make_mailboxes(directory, "two"), chosen.rounds)
        rows = [row for part in _PARTS if chosen.only in part.__name__ for row in _told(part, ground)]
    common.print_table(f"scale: {len(ground.agents)} agents, {ground.messages} read messages", HEADINGS, rows)


def _options() -> argparse.ArgumentParser:
    options = common.parser(__doc__)
    options.add_argument("--agents", type=int, default=1000)
    options.add_argument("--messages", type=int, default=1_000_000, help="messages in .read, of all agents together")
    options.add_argument("--rounds", type=int, default=300)
    options.add_argument("--only", default="", metavar="WORD", help="only the parts with this word in their name")
    options.add_argument("--keep", action="store_true", help="leave the mailboxes in --dir")
    options.add_argument("--reuse", metavar="DIR", help="measure with mailboxes that were kept")
    return options


def _made(chosen: argparse.Namespace, directory: Path) -> Tree:
    path = Path(chosen.dir).resolve() / f"mailboxes-{os.getpid()}" if chosen.keep else directory / "many"
    before = time.perf_counter()
    many = tree.make(path, chosen.agents, chosen.messages)
    taken = time.perf_counter() - before
    os.sync()
    print(f"{path}: {chosen.messages} messages made in {taken:.0f} s, {chosen.messages / taken:.0f}/s\n", flush=True)
    return many


def _told(part: Callable[[Ground], list[Row]], ground: Ground) -> list[Row]:
    """Measure; say what, for it takes minutes."""
    print(f"{part.__name__.replace('_', ' ')} ...", file=sys.stderr, flush=True)
    return part(ground)


if __name__ == "__main__":
    main()
