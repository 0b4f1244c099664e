"""Whether the disk takes mail: a full or read-only file system stops every send and every move."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator

from ai_bridge.errors import disk_error
from ai_bridge.health.finding import NOTE, WRONG, Finding
from ai_bridge.mailboxes.outbox import DROPPED
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system import filesystems

WHERE = "storage"
# With less room than this, in bytes, not even a short message and its notices fit.
_FULL_BYTES = 65_536


def examine(where: Tree, settings: Settings, state: str) -> Iterator[Finding]:
    """Yield a finding for the mailboxes, and for the directory `state`, if it cannot be written or is nearly full.

    WRONG if nothing can be written, NOTE if the largest message would not fit. Writes nothing: it asks the system.
    """
    outboxes = [path for outbox in where.outboxes() if os.path.isdir(path := outbox.directory(DROPPED))]
    for path, inner in ((where.path, outboxes), (state, [])):
        if trouble := _trouble(path, inner):
            yield Finding(WHERE, WRONG, str(disk_error(path, trouble)), f"df -h {shlex.quote(path)}")
        elif 0 <= (free := filesystems.free_bytes(path)) < settings.max_message_bytes:
            said = f"only {free // 1024} KiB are free at {path}: a message may be larger (setting max_message_bytes)"
            yield Finding(WHERE, NOTE, said, f"df -h {shlex.quote(path)}")


def _trouble(path: str, inner: list[str]) -> OSError | None:
    """Return the error that a write below `path` would meet now, None if it would meet none."""
    if filesystems.is_read_only(path):
        return OSError(errno.EROFS, os.strerror(errno.EROFS), path)
    if 0 <= filesystems.free_bytes(path) < _FULL_BYTES:
        return OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), path)
    for directory in (path, *inner):
        if not os.access(directory, os.W_OK | os.X_OK):
            return OSError(errno.EACCES, os.strerror(errno.EACCES), directory)
    return None
