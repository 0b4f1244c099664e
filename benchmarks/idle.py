"""The cost of an idle router, by events and by polling, and the cost of past mail for a reader."""

from __future__ import annotations

import os
import time
from contextlib import ExitStack
from functools import partial
from pathlib import Path

import common
from common import ms

from ai_bridge import settings
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes import unread as inbox
from ai_bridge.mailboxes.outbox import READ
from ai_bridge.mailboxes.tree import Tree

_KINDS = {"events": (), "--poll": ("--poll",)}
_SETTLING_S = 2.0


def main() -> None:
    options = common.parser(__doc__)
    options.add_argument("--seconds", type=float, default=60.0)
    options.add_argument("--read", type=int, default=100_000, help="messages in .read")
    options.add_argument("--rounds", type=int, default=200)
    chosen = options.parse_args()
    with common.throw_away(chosen.dir) as directory:
        _report_routers(_routers(directory, chosen.seconds), chosen.seconds)
        _report_reads(chosen.read, *_reads(directory, chosen.read, chosen.rounds))


# --- idle routers ---------------------------------------------------------------------------------------


def _routers(directory: Path, seconds: float) -> dict[str, list[float]]:
    """Return the share of a core, the same by the scheduler's clock, RSS and PSS in KiB of routers left alone."""
    with ExitStack() as stack:
        pids = {}
        for kind, options in _KINDS.items():
            where = common.make_mailboxes(directory, f"mailboxes {kind}")
            pids[kind] = stack.enter_context(common.router(where, *options)).pid
        time.sleep(_SETTLING_S)
        before = {kind: cpu_seconds(pid) for kind, pid in pids.items()}
        time.sleep(seconds)
        after = {kind: cpu_seconds(pid) for kind, pid in pids.items()}
        shares = {kind: [(b - a) / seconds for a, b in zip(before[kind], after[kind], strict=True)] for kind in pids}
        return {kind: [*shares[kind], *_memory_kib(pid)] for kind, pid in pids.items()}


def cpu_seconds(pid: int) -> tuple[float, float]:
    """Return the seconds of processor a process used: by the ticks of its `stat`, and as the scheduler counted."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = int(fields[11]) + int(fields[12])
    threads = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return ticks / os.sysconf("SC_CLK_TCK"), sum(int(one.read_text().split()[0]) for one in threads) / 1e9


def _memory_kib(pid: int) -> list[float]:
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    fields = {name: int(value.split()[0]) for name, _, value in (line.partition(":") for line in lines)}
    return [fields["Rss"], fields["Pss"]]


def _report_routers(found: dict[str, list[float]], seconds: float) -> None:
    rows = [
        [kind, f"{100 * ticks:.2f} %", f"{100 * exact:.3f} %", f"{rss / 1024:.1f}", f"{pss / 1024:.1f}"]
        for kind, (ticks, exact, rss, pss) in found.items()
    ]
    headings = ["router", "of a core, by ticks", "by the scheduler", "RSS MB", "PSS MB"]
    targets = ["target", "0.5 %", "0.5 %", "40", "40"]
    common.print_table(f"idle: {seconds:g} s", headings, [*rows, targets])


# --- reads beside past mail -----------------------------------------------------------------------------


def _reads(directory: Path, messages: int, rounds: int) -> list[list[float]]:
    """Return the seconds of a listing and of an empty read, each with no past mail and with much."""
    empty, full = (common.make_mailboxes(directory, name) for name in ("empty", "full"))
    _fill(full, messages)
    actions = []
    for where in (empty, full):
        loaded = settings.load(where.path)
        actions.append(partial(common.seconds, partial(inbox.unread_for, where, common.READER)))
        actions.append(partial(common.seconds, partial(fetch, where, common.READER, loaded)))
    return common.alternate(rounds, *actions)


def _fill(where: Tree, messages: int) -> None:
    outbox = where.outbox(common.SENDER)
    for number in range(messages):
        name = f"{common.SENDER}-20261122-{number // 1000:06d}-{number % 1000:06d}-0000.{common.READER}.txt"
        with open(outbox.file(READ, name), "w") as file:
            file.write(common.BODY)


def _report_reads(
    messages: int, unread: list[float], read: list[float], unread_full: list[float], read_full: list[float]
) -> None:
    rows = [
        _row("list what is unread", unread, unread_full),
        _row("read, nothing unread, no router", read, read_full),
    ]
    headings = ["median ms", "0 in .read", f"{messages} in .read", "ratio"]
    common.print_table(f"idle: past mail, {len(unread)} of each", headings, rows)


def _row(name: str, empty: list[float], full: list[float]) -> list[str]:
    return [
        name,
        ms(common.median(empty)),
        ms(common.median(full)),
        f"{common.median(full) / common.median(empty):.2f}",
    ]


if __name__ == "__main__":
    main()
