"""Writes files of configuration that belong to the user or to another program."""

import os

from ai_bridge.system import durable


def put_config(path: str, data: bytes, mode: int = 0o644) -> None:
    """Write `data` to `path` in the person's configuration; an existing file keeps its mode; raises OSError."""
    durable.make_directory(os.path.dirname(path), 0o755)
    mode = os.stat(path).st_mode & 0o777 if os.path.exists(path) else mode
    durable.replace_own(path, data, mode)
