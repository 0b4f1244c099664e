"""Attachments: files in a sender's outbox, each named after its content, which is what a fetch gives or refuses.

They are complete under their final name, or absent, and are never replaced; equal contents are one file.
"""

import hashlib
import os
import re

from ai_bridge.errors import BridgeError, NotAFile, disk_error
from ai_bridge.mailboxes.outbox import Outbox
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.system import durable, untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_BYTES = 1_000_000_000  # the most that max_attachment_bytes can be

_PLAIN_ENDING = re.compile(r"\.[A-Za-z0-9]{1,8}")
_NAME = re.compile(r"([0-9a-f]{64})(?:\.[A-Za-z0-9]{1,8})?")
# Fewer than eight digits are as likely to be mistyped as meant.
_WANTED = re.compile(r"(?:sha256:)?([0-9a-f]{8,64})", re.IGNORECASE)


class NoSuchAttachment(BridgeError):
    sentence = "there is no attachment {text} in {path}: `ai-bridge show ID` of its message names it"


class AmbiguousHash(BridgeError):
    sentence = "{text} begins the hashes of {count} attachments: give more of its digits"


class AlteredAttachment(BridgeError):
    sentence = "{path} no longer holds what was attached: remove it, and have its sender send it again"


def digest(raw: bytes) -> str:
    """Return the SHA-256 of a content, in hexadecimal."""
    return hashlib.sha256(raw).hexdigest()


def file_name(hash_: str, path: str) -> str:
    """Return the name of an attachment: the hash of its content, and the ending of its file where that is plain."""
    ending = os.path.splitext(path)[1]
    return hash_ + (ending if _PLAIN_ENDING.fullmatch(ending) else "")


def is_hash(text: str) -> bool:
    """Tell whether `text` may be asked for: a whole hash, or at least the first eight digits of one."""
    return _WANTED.fullmatch(text) is not None


def store(outbox: Outbox, contents: "Mapping[str, bytes]") -> None:
    """Put contents, by their file names, into an outbox, durably; what is there already is left as it is.

    Raises `AlteredAttachment` where one of the names holds something else, or `DiskError`.
    """
    if not contents:
        return
    try:
        if not outbox.is_there():  # never make an agent by the way
            raise FileNotFoundError(2, os.strerror(2), outbox.path)
        outbox.complete()
        untrusted.real_directory(outbox.temporary)
        durable.make_directory(untrusted.real_directory(outbox.attached))
        for name, raw in contents.items():
            _put(outbox, name, raw)
        durable.flush_directory(outbox.attached)
    except OSError as error:
        raise disk_error(outbox.attached, error) from None


def _put(outbox: Outbox, name: str, raw: bytes) -> None:
    target, hash_ = os.path.join(outbox.attached, name), name.partition(".")[0]
    if _holds(target, hash_):
        return
    temporary = os.path.join(outbox.temporary, f"{os.getpid()}.{os.urandom(4).hex()}.{name}")
    durable.write_new(temporary, raw)
    try:
        durable.publish(temporary, target)
    except FileExistsError:
        if not _holds(target, hash_):  # else another sender was first, with the same content
            raise AlteredAttachment(path=target) from None
    finally:
        durable.remove(temporary)


def find(mailboxes: Mailboxes, text: str) -> str:
    """Return the path of the attachment with that hash, or the only one whose hash begins so; its content is checked.

    Raises `NoSuchAttachment`, `AmbiguousHash`, `AlteredAttachment`, or `DiskError` where it cannot be read.
    """
    found = _named(mailboxes, text)
    if len(found) > 1:  # of names that begin so, those that are what they say
        found = {hash_: kept for hash_, paths in found.items() if (kept := [p for p in paths if _is_held(p, hash_)])}
    if not found:
        raise NoSuchAttachment(text=text, path=mailboxes.path)
    if len(found) > 1:
        raise AmbiguousHash(text=text, count=len(found))
    ((hash_, paths),) = found.items()
    for path in paths:
        try:
            if _holds(path, hash_):
                return path
        except OSError as error:
            raise disk_error(path, error) from None
    raise AlteredAttachment(path=paths[0])


def _named(mailboxes: Mailboxes, text: str) -> dict[str, list[str]]:
    """Return the paths of all attachments that `text` may mean, by their hashes."""
    wanted = _WANTED.fullmatch(text)
    found: dict[str, list[str]] = {}
    for outbox in mailboxes.outboxes() if wanted else []:
        for name in sorted(untrusted.listed(outbox.attached)):
            known = _NAME.fullmatch(name)
            if known and wanted and known[1].startswith(wanted[1].lower()):
                found.setdefault(known[1], []).append(os.path.join(outbox.attached, name))
    return found


def _is_held(path: str, hash_: str) -> bool:
    try:
        return _holds(path, hash_)
    except OSError:
        return False


def _holds(path: str, hash_: str) -> bool:
    """Tell whether the file at `path` has the content of that hash; raises OSError where it cannot be read."""
    try:
        fd, found = untrusted.open_regular(path)
    except (FileNotFoundError, NotAFile):
        return False
    with open(fd, "rb") as file:
        return found.st_size <= LARGEST_BYTES and hashlib.file_digest(file, "sha256").hexdigest() == hash_
