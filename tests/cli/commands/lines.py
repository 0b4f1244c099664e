"""The keys of a message in the lines of `--json`."""

from __future__ import annotations

KEYS = ["id", "from", "to", "subject", "date", "in_reply_to", "thread", "state", "path", "headers", "body"]
