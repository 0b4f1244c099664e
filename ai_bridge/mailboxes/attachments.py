"""Attachments: files in a sender's outbox, each named after its content, which is checked when one is fetched.

They are complete under their final name, or absent, and are never replaced; equal contents are one file.
"""

import hashlib
import os
import re
import time

from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.mailboxes.outbox import Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import context
from ai_bridge.message.context import WANTED
from ai_bridge.message.message import Message
from ai_bridge.system import durable, untrusted
from ai_bridge.system.untrusted import NotAFile

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

LARGEST_BYTES = 1_000_000_000  # the most that max_attachment_bytes can be

_NAME = re.compile(r"([0-9a-f]{64})(?:\.[A-Za-z0-9]{1,8})?")


class NoSuchAttachment(BridgeError):
    sentence = "there is no attachment {text} in {path}: `ai-bridge show ID` of its message names it"


class AmbiguousHash(BridgeError):
    sentence = "{text} begins the hashes of {count} attachments: give more of its digits"


class AlteredAttachment(BridgeError):
    sentence = "{path} no longer holds what was attached: remove it, and have its sender send it again"


def paths_of(outbox: Outbox, message: Message) -> list[str]:
    """Return the paths of a message's attachments in its sender's outbox, as far as they are on this machine."""
    told = context.entries(message.get(context.HEADER) or "")
    names = [context.file_name(one.sha256, one.path) for one in told if one.sha256]
    paths = [os.path.join(outbox.attached, name) for name in dict.fromkeys(names)][: context.MAX_REFERENCES]
    return [path for path in paths if os.path.isfile(path) and not os.path.islink(path)]


def is_one(path: str) -> bool:
    """Tell whether the path has the name of an attachment."""
    return _NAME.fullmatch(os.path.basename(path)) is not None


def store(outbox: Outbox, contents: "Mapping[str, bytes]") -> None:
    """Write contents, by their file names, into an outbox, durably; a file that is there already keeps its content.

    Such a file gets the present time, so that `archive --delete` takes it for a new one.

    Raises `AlteredAttachment` if a file of one of the names holds something else, or `DiskError`.
    """
    if not contents:
        return
    try:
        if not outbox.is_there():  # storing never creates an agent
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
    if _holds(target, hash_) and _renewed(target):
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


def _renewed(path: str) -> bool:
    """Give a file the present time; False if it was deleted meanwhile."""
    try:
        durable.set_written(path, time.time_ns())
    except PermissionError:  # it belongs to another user of the machine
        return True
    except FileNotFoundError:
        return False
    return True


def find(mailboxes: Tree, text: str) -> str:
    """Return the path of the attachment with that hash, or the only one whose hash begins so; its content is checked.

    Raises `NoSuchAttachment`, `AmbiguousHash`, `AlteredAttachment`, or `DiskError` if it cannot be read.
    """
    found = _named(mailboxes, text)
    if len(found) > 1:  # keep those whose content has the hash in their name
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


def _named(mailboxes: Tree, text: str) -> dict[str, list[str]]:
    """Return the paths of all attachments that `text` may mean, by their hashes."""
    wanted = WANTED.fullmatch(text)
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
    """Tell whether the file at `path` has the content of that hash; raises OSError if it cannot be read."""
    try:
        fd, found = untrusted.open_regular(path)
    except (FileNotFoundError, NotAFile):
        return False
    with open(fd, "rb") as file:
        return found.st_size <= LARGEST_BYTES and hashlib.file_digest(file, "sha256").hexdigest() == hash_
