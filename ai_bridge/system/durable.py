"""The only module that changes the disk: a file is complete under its final name, or absent, and no file is replaced.

Sources of the rules: A renamed file survives a power cut only after fsync of the file and of its directory. After a
failed fsync the kernel reports success the second time, so a failed write is removed, never retried. `os.rename`
replaces silently, so a move uses renameat2(RENAME_NOREPLACE), else a hard link, else a reservation. All paths are
`str`; all failures are `OSError`.
"""

import errno
import os
from _thread import get_ident  # importing `threading` would slow every start

from ai_bridge.system.libc import check_result, find_function
from ai_bridge.system.untrusted import is_reservation, is_same, real_directory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

_FILE_MODE = 0o600
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_DIRECTORY", 0)
_UNSUPPORTED = frozenset({errno.EINVAL, errno.ENOSYS, errno.EOPNOTSUPP, errno.ENOTSUP})
# After these errors a file server may have done the work: perhaps only its answer was lost.
_LOST_ANSWER = frozenset({errno.EIO, errno.ESTALE, errno.ETIMEDOUT, errno.EHOSTDOWN, errno.ENOTCONN})
_NO_LINKS = _UNSUPPORTED | {errno.EPERM, errno.EMLINK, errno.EXDEV, errno.EISDIR}


# --- writing --------------------------------------------------------------------------------------------


def write_new(path: str, data: bytes, flush: bool = True, mode: int = _FILE_MODE) -> None:
    """Create the file `path` with `data`, on stable storage if `flush`; after any failure the file does not exist.

    Raises FileExistsError if the name is taken.
    """
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | _NOFOLLOW | getattr(os, "O_CLOEXEC", 0), mode)
    try:
        try:
            write_all(fd, data)
            if flush:
                os.fsync(fd)
        finally:
            os.close(fd)
    except BaseException:
        os.unlink(path)
        raise


def write_all(fd: int, data: bytes) -> None:
    """Write all of `data` to an open descriptor."""
    view = memoryview(data)
    while view:
        view = view[os.write(fd, view) :]


def replace_own(path: str, data: bytes, mode: int = _FILE_MODE, flush: bool = True, temporary: str = "") -> None:
    """Put `data` under `path`, replacing any file there: for this program's own files, never for a message.

    The one exception is a claimed file that the router completes, by way of `temporary`. With `flush` it survives a
    power cut. Only caches and hints go without: `cards.json`, presence pages, `seen/`, clocks, traffic counts, names
    and notices of sessions, and the report on a link.
    """
    temporary = temporary or f"{path}.{os.getpid()}-{get_ident()}.new"
    try:
        write_new(temporary, data, flush, mode)
    except FileExistsError:  # left by a thread of the same number that died here
        remove(temporary)
        write_new(temporary, data, flush, mode)
    os.replace(temporary, path)
    if flush:
        _flush_name(path)


def set_written(path: str, nanoseconds: int) -> None:
    """Set a file's time of writing, in nanoseconds since the epoch."""
    os.utime(path, ns=(nanoseconds, nanoseconds))


def flush_directory(path: str) -> None:
    """Make the names in the directory durable; does nothing on Windows, which cannot do it."""
    if os.name != "nt":
        _with_open(path, os.O_RDONLY | _DIRECTORY, os.fsync)


def _flush_name(path: str) -> None:
    """Make it durable that `path` is there or gone; does nothing if the file system cannot flush directories."""
    try:
        flush_directory(os.path.dirname(path))
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def flush_files(directory: str, paths: list[str]) -> None:
    """Make many written files durable at once: one syncfs of their file system, else one fsync for each."""
    if len(paths) > 2 and (syncfs := find_function("syncfs")) is not None:
        _with_open(directory, os.O_RDONLY | _DIRECTORY, lambda fd: check_result(syncfs(fd), directory))
        return
    for path in paths:
        _with_open(path, os.O_RDWR, os.fsync)


def _with_open(path: str, flags: int, act: "Callable[[int], object]") -> None:
    fd = os.open(path, flags)
    try:
        act(fd)
    finally:
        os.close(fd)


# --- moving, removing, directories and own files --------------------------------------------------------


def publish(temporary: str, final: str) -> None:
    """Give a complete file its final name; raises FileExistsError if that is taken.

    A hard link and the removal of the temporary name need no foreign function, so a command that sends one message
    starts faster. The message is there from the link on, and a leftover temporary name is harmless.
    """
    try:
        os.link(temporary, final)
    except FileExistsError:  # perhaps by this same link, repeated because its answer was lost
        if not is_same(temporary, final):
            raise
    except OSError as error:
        if error.errno not in _NO_LINKS:
            raise
        rename(temporary, final)
        return
    os.unlink(temporary)


def move(source: str, target: str) -> bool:
    """Rename `source` to `target`; False if another process was first and `source` is gone.

    Raises FileExistsError if `target` is taken. A network file system may report a failure although it did the
    rename: if the source is gone and the target is there, the move counts as done.
    """
    try:
        rename(source, target)
    except FileNotFoundError:
        if os.path.lexists(source) or not os.path.isdir(os.path.dirname(target)):
            raise
        return os.path.lexists(target)
    except OSError as error:
        if error.errno not in _LOST_ANSWER or os.path.lexists(source) or not os.path.lexists(target):
            raise
    return True


def rename(source: str, target: str) -> None:
    """Rename without ever replacing a file; raises FileExistsError, FileNotFoundError or another OSError."""
    if os.name == "nt":
        return os.rename(source, target)  # Windows never replaces here
    try:
        for attempt in (_rename_noreplace, _rename_by_link, _rename_by_reservation):
            if attempt(source, target):
                return
    except FileExistsError:
        if not is_same(source, target):
            raise
        os.unlink(source)  # the second half of this same move by links, which was interrupted


def _rename_noreplace(source: str, target: str) -> bool:
    renameat2 = find_function("renameat2")
    if renameat2 is None:
        return False
    at_cwd, noreplace = -100, 1
    try:
        check_result(renameat2(at_cwd, os.fsencode(source), at_cwd, os.fsencode(target), noreplace), source, target)
    except OSError as error:
        if error.errno in _UNSUPPORTED:
            return False
        raise
    return True


def _rename_by_link(source: str, target: str) -> bool:
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError as error:
        if error.errno in _NO_LINKS:
            return False
        raise
    os.unlink(source)
    return True


def _rename_by_reservation(source: str, target: str) -> bool:
    reserved = _reserve(source, target)
    try:
        os.rename(source, target)
    except BaseException:
        if reserved:
            remove(target)
        raise
    return True


def _reserve(source: str, target: str) -> bool:
    """Reserve `target` with an empty file or directory, whichever `source` is; False if a dead process did so."""
    try:
        if os.path.isdir(source) and not os.path.islink(source):
            os.mkdir(target)  # only an empty directory is replaced by one
        else:
            os.close(os.open(target, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _FILE_MODE))
    except FileExistsError:
        if not os.path.lexists(source) or not is_reservation(target):
            raise
        return False
    return True


def move_onto_reservation(source: str, target: str) -> bool:
    """Move `source` onto an empty file that a process left when it died in this move; False if it is not empty."""
    if found := is_reservation(target):
        os.replace(source, target)
    return found


def remove(path: str, flush: bool = False) -> bool:
    """Remove a file or an empty directory, durably if `flush`; False if it was gone already."""
    try:
        if os.path.isdir(path) and not os.path.islink(path):
            os.rmdir(path)
        else:
            os.unlink(path)
    except FileNotFoundError:
        return False
    if flush:
        _flush_name(path)
    return True


def remove_tree(path: str) -> None:
    """Remove a directory with all in it, durably. A symbolic link in it is removed, and what it leads to stays.

    Raises OSError: ELOOP if `path` is a link, EBUSY if something is mounted there; both before anything is removed.
    """
    import shutil  # few processes remove a tree

    for folder, _, _ in os.walk(real_directory(path)):
        if os.path.ismount(folder):
            raise OSError(errno.EBUSY, os.strerror(errno.EBUSY), folder)
    shutil.rmtree(path)
    _flush_name(path)


def make_directory(path: str, mode: int = 0o700) -> bool:
    """Create a directory, with its parents, durably; False if it existed."""
    if os.path.isdir(path):
        return False
    parent = os.path.dirname(os.path.abspath(path))
    make_directory(parent, mode)
    try:
        os.mkdir(path, mode)
    except FileExistsError:
        return False
    flush_directory(parent)
    return True


def open_own(path: str) -> int:
    """Open one of this program's own files for reading and writing, created if missing; returns the descriptor."""
    return os.open(path, os.O_RDWR | os.O_CREAT | _NOFOLLOW | getattr(os, "O_CLOEXEC", 0), _FILE_MODE)


def rewrite(fd: int, data: bytes) -> None:
    """Replace the content of an open own file with `data`; a reader meanwhile finds its first line whole."""
    os.lseek(fd, 0, os.SEEK_SET)
    write_all(fd, data)
    os.ftruncate(fd, len(data))


def append(path: str, data: bytes) -> None:
    """Add `data` to the end of an own file, created if missing; `flush_files` makes that durable."""
    with open(open_own(path), "ab") as file:
        file.write(data)
