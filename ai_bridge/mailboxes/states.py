"""The states of messages: the directory of each in an outbox, and the table of moves between them.

The table is that of docs/format.md; a move is one rename that never replaces a file.
"""

import os
import stat

from ai_bridge.mailboxes import changes
from ai_bridge.mailboxes.file_names import label, variant
from ai_bridge.message import ids
from ai_bridge.system import durable, untrusted

TEMPORARY = ".tmp"
ATTACHED = ".attached"
# What stands behind the name of a file beside it: why that one was rejected or is held, and why it came to an end.
REASON, ENDED = ".reason", ".ended"

STATES = ("dropped", "processing", "unread", "read", "held", "malformed", "archived")
DROPPED, PROCESSING, UNREAD, READ, HELD, MALFORMED, ARCHIVED = STATES
DIRECTORIES = {
    DROPPED: "",
    PROCESSING: ".processing",
    UNREAD: ".unread",
    READ: ".read",
    HELD: ".held",
    MALFORMED: ".malformed",
    ARCHIVED: ".archive",
}
# The directories that every outbox has.
INSIDE = (TEMPORARY, *(DIRECTORIES[state] for state in (PROCESSING, UNREAD, READ, HELD, MALFORMED)))
MOVES = {
    "claim": (DROPPED, PROCESSING),
    "release": (PROCESSING, DROPPED),
    "deliver": (PROCESSING, UNREAD),
    "reject": (PROCESSING, MALFORMED),
    "hold": (PROCESSING, HELD),
    "acknowledge": (UNREAD, READ),
    "restore read": (READ, UNREAD),
    "restore malformed": (MALFORMED, DROPPED),
    "restore archived": (ARCHIVED, UNREAD),
    "restore ended": (ARCHIVED, DROPPED),
    "allow": (HELD, DROPPED),
    "return": (UNREAD, MALFORMED),
    "archive read": (READ, ARCHIVED),
    "archive malformed": (MALFORMED, ARCHIVED),
    "expire": (UNREAD, ARCHIVED),
    "expire claimed": (PROCESSING, ARCHIVED),
    "discard malformed": (MALFORMED, ARCHIVED),
    "discard held": (HELD, ARCHIVED),
    "withdraw dropped": (DROPPED, ARCHIVED),
    "withdraw unread": (UNREAD, ARCHIVED),
    "withdraw held": (HELD, ARCHIVED),
    "take over unread": (UNREAD, UNREAD),
    "take over read": (READ, READ),
}
# The directory, within that of archived messages, of those whose names hold no time.
UNDATED = "undated"
_MONTHS = frozenset(f"{month:02}" for month in range(1, 13))


def month_of(name: str) -> str:
    """Return the directory, within that of archived messages, of the file `name`: the month `YYYY-MM` of its ID.

    It depends on the name alone, so that an archived file is found without a listing.
    """
    stamp = ids.stamp_of(label(name)[0])
    return f"{stamp[:4]}-{stamp[4:6]}" if stamp[4:6] in _MONTHS else UNDATED


def is_month(name: str) -> bool:
    """Tell whether `name` is one that `month_of` returns."""
    year, dash, month = name.partition("-")
    return name == UNDATED or (dash != "" and len(year) == 4 and year.isdigit() and month in _MONTHS)


class Directories:
    """The directories of one outbox, each with the messages of one state; `owner` is the address of its agent.

    A symbolic link is never an outbox, nor one of its directories: a file moved there would leave the mailboxes.
    `may_be_archiving` is False once a listing showed that there are no archived messages.
    """

    __slots__ = ("may_be_archiving", "owner", "path")

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self.owner = owner
        self.may_be_archiving = True

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.path!r})"

    @property
    def temporary(self) -> str:
        """The directory of messages being written."""
        return os.path.join(self.path, TEMPORARY)

    @property
    def attached(self) -> str:
        """The directory of attachments, each named after its content; made when the first one is stored."""
        return os.path.join(self.path, ATTACHED)

    def is_there(self) -> bool:
        """Tell whether the outbox exists: as a directory, not as a link to one."""
        try:
            return stat.S_ISDIR(os.lstat(self.path).st_mode)
        except (OSError, ValueError):
            return False

    def directory(self, state: str) -> str:
        """Return the directory that holds the messages in `state`."""
        return os.path.join(self.path, DIRECTORIES[state]) if state != DROPPED else self.path

    def file(self, state: str, name: str) -> str:
        """Return the path of the file `name` in `state`."""
        if state == ARCHIVED:
            return os.path.join(self.directory(state), month_of(name), name)
        return os.path.join(self.directory(state), name)

    def months(self) -> list[str]:
        """Return the directories of archived messages, the oldest first, [] if there are none; raises OSError."""
        archive = self.directory(ARCHIVED)
        try:
            with os.scandir(archive) as entries:
                found = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        except FileNotFoundError:
            return []
        untrusted.real_directory(archive)
        return [os.path.join(archive, name) for name in sorted(filter(is_month, found))]

    def has(self, name: str) -> bool:
        """Tell whether the message file is there in any state but malformed."""
        others = (state for state in STATES if state not in (MALFORMED, ARCHIVED))
        return any(os.path.lexists(self.file(state, name)) for state in others) or self.has_archived(name)

    def has_archived(self, name: str) -> bool:
        """Tell whether the message file is archived; no malformed file is archived under a message's proper name."""
        return self.may_be_archiving and self.holds(ARCHIVED, name)

    def holds(self, state: str, name: str) -> bool:
        """Tell whether a file of that name, and no reservation, is there in `state`."""
        return self.has_file(state, name) and not untrusted.is_reservation(self.file(state, name))

    def has_file(self, state: str, name: str) -> bool:
        """Tell whether a name is there in `state`; what a symbolic link in place of the archive leads to is not."""
        path = self.file(state, name)
        if not os.path.lexists(path):
            return False
        if state != ARCHIVED:
            return True
        month = os.path.dirname(path)
        return not os.path.islink(month) and not os.path.islink(os.path.dirname(month))

    def past_state_of(self, name: str) -> str:
        """Return READ or ARCHIVED if the message file is read or archived, '' if it is neither."""
        if self.holds(READ, name):
            return READ
        return ARCHIVED if self.has_archived(name) else ""

    def flush(self, *states: str) -> None:
        """Make the moves into and out of these states durable."""
        for state in states:
            durable.flush_directory(self.directory(state))

    def freshen(self) -> None:
        """Make a network file system look at every state again, before names are looked for."""
        for state in STATES:
            untrusted.freshen(self.directory(state))

    def make(self) -> bool:
        """Create the outbox and its missing directories; True if it is new."""
        made = durable.make_directory(self.path)
        self.complete()
        return made

    def complete(self) -> bool:
        """Create the directories an existing outbox lacks (an older layout, or a sync); True if it lacked any."""
        if not self.is_there():
            return False
        with os.scandir(self.path) as entries:
            there = {entry.name for entry in entries if entry.is_dir()}
        missing = [directory for directory in INSIDE if directory not in there]
        for directory in missing:
            durable.make_directory(os.path.join(self.path, directory))
        return bool(missing)

    def move(self, verb: str, name: str, new_name: str | None = None) -> bool:
        """Make the move `verb` of the table, with `new_name` if given; False if another process was first.

        An empty file among delivered messages only reserves its name, and the message takes its place. Reports the
        move to `changes`. Raises FileExistsError if the target's name is taken, and another OSError if the disk
        refuses or the target's directory is a link.
        """
        states = MOVES[verb]
        source, target = self.file(states[0], name), self.file(states[1], new_name or name)
        untrusted.real_directory(self.directory(states[1]))
        if states[1] == ARCHIVED:
            self.make_month(os.path.dirname(target))
        try:
            moved = durable.move(source, target)
        except FileExistsError:
            if states[1] not in (UNREAD, READ, ARCHIVED) or not durable.move_onto_reservation(source, target):
                raise
            moved = True
        changes.report(os.path.dirname(self.path), source, target)
        return moved

    def make_month(self, path: str) -> None:
        """Make a directory of archived messages, durably, if it is missing; raises OSError if it is a link."""
        untrusted.real_directory(os.path.dirname(path))
        durable.make_directory(untrusted.real_directory(path))

    def release(self, name: str) -> str:
        """Put a claimed file back, under a free name if its own was taken; returns it, '' if another was first."""
        return self.move_to_free("release", name)

    def move_to_free(self, verb: str, name: str) -> str:
        """Make a move to the first free name of `name`, `name~1` …; returns it, '' if another process was first."""
        number = 0
        while True:
            free = variant(name, number)
            try:
                return free if self.move(verb, name, free) else ""
            except FileExistsError:
                number += 1
