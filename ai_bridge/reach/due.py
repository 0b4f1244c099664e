"""When a message may be announced: at one look at a session's memory, in one manner, by the session's pace."""

from __future__ import annotations

import os
import time

from ai_bridge.errors import BridgeError
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.message.urgency import NEXT, NOW, urgency_of
from ai_bridge.reach.manner import Manner
from ai_bridge.reach.memory import HEARD, LOST, RUNG, SHOWN, Entry, Memory
from ai_bridge.reach.pace import Pace

NEVER_NS = 1 << 63
# So many urgencies are read from the messages themselves; all others count as ordinary.
_READ_MOST = 100
# How often, and after how many seconds each, a file is looked at again that has its temporary name as well.
_LOOKS_MOST, _LOOK_S = 20, 0.002


class Due:
    """One look at the memory of a session. `urgencies` keeps what was read of messages before, by their names."""

    def __init__(self, mailboxes: Tree, memory: Memory, pace: Pace, urgencies: dict[str, str]) -> None:
        self.now_ns = time.time_ns()
        self._memory = memory
        self._pace = pace
        self._urgencies = urgencies
        self._mailboxes = mailboxes

    def is_now(self, one: Waiting, manner: Manner) -> bool:
        """Tell whether a message may be announced now."""
        return self.free_ns(one, manner) <= self.now_ns

    def free_ns(self, one: Waiting, manner: Manner) -> int:
        """Return when a message may be announced, in nanoseconds since the epoch; NEVER_NS if not in this manner."""
        free_ns = self._heard_ns(one, manner)
        return max(free_ns, self._pace.turn_ns(self._memory, self.now_ns)) if manner.wakes else free_ns

    def _heard_ns(self, one: Waiting, manner: Manner) -> int:
        """Return the same as far as it depends on what the session heard."""
        entry = self._memory.entries.get(name_of(one))
        if entry is None or entry.came_ns != came_ns(one) or entry.how == LOST:
            return self._first_ns(one, manner)
        if entry.how == RUNG and not (manner.wakes and self._pace.is_over(entry)):
            at_ns = self._pace.unheard_ns(entry, self.now_ns)
            return at_ns if manner.repeats else max(at_ns, entry.rung_ns + self._pace.patience_ns())
        # What was announced is shown where a turn goes on or begins anyway.
        return 0 if entry.how == HEARD and manner.how == SHOWN and not manner.wakes else NEVER_NS

    def _first_ns(self, one: Waiting, manner: Manner) -> int:
        """Return when a message may be announced for which no ring arrived."""
        if self.urgency(one) not in manner.takes:
            is_patient = manner.is_late and self.urgency(one) == NEXT
            return came_ns(one) + self._pace.patience_ns() if is_patient else NEVER_NS
        if manner.greets:
            return 0
        rung = {name: entry for name, entry in self._memory.entries.items() if entry.is_open()}
        is_unanswered = any(_is_unread(self._mailboxes, name, entry) for name, entry in rung.items())
        return self._pace.next_ns(list(rung.values())) if is_unanswered else 0

    def urgency(self, one: Waiting) -> str:
        """Return how urgent a message is, as read from it once; ordinary if it cannot be read.

        Another team does not decide that a session is interrupted: its urgent mail is ordinary.
        """
        name = name_of(one)
        if name not in self._urgencies:
            known = said_urgency(one) if len(self._urgencies) < _READ_MOST else NEXT
            is_far = known == NOW and self._mailboxes.part(Homes).is_of_another_team(one.sender)
            self._urgencies[name] = NEXT if is_far else known
        return self._urgencies[name]


def said_urgency(one: Waiting) -> str:
    """Return how urgent a message says that it is; ordinary if it cannot be read."""
    try:
        return urgency_of(one.load_anyway())
    except (BridgeError, OSError):
        return NEXT


def name_of(one: Waiting) -> str:
    """Return the name of a message in a memory."""
    return f"{one.sender}/{one.name}"


def came_ns(one: Waiting) -> int:
    """Return when the file came there, in nanoseconds since the epoch; 0 if the file is gone."""
    return _changed_ns(one.path)


def seen(memory: Memory, one: Waiting) -> Entry:
    """Return the entry of a message that the session was just shown."""
    noted = memory.entries.get(name_of(one))
    return Entry(came_ns(one), SHOWN) if noted is None else noted.become(SHOWN)


def _is_unread(mailboxes: Tree, name: str, entry: Entry) -> bool:
    sender, _, file = name.partition("/")
    return _changed_ns(mailboxes.outbox(sender).file(UNREAD, file)) == entry.came_ns


def _changed_ns(path: str) -> int:
    """Return when the name of a file was last changed (a rename changes its ctime); 0 if it is gone.

    A sender drops a file by a link, and then removes its temporary name, which changes the ctime once more. If a
    router was faster, this waits for that, for some milliseconds.
    """
    try:
        found = os.lstat(path)
        for _ in range(_LOOKS_MOST):
            if found.st_nlink == 1:
                break
            time.sleep(_LOOK_S)
            found = os.lstat(path)
    except OSError:
        return 0
    return found.st_ctime_ns
