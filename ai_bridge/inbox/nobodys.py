"""The mail that one reader may read: its own, and that for further sessions of its agent which have ended.

A further session (`claude-2`) reads its own mail while it lives. Once it has ended, the next session of `claude` that
reads is shown that mail, with a note of whose it was, and acknowledges it in the ended session's name. It holds the
ended one's reader lock from the look until then. So of two readers only one is shown a message, and a session that
takes the name again meanwhile waits for that lock.
"""

from __future__ import annotations

import os
from contextlib import ExitStack, suppress

from ai_bridge.agents.presence import session
from ai_bridge.agents.sessions import ended
from ai_bridge.inbox.fetch import Reader, is_offered
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting, lock_inbox
from ai_bridge.message.reference import View
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock


class Inboxes:
    """The mail `waiting` for one reader, under the reader locks of all for whom it is; `release` gives these back."""

    __slots__ = ("_locks", "waiting")

    def __init__(self, waiting: list[Waiting], locks: list[Lock]) -> None:
        self.waiting = waiting
        self._locks = locks

    def release(self) -> None:
        """Release the locks, the others too if one refuses; does nothing the second time."""
        with ExitStack() as stack:
            while self._locks:
                stack.callback(self._locks.pop().release)

    def __enter__(self) -> Inboxes:
        return self

    def __exit__(self, *_: object) -> None:
        self.release()


def open_inboxes(mailboxes: Tree, agent: str, settings: Settings, sender: str | None = None) -> Inboxes:
    """Fetch what `agent` may read, oldest first, and take the locks; only mail from `sender`, if that is given.

    Mail of an ended session that another reader is shown just now is left out. A copy of a message that `agent` has
    read itself is not shown a second time: it is acknowledged. Raises `ReaderBusy`, and what `fetch` does.
    """
    locks = [lock_inbox(mailboxes, agent)]
    try:
        reader = Reader(mailboxes, agent, settings, sender, also=ended.offered_to)
        found = reader.fetch()
        others = [one for one in found if one.recipient != agent]
        if not (others or reader.copies):
            return Inboxes(found, locks)
        held = _lock_ended(mailboxes, {one.recipient for one in [*others, *reader.copies]}, locks)
        _acknowledge_copies([one for one in reader.copies if one.recipient in held], agent)
        return Inboxes([one for one in found if one.recipient == agent or _is_still_there(one, held)], locks)
    except BaseException:
        Inboxes([], locks).release()
        raise


def acknowledge(mailboxes: Tree, agent: str, ids: list[str], view: View | None = None) -> list[str]:
    """Acknowledge messages that `agent` may read, as `unread.acknowledge` does, whose results and refusals it has."""
    names = ended.offered_to(mailboxes, agent)
    if not names:
        return unread.acknowledge(mailboxes, agent, ids, view)
    locks: list[Lock] = []
    try:
        found = [one for one in unread.unread_for(mailboxes, "", others=names) if is_offered(one, agent)]
        held = _lock_ended(mailboxes, {one.recipient for one in found}, locks)
        there = [one for one in found if _is_still_there(one, held)]
        return unread.acknowledge(mailboxes, agent, ids, view, there)
    finally:
        Inboxes([], locks).release()


def whose(one: Waiting, agent: str) -> str:
    """Return of a message that `agent` reads whose it was: `claude-2, whose session has ended`; '' if its own."""
    return "" if one.recipient == agent else f"{one.recipient}, whose session has ended"


def _lock_ended(mailboxes: Tree, names: set[str], locks: list[Lock]) -> set[str]:
    """Take the free reader locks of names whose sessions have ended, add them to `locks`, and return those names.

    A lock that the disk refuses is as one that is not free.
    """
    held = set()
    for name in sorted(names):
        lock = Lock(mailboxes.lock_file("reader", name))
        with suppress(OSError):
            if lock.acquire("reader", name, patience_s=0):
                locks.append(lock)
                if session(mailboxes, name) is None:  # a session may have taken the name since the look
                    held.add(name)
    return held


def _is_still_there(one: Waiting, held: set[str]) -> bool:
    return one.recipient in held and os.path.lexists(one.path)


def _acknowledge_copies(copies: list[Waiting], agent: str) -> None:
    """Acknowledge the copies of messages that `agent` has read; what the disk refuses stays for the next read."""
    for one in copies:
        if one.outbox.past_state_of(file_name(one.id, agent)):
            with suppress(OSError):
                one.acknowledge()
