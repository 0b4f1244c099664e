"""`ai-bridge` without the flushes of its own records: `python -m tests.power_cuts.unflushed WORDS…`.

Messages are flushed as ever. It is the control of the power cuts: what they are to find must be lost by this.
"""

from __future__ import annotations

from functools import partial

from ai_bridge.cli.entry import ai_bridge
from ai_bridge.mailboxes.outbox import Outbox
from ai_bridge.system import durable


def _nothing(*_: object) -> None:
    """Flush nothing."""


def main() -> None:
    durable.replace_own = partial(durable.replace_own, flush=False)  # type: ignore[assignment]
    durable._flush_name = _nothing
    Outbox.flush = _nothing  # type: ignore[method-assign]
    ai_bridge()


if __name__ == "__main__":
    main()
