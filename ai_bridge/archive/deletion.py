"""Deletes archived mail for good, and attachments to which no message refers any more."""

import os
import time

from ai_bridge.archive.movers import Movers
from ai_bridge.errors import Malformed, disk_error
from ai_bridge.mailboxes import attachments
from ai_bridge.mailboxes.outbox import ARCHIVED, ATTACHED, ENDED, INSIDE, REASON, STATES, Outbox
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable, times, untrusted

# An attachment is written before the message that names it, so a young one is kept in any case.
_YOUNG_S = 86_400
# If a file, or a message that names it, came so lately, more messages with that content may be on their way.
_RECENT_S = 3600


class Doomed:
    """The files that are to be deleted: `messages` and `attached` files, by outbox and name; `age_s` is their age."""

    __slots__ = ("age_s", "attached", "messages")

    def __init__(self, messages: list[tuple[Outbox, str]], attached: list[tuple[Outbox, str]], age_s: float) -> None:
        self.messages = messages
        self.attached = attached
        self.age_s = age_s


def due(mailboxes: Tree, age_s: float) -> Doomed:
    """Return the archived messages older than `age_s` seconds that this machine moves, and what only they refer to.

    The time in the ID counts, else the time of writing. Attachments are those of agents that live here, as old as
    that, to which no message in any state refers once these are gone. If a message of an outbox cannot be read, or a
    newer program keeps something there, all its attachments stay. Reads every message of an outbox with old
    attachments. Raises `DiskError`.
    """
    seen = Snapshot.of(mailboxes)
    movers, stamp = Movers(seen), times.format_stamp(max(0, int((time.time() - age_s) * 1e9)))
    messages: list[tuple[Outbox, str]] = []
    attached: list[tuple[Outbox, str]] = []
    try:
        for box in seen.outboxes():
            names = box.unordered(ARCHIVED)
            old = {name for name in names if box.order(ARCHIVED, name)[0] < stamp and movers.is_here(box.owner, name)}
            messages += [(box, name) for name in sorted(old)]
            if movers.is_here(box.owner, ""):
                attached += [(box, name) for name in _unnamed(box, old, age_s)]
    except OSError as error:
        raise disk_error(error.filename or mailboxes.path, error) from None
    return Doomed(messages, attached, age_s)


def _unnamed(outbox: Outbox, doomed: set[str], age_s: float) -> list[str]:
    """Return the names of the old attachments to which no message of the outbox refers, but for the doomed ones.

    A doomed message that came lately still counts.
    """
    old = {name for name in untrusted.listed(outbox.attached) if attachments.is_one(name)}
    old = {name for name in old if _is_old(os.path.join(outbox.attached, name), age_s)}
    if not old or _has_unknown(outbox):
        return []
    for state in STATES:
        for name in outbox.unordered(state):
            if state != ARCHIVED or name not in doomed or _is_recent(outbox, name):
                try:
                    paths = attachments.paths_of(outbox, Place(outbox, state, name, "").load())
                    old -= set(map(os.path.basename, paths))
                except FileNotFoundError:  # it moved on: what it refers to is not known
                    return []
                except Malformed:
                    if _may_name_any(outbox.file(state, name)):
                        return []
    return sorted(old)


def _is_old(path: str, age_s: float) -> bool:
    """Tell whether a file is of that age, and of a day at least, and did not come to its place lately."""
    try:
        found = os.lstat(path)
    except FileNotFoundError:
        return False
    now = time.time()
    return now - found.st_mtime > max(age_s, _YOUNG_S) and now - found.st_ctime > _RECENT_S


def _is_recent(outbox: Outbox, name: str) -> bool:
    """Tell whether an archived message was sent lately."""
    return outbox.order(ARCHIVED, name)[0] >= times.format_stamp(int((time.time() - _RECENT_S) * 1e9))


def _has_unknown(outbox: Outbox) -> bool:
    known = {*INSIDE, ATTACHED, os.path.basename(outbox.directory(ARCHIVED))}
    return any(name.startswith(".") and name not in known for name in os.listdir(outbox.path))


def _may_name_any(path: str) -> bool:
    """Tell whether a file that is no message may still, once it is repaired, refer to an attachment."""
    try:
        return b"context:" in untrusted.read_delivered(path).lower()
    except (Malformed, OSError):
        return True


def delete(doomed: Doomed) -> int:
    """Delete the files, durably, and return how many attachments were deleted.

    Before the first of them goes, all messages are looked at again: an attachment stays if a message that came
    meanwhile refers to it. Raises `DiskError`, and what was deleted before stays so.
    """
    try:
        unnamed = _still_unnamed(doomed)
        directories = {_delete_message(outbox, name) for outbox, name in doomed.messages}
        deleted = [path for path in unnamed if _is_old(path, doomed.age_s) and durable.remove(path)]
        for directory in sorted({*directories, *map(os.path.dirname, deleted)}):
            durable.flush_directory(directory)
    except OSError as error:
        raise disk_error(error.filename or "the archive", error) from None
    return len(deleted)


def _still_unnamed(doomed: Doomed) -> list[str]:
    """Return the paths of those doomed attachments to which nothing else refers now."""
    paths = []
    for outbox in {box.owner: box for box, _ in doomed.attached}.values():
        messages = {name for box, name in doomed.messages if box is outbox}
        now = _unnamed(outbox, messages, doomed.age_s)
        paths += [
            os.path.join(outbox.attached, name) for box, name in doomed.attached if box is outbox and name in now
        ]
    return paths


def _delete_message(outbox: Outbox, name: str) -> str:
    """Delete an archived message and its reason; returns the directory in which it was."""
    path = outbox.file(ARCHIVED, name)
    durable.remove(path)
    for ending in (REASON, ENDED):
        durable.remove(path + ending)
    return os.path.dirname(path)
