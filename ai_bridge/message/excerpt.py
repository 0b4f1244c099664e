"""Excerpts: lines of a file as they are now, and their origin, for a sender to quote to another agent.

Only files that the sender plainly named are read. A relative path, or one written inside the project folder, never
leads out of it, whatever symbolic links say. A file elsewhere must be named by its absolute path. A model may name
one only in folders that its user opened to it, and no link leads out of these either.
"""

import os
import re

from ai_bridge import settings
from ai_bridge.errors import BridgeError, TooLarge, disk_error
from ai_bridge.system import git, untrusted
from ai_bridge.system.paths import is_within, upwards
from ai_bridge.system.untrusted import NotAFile
from ai_bridge.text import counted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    Opened = Iterable[str] | None

# A number with more digits than any file has lines is part of a file's name.
_LINES = re.compile(r"(.+):([0-9]{1,12})(?:(-)([0-9]{0,12}))?", re.DOTALL)


class NoReference(BridgeError):
    sentence = "{text!r} names no file: give PATH, PATH:LINE, PATH:FIRST-LAST or PATH:FIRST-"


class ReversedLines(BridgeError):
    sentence = "the lines {first}-{last} of {path} are reversed: write {last}-{first}"


class NoSuchLine(BridgeError):
    sentence = "{path} has only {lines}, counted from 1, and no line {line}: name lines that it has"


class LeadsOutside(BridgeError):
    sentence = (
        "{path} leads out of the project folder {folder}: "
        "to send that file all the same, name it by its absolute path {real}"
    )
    for_model = "{path} leads out of the project folder {folder}: name the file itself, by its path {real}"


class OutsideProject(BridgeError):
    sentence = (
        "{path} is outside the project folder {folder}: tell your user to write "
        "context_folders = [{parent!r}] into {file}, if you are to send it"
    )


class NotRegular(BridgeError):
    sentence = "{path} is {kind}: only lines of a regular file can be sent; name a file"


class NotText(BridgeError):
    sentence = "{path} is not UTF-8 text (byte {offset}): tell its path in the body instead"


class FileTooLarge(BridgeError):
    sentence = (
        "{path} is larger than the limit of {limit} bytes (setting max_attachment_bytes): "
        "tell its path in the body instead"
    )


class Reference:
    """The file and lines that a sender named: the `path` as written, and the lines `first` to `last`, counted from 1.

    If `first` is None, it is the whole file; if only `last` is None, the lines go up to the end.
    """

    __slots__ = ("first", "last", "path")

    def __init__(self, path: str, first: int | None = None, last: int | None = None) -> None:
        self.path = path
        self.first = first
        self.last = last


class Excerpt:
    """Lines of a file: their exact bytes `raw`, the numbers of the `first` and the `last`, and the file's `total`.

    `path` is relative to the project folder, with forward slashes, if the file is in it, else absolute. `commit` is
    that of the file's git repository, None if it has none; `modified` says whether the file differs from that commit.
    `whole` says that the sender named no lines. An empty file has the lines 1 to 0.
    """

    __slots__ = ("commit", "first", "last", "modified", "path", "raw", "total", "whole")

    def __init__(self, path: str, raw: bytes, first: int, last: int, total: int, whole: bool) -> None:
        self.path = path
        self.raw = raw
        self.first = first
        self.last = last
        self.total = total
        self.whole = whole
        self.commit: str | None = None
        self.modified = False

    def lines(self) -> list[str]:
        """Return the lines without their line feeds."""
        return [line.decode() for line in _lines(self.raw)]


# --- what is named --------------------------------------------------------------------------------------


def parse_reference(text: str) -> Reference:
    """Return the file and lines that `PATH`, `PATH:N`, `PATH:A-B` or `PATH:A-` names.

    If a file has the whole text as its name, that file is meant. Raises `NoReference` or `ReversedLines`.
    """
    if not _is_name(text):
        raise NoReference(text=text)
    found = _LINES.fullmatch(text)
    if found is None or os.path.lexists(os.path.expanduser(text)):
        return Reference(text)
    path, first = found[1], int(found[2])
    last = int(found[4]) if found[4] else None if found[3] else first
    if last is not None and last < first:
        raise ReversedLines(path=path, first=first, last=last)
    return Reference(path, first, last)


def _is_name(text: str) -> bool:
    try:
        return bool(text) and b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:  # a lone surrogate that stands for no byte
        return False


def project_folder() -> str:
    """Return the real path of the project, if no client names it: the git working tree here, or this directory.

    Raises `DiskError` if the working directory is gone.
    """
    here = _working_directory()
    return os.path.realpath(git.working_tree(here) or here)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except OSError as error:
        raise disk_error("the working directory", error) from None


# --- reading it -----------------------------------------------------------------------------------------


def load(reference: Reference, folder: str, limit: int, opened: "Opened" = None) -> Excerpt:
    """Return the excerpt of a file of at most `limit` bytes; `folder` is the real path of the project.

    `opened` are the folders outside the project in which the sender may name files; None, for a person, stands for
    all. Raises `LeadsOutside`, `OutsideProject`, `NotRegular`, `NotText`, `NoSuchLine`, `FileTooLarge`, or
    `DiskError` if the file cannot be read.
    """
    real = _real_path(reference.path, folder)
    if opened is not None:
        _check_opened(reference.path, real, folder, opened)
    raw = _read(reference.path, real, limit)
    found = _cut(reference, raw)
    found.path = os.path.relpath(real, folder).replace(os.sep, "/") if is_within(real, folder) else real
    found.commit, found.modified = git.commit_of(real, raw)
    return found


def _real_path(path: str, folder: str) -> str:
    """Return the real path of the file; raises `LeadsOutside` if it was not plainly named."""
    written = os.path.expanduser(path)
    try:
        real = os.path.realpath(written)
    except OSError as error:  # the working directory is gone
        raise disk_error(path, error) from None
    if is_within(real, folder) or (os.path.isabs(written) and not _is_written_inside(written, folder)):
        return real
    raise LeadsOutside(path=path, folder=folder, real=real)


def _check_opened(path: str, real: str, folder: str, opened: "Iterable[str]") -> None:
    """Refuse a file outside the project and outside all opened folders; the root directory is no project."""
    written = os.path.expanduser(path)
    if folder != os.sep and is_within(real, folder):
        return
    if any(is_within(real, one) and _is_written_inside(written, one) for one in map(_real, opened)):
        return
    raise OutsideProject(path=path, folder=folder, parent=os.path.dirname(real), file=settings.user_file())


def _real(folder: str) -> str:
    return os.path.realpath(os.path.expanduser(folder))


def _is_written_inside(path: str, folder: str) -> bool:
    """Tell whether the absolute `path`, as it is written, passes through the folder."""
    return any(is_within(os.path.realpath(parent), folder) for parent in list(upwards(path))[1:])


def _read(path: str, real: str, limit: int) -> bytes:
    """Return the content of the file; raises `NotText` if any of it is not text."""
    try:
        raw = _read_there(path, real, limit)
    except NotAFile as refusal:
        raise NotRegular(path=path, kind=refusal.facts["kind"]) from None
    except TooLarge:
        raise FileTooLarge(path=path, limit=limit) from None
    except OSError as error:
        raise disk_error(path, OSError(error.errno, error.strerror)) from None
    if (offset := _first_of_no_text(raw)) >= 0:
        raise NotText(path=path, offset=offset)
    return raw


def _read_there(path: str, real: str, limit: int) -> bytes:
    """Return the content of the file at exactly `real`; refuse if a link was put in its way meanwhile."""
    fd, found = untrusted.open_regular(real)
    try:
        opened = f"/proc/self/fd/{fd}"
        if os.path.exists(opened) and os.path.realpath(opened) != real:
            raise LeadsOutside(path=path, folder=os.path.dirname(real), real=os.path.realpath(opened))
        return untrusted.read_all(fd, found.st_size, limit)
    finally:
        os.close(fd)


def _first_of_no_text(raw: bytes) -> int:
    """Return the offset of the first byte that is not UTF-8, else of the first NUL, else -1."""
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        return error.start
    return raw.find(b"\0")


def _cut(reference: Reference, raw: bytes) -> Excerpt:
    lines = _lines(raw)
    total = len(lines)
    if reference.first is None:
        return Excerpt(reference.path, raw, 1, total, total, whole=True)
    first, last = reference.first, total if reference.last is None else reference.last
    for line in (first, last):
        if not 1 <= line <= total:
            raise NoSuchLine(path=reference.path, lines=counted(total, "line"), line=line)
    cut = b"\n".join(lines[first - 1 : last])
    ended = last < total or raw.endswith(b"\n")
    return Excerpt(reference.path, cut + b"\n" if ended else cut, first, last, total, whole=False)


def _lines(raw: bytes) -> list[bytes]:
    """Split at line feeds only, as git and editors count."""
    lines = raw.split(b"\n")
    return lines if lines[-1] else lines[:-1]
