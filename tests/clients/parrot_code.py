"""What the made-up client has of code of its own; its record names this module."""

from __future__ import annotations

import os

from ai_bridge.reach.ways import Ways

heard: list[tuple[str, str]] = []


class _Parrot(Ways):
    def can_push(self, key: str) -> bool:
        return bool(key)

    def push(self, key: str, notice: str) -> None:
        heard.append((key, notice))


WAYS = _Parrot


def is_approved(project: str) -> bool:
    """Tell whether the parrot left a feather in the project."""
    return os.path.exists(os.path.join(project, "feather"))
