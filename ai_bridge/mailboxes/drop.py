"""Puts complete files into an outbox: durably, and each whole under its final name or not at all."""

import os

from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.mailboxes import changes
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, Outbox
from ai_bridge.system import durable, untrusted

_LOOKS = 5


class PartlySent(BridgeError):
    sentence = "{id} was dropped for {done} and not for {missing}: {why}"


def drop(outbox: Outbox, name: str, raw: bytes, written_ns: int | None = None) -> None:
    """Put one complete file into the outbox, durably; `written_ns`, if given, becomes its time of writing.

    Raises FileExistsError or another OSError.
    """
    _drop(outbox, [(outbox.owner, name, raw)], [], written_ns)


def drop_all(outbox: Outbox, files: list[tuple[str, bytes]]) -> None:
    """Put complete files, each (name, content), into the outbox with one flush, or none of them; raises as `drop`."""
    _drop(outbox, [(outbox.owner, name, raw) for name, raw in files], [])


def _drop(
    outbox: Outbox, files: list[tuple[str, str, bytes]], published: list[str], written_ns: int | None = None
) -> None:
    """Write all, flush, publish all, flush the directory; on failure take back all that can be taken back.

    Afterwards `published` holds the names that were published and not taken back.
    """
    folder = untrusted.real_directory(outbox.temporary)
    temporary = [os.path.join(folder, f"{os.getpid()}.{name}") for _, name, _ in files]
    try:
        _write_all(outbox, temporary, [raw for _, _, raw in files])
        if written_ns is not None:
            durable.set_written(temporary[0], written_ns)
        for source, (_, name, _) in zip(temporary, files, strict=True):
            _publish(outbox, source, name)
            published.append(name)
        durable.flush_directory(outbox.path)
        changes.report(os.path.dirname(outbox.path), *(outbox.file(DROPPED, name) for name in published))
    except BaseException:
        _take_back(outbox, temporary, published)
        raise


def _publish(outbox: Outbox, source: str, name: str) -> None:
    """Give a written file its name; also done if a router elsewhere took the file before the answer came.

    A network file system may check the new name after it made it, and report that there is no such file.
    """
    try:
        durable.publish(source, outbox.file(DROPPED, name))
    except FileNotFoundError:
        if not os.path.lexists(source) or not _is_somewhere(outbox, name):
            raise
        durable.remove(source)


def _is_somewhere(outbox: Outbox, name: str) -> bool:
    """Look for a file with a unique name in every state; several times, because it may be moving."""
    for _ in range(_LOOKS):
        outbox.freshen()
        if outbox.has(name) or os.path.lexists(outbox.file(MALFORMED, name)):
            return True
    return False


def _write_all(outbox: Outbox, paths: list[str], contents: list[bytes]) -> None:
    one_by_one = len(paths) == 1
    for path, raw in zip(paths, contents, strict=True):
        _write(outbox, path, raw, one_by_one)
    if not one_by_one:
        durable.flush_files(outbox.temporary, paths)


def _write(outbox: Outbox, path: str, raw: bytes, flush: bool) -> None:
    try:
        durable.write_new(path, raw, flush)
    except FileNotFoundError:  # an outbox of the older layout has no .tmp
        outbox.complete()
        durable.write_new(path, raw, flush)


def _take_back(outbox: Outbox, temporary: list[str], published: list[str]) -> None:
    """Remove the files that are still ours; `published` keeps the names that a router took first."""
    for path in temporary:
        _try_remove(path)
    published[:] = [name for name in published if not _try_remove(outbox.file(DROPPED, name))]


def _try_remove(path: str) -> bool:
    try:
        return durable.remove(path)
    except OSError:
        return False


def drop_messages(outbox: Outbox, files: list[tuple[str, str, bytes]]) -> None:
    """Drop composed files, each (recipient, name, content), with one flush.

    Raises `DiskError` if the disk refuses, or `PartlySent` if a router has already taken some of them.
    """
    published: list[str] = []
    try:
        _drop(outbox, files, published)
    except OSError as error:
        refusal = disk_error(outbox.path, error)
        if not published:
            raise refusal from None
        done, missing = ([file for file in files if (file[1] in published) is taken] for taken in (True, False))
        raise PartlySent(
            id=published[0],
            done=", ".join(recipient for recipient, _, _ in done),
            missing=", ".join(recipient for recipient, _, _ in missing),
            why=str(refusal),
        ) from None
