"""Open and read what a stranger put into a directory, without being trapped by it.

A FIFO blocks a reader, a symbolic link leads elsewhere, and a sparse file of 10 GiB uses no disk. So a file is
opened without following or blocking, its kind and size are checked, and only then it is read.
"""

import errno
import os
import stat

from ai_bridge.errors import Malformed, TooLarge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import BinaryIO

# Bytes: a delivered message is shown even if the limit for new messages was lowered since.
_DELIVERED_LIMIT = 64 * 1024 * 1024

_PIECE_BYTES = 1024 * 1024
_STALE_TRIES = 3
_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_NOFOLLOW", 0)
    | getattr(os, "O_NONBLOCK", 0)
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_BINARY", 0)
)
_KINDS = {
    stat.S_IFLNK: "a symbolic link",
    stat.S_IFDIR: "a directory",
    stat.S_IFIFO: "a FIFO",
    stat.S_IFSOCK: "a socket",
    stat.S_IFCHR: "a device",
    stat.S_IFBLK: "a device",
}


class NotAFile(Malformed):
    sentence = "{name} is {kind}, not a regular file: only regular files are delivered"


def open_regular(path: str) -> tuple[int, os.stat_result]:
    """Return a descriptor of the regular file at `path` and its stat; raises `NotAFile` or OSError."""
    try:
        fd = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise
    except OSError:
        _refuse_other_kinds(path, os.lstat(path))
        raise
    try:
        found = os.fstat(fd)
        _refuse_other_kinds(path, found)
    except (NotAFile, OSError):
        os.close(fd)
        raise
    return fd, found


def _refuse_other_kinds(path: str, found: os.stat_result) -> None:
    if not stat.S_ISREG(found.st_mode):
        kind = _KINDS.get(stat.S_IFMT(found.st_mode), "something else")
        raise NotAFile(name=os.path.basename(path), kind=kind)


def read_all(fd: int, size: int, limit: int) -> bytes:
    """Return the whole content of an open file of `size` bytes; raises `TooLarge` beyond `limit` bytes."""
    if size > limit:
        raise TooLarge(what="the file", size=size, limit=limit)
    whole = os.read(fd, size + 1)
    if len(whole) == size:  # one byte more was asked for, so this is the end
        return whole
    while part := os.read(fd, min(limit + 1 - len(whole), _PIECE_BYTES)):
        whole += part
    if len(whole) > limit:
        raise TooLarge(what="the file", size=len(whole), limit=limit)
    return whole


def read_at_most(file: "BinaryIO", limit: int) -> bytes:
    """Return the rest of an open file, but no more than `limit` bytes.

    The file is read in pieces, so that memory is used for what is there and not for all that is allowed.
    """
    parts: list[bytes] = []
    while limit > 0:
        wanted = min(limit, _PIECE_BYTES)
        parts.append(part := file.read(wanted))
        if len(part) < wanted:  # the end; reading a terminal would go on after it
            break
        limit -= wanted
    return b"".join(parts)


def read_file(path: str, limit: int) -> bytes:
    """Return the content of the regular file at `path`; raises `NotAFile`, `TooLarge` or OSError.

    If a file server reports that the file was replaced meanwhile, the new one is read.
    """
    return _read_again(path, lambda fd, size: read_all(fd, size, limit))


def read_start(path: str, limit: int) -> bytes:
    """Return the first `limit` bytes of the regular file at `path`; raises `NotAFile` or OSError."""
    return _read_again(path, lambda fd, _: _first(fd, limit))


def _first(fd: int, limit: int) -> bytes:
    whole = b""
    while len(whole) < limit and (part := os.read(fd, limit - len(whole))):
        whole += part
    return whole


def _read_again(path: str, read: "Callable[[int, int], bytes]") -> bytes:
    for _ in range(_STALE_TRIES):
        try:
            return _read_once(path, read)
        except OSError as error:
            if error.errno != errno.ESTALE:
                raise
    return _read_once(path, read)


def _read_once(path: str, read: "Callable[[int, int], bytes]") -> bytes:
    try:
        fd, found = open_regular(path)
        try:
            return read(fd, found.st_size)
        finally:
            os.close(fd)
    except OSError as error:
        error.filename = path  # for a descriptor the system reports no name
        raise


def real_directory(path: str) -> str:
    """Return `path` unless it is a symbolic link, which would lead elsewhere; raises OSError (ELOOP) if it is."""
    if os.path.islink(path):
        raise OSError(errno.ELOOP, os.strerror(errno.ELOOP), path)
    return path


def is_same(first: str, second: str) -> bool:
    """Tell whether two names are of one file, as after a move by links that was interrupted."""
    try:
        return os.path.samestat(os.lstat(first), os.lstat(second))
    except FileNotFoundError:
        return False


def is_reservation(path: str) -> bool:
    """Tell whether this is an empty file, which reserves its name for a message: no message is ever empty."""
    return os.path.isfile(path) and not os.path.islink(path) and os.path.getsize(path) == 0


def freshen(directory: str) -> None:
    """Make a network file system ask its server what is in a directory.

    Otherwise it may report for half a minute that a name is missing, because the name was missing before.
    """
    try:
        with os.scandir(directory) as entries:
            next(entries, None)
    except OSError:
        return


def listed(directory: str) -> list[str]:
    """Return the names in a directory, [] if it cannot be listed."""
    try:
        return os.listdir(directory)
    except OSError:
        return []


def read_delivered(path: str) -> bytes:
    """Return the content of a message's file in any state; raises as `read_file` does."""
    return read_file(path, _DELIVERED_LIMIT)
