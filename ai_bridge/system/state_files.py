"""Small files in which this program remembers something of its own, and what tells that a file has changed."""

import os

from ai_bridge.errors import Malformed
from ai_bridge.system import durable, untrusted

# What changes if a file is replaced or written: its inode, its size in bytes, its time of writing in nanoseconds.
Mark = tuple[int, int, int]


def remember(path: str, content: bytes, *, flush: bool = True) -> None:
    """Make the file at `path` hold just `content`, for this user alone; makes its directory; raises OSError.

    A process that reads meanwhile finds the old content or the new. With `flush` the file survives a power cut; only
    a cache or a hint goes without (see `durable.replace_own`).
    """
    durable.make_directory(os.path.dirname(path))
    durable.replace_own(path, content, flush=flush)


def recall(path: str, limit: int) -> bytes:
    """Return what the file holds; b"" if there is none, it cannot be read, or it has more than `limit` bytes."""
    try:
        return untrusted.read_file(path, limit)
    except (OSError, Malformed):
        return b""


def mark(path: str, follow: bool = True) -> Mark:
    """Return the file's mark, that of a symbolic link itself unless `follow`; raises OSError."""
    found = os.stat(path, follow_symlinks=follow)
    return found.st_ino, found.st_size, found.st_mtime_ns


def written_s(path: str) -> float:
    """Return the time of writing of a file or directory, in seconds since the epoch; 0.0 if it is gone."""
    try:
        return os.stat(path).st_mtime
    except OSError:
        return 0.0


def digest(raw: bytes) -> str:
    """Return the SHA-256 of what a file is named for, in hexadecimal digits.

    It comes from Python's own module if there is one, because a command would wait 4 ms for that of OpenSSL.
    """
    try:
        from _sha256 import sha256  # type: ignore[import-not-found,unused-ignore]
    except ImportError:
        from hashlib import sha256
    return str(sha256(raw).hexdigest())
