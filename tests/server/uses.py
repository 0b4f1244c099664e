"""Every use of the tools, and everything that a use might change."""

from __future__ import annotations

import os
from pathlib import Path

EVERY_USE = {
    "peer_read": {},
    "peer_send": {"to": "gemini", "body": "hello"},
    "peer_wait": {"timeout_s": 0},
    "peer_list": {},
    "peer_history": {},
    "peer_context": {"to": "gemini", "paths": [__file__]},
    "peer_status": {},
    "acknowledge_messages": {"ids": ["any"]},
    "read_gemini_messages": {},
}


def everything(*roots: str) -> dict[str, tuple[object, ...]]:
    """Return all there is under some directories: kinds, modes, times of change and contents."""
    found: dict[str, tuple[object, ...]] = {}
    for root in roots:
        for directory, _, names in os.walk(root):
            for path in [directory, *(os.path.join(directory, name) for name in names)]:
                about = os.lstat(path)
                content = Path(path).read_bytes() if os.path.isfile(path) else b""
                found[path] = (about.st_mode, about.st_ino, about.st_mtime_ns, about.st_ctime_ns, content)
    return found
