"""Whether the commands print colours: the one place that decides it."""

from __future__ import annotations

import os


def wanted() -> bool | None:
    """Return False for no colours, True for colours even into a pipe, None for colours on a terminal only.

    `NO_COLOR` (any value but '') goes before `FORCE_COLOR` (likewise; `0` means no colours), and both before
    `TERM=dumb`, a terminal that knows no colours.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if forced := os.environ.get("FORCE_COLOR"):
        return forced != "0"
    return False if os.environ.get("TERM") == "dumb" else None
