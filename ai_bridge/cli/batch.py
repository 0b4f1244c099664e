"""The lines of `send --batch`: each is a JSON object that describes one message."""

from __future__ import annotations

import json
from typing import Any

from ai_bridge.errors import BridgeError

_TEXTS = ("body", "subject", "to", "reply_to", "expires", "urgency")


class BadBatchLine(BridgeError):
    sentence = "line {number} of the batch {why}; nothing was sent"


def parsed(text: str) -> list[tuple[int, dict[str, Any]]]:
    """Return the object of each line that is not blank, with the line's number.

    An object has a `body` and, optionally, a `subject`, `to`, `reply_to`, `expires`, `urgency` and `context`.
    Raises `BadBatchLine`.
    """
    return [(number, _object(line, number)) for number, line in enumerate(text.split("\n"), 1) if line.strip()]


def _object(line: str, number: int) -> dict[str, Any]:
    try:
        found = json.loads(line)
        json.dumps(found, ensure_ascii=False).encode()  # a lone surrogate is no text
    except (ValueError, RecursionError):
        raise BadBatchLine(number=number, why="is not JSON") from None
    if not isinstance(found, dict) or not isinstance(found.get("body"), str):
        raise BadBatchLine(number=number, why="is not an object with a text `body`")
    for key, value in found.items():
        if not _may_hold(key, value):
            texts = ", ".join(_TEXTS)
            raise BadBatchLine(
                number=number, why=f"holds {key!r}, but may hold the texts {texts} and a list `context`"
            )
    return found


def _may_hold(key: str, value: object) -> bool:
    if key == "context":
        return isinstance(value, list) and all(isinstance(one, str) for one in value)
    return key in _TEXTS and isinstance(value, str)
