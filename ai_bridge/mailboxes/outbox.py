"""One sender's directory: its messages by state, listed in the order in which they were sent."""

import os

from ai_bridge.errors import IdReused, Malformed
from ai_bridge.mailboxes.file_names import is_older, label, proper_name, variant, written
from ai_bridge.mailboxes.states import (
    ARCHIVED,
    ATTACHED,
    DIRECTORIES,
    DROPPED,
    ENDED,
    HELD,
    INSIDE,
    MALFORMED,
    MOVES,
    PROCESSING,
    READ,
    REASON,
    STATES,
    TEMPORARY,
    UNREAD,
    Directories,
)
from ai_bridge.message import ids
from ai_bridge.system import durable, untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# All that work with outboxes take the states from here.
__all__ = [
    "ARCHIVED",
    "ATTACHED",
    "DIRECTORIES",
    "DROPPED",
    "ENDED",
    "HELD",
    "INSIDE",
    "MALFORMED",
    "MOVES",
    "PROCESSING",
    "READ",
    "REASON",
    "STATES",
    "SUFFIX",
    "TEMPORARY",
    "UNREAD",
    "NotTakenOver",
    "Outbox",
    "only_show",
]
SUFFIX = "-outbox"
# The paths of trees that were found and not adopted: this process only looks at them.
_ONLY_SHOWN: set[str] = set()


class NotTakenOver(Malformed):
    sentence = "the older system left it unread, and {why}: repair it, then restore it"


def only_show(tree: str) -> None:
    """Have this process take over nothing in the tree at that path, whose user has not adopted it."""
    _ONLY_SHOWN.add(tree)


class Outbox(Directories):
    """The directory of all that one agent has sent, with its listings; `owner` is the agent's address."""

    __slots__ = ()

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
            names = self._everything(state)
        except FileNotFoundError:
            return []
        if state in (UNREAD, READ) and (older := list(filter(is_older, names))):
            self.take_over(state, older)
            names = os.listdir(self.directory(state))
        return [name for name in names if name.endswith(ending) and not name.startswith(".")]

    def _everything(self, state: str) -> list[str]:
        """Return all names in the directory of a state, or in the directories of all months."""
        if state == ARCHIVED:
            return [name for month in self.months() for name in os.listdir(month)]
        names = os.listdir(untrusted.real_directory(self.directory(state)))
        if state == DROPPED:
            self.may_be_archiving = DIRECTORIES[ARCHIVED] in names
        return names

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
