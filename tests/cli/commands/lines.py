"""The keys of a message in the lines of `--json`, and its line for people without its time."""

from __future__ import annotations

import re

KEYS = ["id", "from", "to", "subject", "date", "in_reply_to", "thread", "state", "path", "headers", "body"]
_TIME = re.compile(r"(?m)^(\w+ +\S+)  \d{4}-\d\d-\d\d \d\d:\d\dZ  ")


def untimed(text: str) -> str:
    """Return lines of messages without the time that each has behind its ID."""
    return _TIME.sub(r"\1  ", text)
