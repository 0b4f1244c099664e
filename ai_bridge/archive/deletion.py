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


class Doomed:
    """The files that are to be deleted: `messages`, by outbox and name, and the paths of `attached` files."""

    __slots__ = ("attached", "messages")

    def __init__(self, messages: list[tuple[Outbox, str]], attached: list[str]) -> None:
        self.messages = messages
        self.attached = attached


def due(mailboxes: Tree, age_s: float) -> Doomed:
    """Return the archived messages older than `age_s` seconds that this machine moves, and what only they refer to.

    The time in the ID counts, else the time of writing. Attachments are those of agents that live here, as old as
    that, to which no message in any state refers once these are gone. If a message of an outbox cannot be read, or a
    newer program keeps something there, all its attachments stay. Reads every message of an outbox with old
    attachments. Raises `DiskError`.
    """
    seen = Snapshot.of(mailboxes)
    movers, stamp = Movers(seen), times.format_stamp(max(0, int((time.time() - age_s) * 1e9)))
    messages, attached = [], []
    try:
        for box in seen.outboxes():
            names = box.unordered(ARCHIVED)
            old = {name for name in names if box.order(ARCHIVED, name)[0] < stamp and movers.is_here(box.owner, name)}
            messages += [(box, name) for name in sorted(old)]
            if movers.is_here(box.owner, ""):
                attached += _unnamed(box, old, max(age_s, _YOUNG_S))
    except OSError as error:
        raise disk_error(error.filename or mailboxes.path, error) from None
    return Doomed(messages, attached)


def _unnamed(outbox: Outbox, doomed: set[str], age_s: float) -> list[str]:
    """Return the attachments of that age to which no message of the outbox refers, but for the doomed ones."""
    there = {os.path.join(outbox.attached, name) for name in untrusted.listed(outbox.attached)}
    old = {path for path in there if attachments.is_one(path) and time.time() - os.lstat(path).st_mtime > age_s}
    if not old or _has_unknown(outbox):
        return []
    for state in STATES:
        for name in outbox.unordered(state):
            if state != ARCHIVED or name not in doomed:
                try:
                    old -= set(attachments.paths_of(outbox, Place(outbox, state, name, "").load()))
                except FileNotFoundError:  # it moved on: what it refers to is not known
                    return []
                except Malformed:
                    if _may_name_any(outbox.file(state, name)):
                        return []
    return sorted(old)


def _has_unknown(outbox: Outbox) -> bool:
    known = {*INSIDE, ATTACHED, os.path.basename(outbox.directory(ARCHIVED))}
    return any(name.startswith(".") and name not in known for name in os.listdir(outbox.path))


def _may_name_any(path: str) -> bool:
    """Tell whether a file that is no message may still, once it is repaired, refer to an attachment."""
    try:
        return b"context:" in untrusted.read_delivered(path).lower()
    except (Malformed, OSError):
        return True


def delete(doomed: Doomed) -> None:
    """Delete the files, durably; raises `DiskError`, and what was deleted before stays so."""
    directories = set()
    try:
        for outbox, name in doomed.messages:
            path = outbox.file(ARCHIVED, name)
            durable.remove(path)
            for ending in (REASON, ENDED):
                durable.remove(path + ending)
            directories.add(os.path.dirname(path))
        for path in doomed.attached:
            durable.remove(path)
            directories.add(os.path.dirname(path))
        for directory in sorted(directories):
            durable.flush_directory(directory)
    except OSError as error:
        raise disk_error(error.filename or "the archive", error) from None
