"""Whole-process time of `ai-bridge send` beside a bare interpreter, and of management/send.sh beside a bare shell."""

from __future__ import annotations

import json
import os
import shutil
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import common

_BATCH = 100
# Who sends the batches, so that none of them is looked at by the single sends.
_OTHER = "codex"
_SHELL = shutil.which("sh") or "/bin/sh"


def main() -> None:
    times = common.measured(__doc__, 100, _actions)
    _report(*times)


def _actions(directory: Path) -> list[Callable[[], float]]:
    """Return what is measured, in the order of `_report`."""
    where = common.make_mailboxes(directory)
    where.make([_OTHER])
    os.environ.update(AI_BRIDGE_MAILBOXES=where.path, AI_BRIDGE_AGENT=common.SENDER)
    body, batch = directory / "body", directory / "batch"
    body.write_text(common.BODY)
    batch.write_text((json.dumps({"body": common.BODY}) + "\n") * _BATCH)
    os.environ["AI_BRIDGE_PAIR_PER_HOUR"] = "1000000"  # out of reach, but counted
    script = str(common.ROOT / "management" / "send.sh")
    return [
        partial(common.whole_process, [sys.executable, "-c", "pass"], body),
        partial(common.whole_process, [common.PROGRAM, "send", common.READER], body),
        partial(common.whole_process, [common.PROGRAM, "send", common.READER, "--from", _OTHER, "--batch"], batch),
        partial(common.whole_process, [_SHELL, "-c", ":"], body),
        partial(common.whole_process, [script, common.READER], body),
        partial(_bare_drop, directory),
    ]


def _bare_drop(directory: Path) -> float:
    """Return the seconds the disk takes for one durable file, without any process around it."""
    return common.seconds(partial(common.bare_drop, str(directory), str(time.monotonic_ns()), common.BODY.encode()))


def _report(
    python: list[float],
    send: list[float],
    batch: list[float],
    shell: list[float],
    script: list[float],
    drop: list[float],
) -> None:
    per_message = [value / _BATCH for value in batch]
    rows = [
        _row("python -c pass", python, "1.00", ""),
        _row("ai-bridge send", send, _ratio(send, python), "1.25 x python"),
        _row("ai-bridge send --batch, a message of 100", per_message, _ratio(per_message, python), ""),
        _row("sh -c :", shell, _ratio(shell, python), ""),
        _row("management/send.sh", script, _ratio(script, python), "10 ms"),
        _row("one durable file, no process", drop, _ratio(drop, python), ""),
    ]
    common.print_table("start", ["whole process", "median ms", "p10-p90", "x python", "target"], rows)


def _row(name: str, values: list[float], ratio: str, target: str) -> list[str]:
    return [name, common.ms(common.median(values)), common.spread(values), ratio, target]


def _ratio(values: list[float], base: list[float]) -> str:
    return f"{common.median(values) / common.median(base):.2f}"


if __name__ == "__main__":
    main()
