"""One sender's directory: its states, the table of moves between them, and their listing.

The table is that of docs/format.md; a move is one rename that never replaces a file.
"""

import os
import stat

from ai_bridge.errors import IdReused, Malformed
from ai_bridge.mailboxes import changes
from ai_bridge.mailboxes.file_names import is_older, label, proper_name, variant, written
from ai_bridge.message import ids
from ai_bridge.system import durable, untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

SUFFIX = "-outbox"
TEMPORARY = ".tmp"
ATTACHED = ".attached"
REASON = ".reason"

STATES = ("dropped", "processing", "unread", "read", "held", "malformed")
DROPPED, PROCESSING, UNREAD, READ, HELD, MALFORMED = STATES
DIRECTORIES = {
    DROPPED: "",
    PROCESSING: ".processing",
    UNREAD: ".unread",
    READ: ".read",
    HELD: ".held",
    MALFORMED: ".malformed",
}
# The directories that every outbox has.
INSIDE = (TEMPORARY, *filter(None, DIRECTORIES.values()))
MOVES = {
    "claim": (DROPPED, PROCESSING),
    "release": (PROCESSING, DROPPED),
    "deliver": (PROCESSING, UNREAD),
    "reject": (PROCESSING, MALFORMED),
    "hold": (PROCESSING, HELD),
    "acknowledge": (UNREAD, READ),
    "restore read": (READ, UNREAD),
    "restore malformed": (MALFORMED, DROPPED),
    "allow": (HELD, DROPPED),
    "return": (UNREAD, MALFORMED),
    "take over unread": (UNREAD, UNREAD),
    "take over read": (READ, READ),
}
# The paths of trees that were found and not adopted: this process only looks at them.
_ONLY_SHOWN: set[str] = set()


class NotTakenOver(Malformed):
    sentence = "the older system left it unread, and {why}: repair it, then restore it"


def only_show(tree: str) -> None:
    """Have this process take over nothing in the tree at that path, whose user has not adopted it."""
    _ONLY_SHOWN.add(tree)


class Outbox:
    """The directory of all that one agent has sent; `owner` is the agent's address.

    A symbolic link is never an outbox, nor one of its directories: a file moved there would leave the mailboxes.
    """

    __slots__ = ("owner", "path")

    def __init__(self, path: str, owner: str) -> None:
        self.path = path
        self.owner = owner

    def __repr__(self) -> str:
        return f"Outbox({self.path!r})"

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
        return os.path.join(self.directory(state), name)

    def has(self, name: str) -> bool:
        """Tell whether the message file is there in any state but malformed."""
        return any(os.path.lexists(self.file(state, name)) for state in STATES if state != MALFORMED)

    def holds(self, state: str, name: str) -> bool:
        """Tell whether a file of that name, and no reservation, is there in `state`."""
        path = self.file(state, name)
        return os.path.lexists(path) and not untrusted.is_reservation(path)

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
        untrusted.real_directory(self.directory(states[1]))
        source, target = self.file(states[0], name), self.file(states[1], new_name or name)
        try:
            moved = durable.move(source, target)
        except FileExistsError:
            if states[1] not in (UNREAD, READ) or not durable.move_onto_reservation(source, target):
                raise
            moved = True
        changes.report(os.path.dirname(self.path), source, target)
        return moved

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

    def listed(self, state: str) -> list[str]:
        """Return `unordered`, or [] if the directory cannot be listed."""
        try:
            return self.unordered(state)
        except OSError:
            return []

    def unordered(self, state: str) -> list[str]:
        """Return the message files in `state`, in no order; raises OSError."""
        return self._listed(state, ".txt")

    def visible(self, state: str, recipient: str = "") -> list[str]:
        """Return `names`, or [] if the directory cannot be listed: one bad outbox must not stop the others."""
        try:
            return self.names(state, recipient)
        except OSError:
            return []

    def names(self, state: str, recipient: str = "", wanted: "Callable[[str], bool] | None" = None) -> list[str]:
        """Return the message files in `state` in the order in which they were sent; only of `recipient`, if given.

        `wanted`, if given, is False for names that are to be left out. Raises OSError.

        A listing is no snapshot: one that races with drops may show a later message and not an earlier one. A second
        listing closes that gap: it adds the names that sort before the last of the first listing.
        """
        ending = f".{recipient}.txt" if recipient else ".txt"
        first = list(filter(wanted, self._listed(state, ending)))
        if not first:
            return []
        keys = {name: self.order(state, name) for name in first}
        last = max(keys.values())
        for name in filter(wanted, self._listed(state, ending)):
            if name not in keys and (key := self.order(state, name)) < last:
                keys[name] = key
        return sorted(keys, key=keys.__getitem__)

    def _listed(self, state: str, ending: str) -> list[str]:
        """Return the names of the message files; takes over those of the older layout that it meets."""
        try:
            names = os.listdir(untrusted.real_directory(self.directory(state)))
        except FileNotFoundError:
            return []
        if state in (UNREAD, READ) and (older := list(filter(is_older, names))):
            self.take_over(state, older)
            names = os.listdir(self.directory(state))
        return [name for name in names if name.endswith(ending) and not name.startswith(".")]

    # --- the older layout -------------------------------------------------------------------------------

    def take_over(self, state: str, names: list[str]) -> None:
        """Give unread or read files that have the name of the older layout, `<ID>.txt`, their proper name.

        Anyone who meets such a file may do this, even two at once: the name does not depend on who gives it. An
        unread file that has no proper name is returned to `.malformed`, and a read one stays. Does nothing in a tree
        that is only shown, and leaves what the disk does not let it change.
        """
        if os.path.dirname(self.path) in _ONLY_SHOWN:
            return
        for name in names:
            try:
                self._take_over_one(state, name)
            except OSError:
                continue

    def _take_over_one(self, state: str, name: str) -> None:
        from ai_bridge.message import message  # a sender meets no such file

        raw = untrusted.read_delivered(self.file(state, name))
        try:
            proper = proper_name(name, self.owner, message.parse(raw))
            self._give_name(state, name, proper, raw)
        except Malformed as refusal:
            if state == UNREAD:
                self._return(name, NotTakenOver(why=str(refusal)))

    def _give_name(self, state: str, name: str, proper: str, raw: bytes) -> None:
        """Make the move; if the proper name is taken, remove a file that says the same, else raise `IdReused`."""
        try:
            self.move(f"take over {state}", name, proper)
        except FileExistsError:
            if untrusted.read_delivered(self.file(state, proper)) != raw:
                id_, recipient = label(proper)
                raise IdReused(id=id_, recipient=recipient) from None
            durable.remove(self.file(state, name))

    def _return(self, name: str, refusal: Malformed) -> None:
        """Return an unread file to `.malformed`, its reason first."""
        number, here = 0, self.file(UNREAD, name)
        while os.path.lexists(kept := self.file(MALFORMED, variant(name, number))) and not untrusted.is_same(
            here, kept
        ):
            number += 1
        self.complete()
        durable.replace_own(kept + REASON, f"{refusal}\n".encode())
        self.move("return", name, variant(name, number))

    def order(self, state: str, name: str) -> tuple[str, str]:
        """Return the key to sort by: the time in the ID, else the time when the file was written; then the name."""
        return (ids.stamp_of(label(name)[0]) or written(self.file(state, name)), name)
