"""The unread mail of an agent, in every outbox: list, read, acknowledge. An inbox is this view, never a directory."""

import os

from ai_bridge.errors import BridgeError, Malformed
from ai_bridge.mailboxes.file_names import file_name, label
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, PROCESSING, READ, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import expiry, message, reference
from ai_bridge.message.message import Message
from ai_bridge.message.reference import View
from ai_bridge.system import durable, untrusted
from ai_bridge.system.locks import Lock, holder

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

_PATIENCE_S = 2.0


class NotUnread(BridgeError):
    sentence = "{ids} {verb} not unread for {agent}: nothing was acknowledged"


class ReaderBusy(BridgeError):
    sentence = "another session is reading {agent}'s mail just now ({holder}): try again in a moment"


class Waiting:
    """One unread message: its `outbox`, the `name` of its file, and the `id` in that name."""

    __slots__ = ("id", "name", "outbox")

    def __init__(self, outbox: Outbox, name: str) -> None:
        self.outbox = outbox
        self.name = name
        self.id = label(name)[0]

    @property
    def recipient(self) -> str:
        """The agent for whom it was delivered, by the name of its file."""
        return label(self.name)[1]

    @property
    def sender(self) -> str:
        """The owner of its outbox; the router checked that `From` names the same agent."""
        return self.outbox.owner

    @property
    def path(self) -> str:
        """The path of the file while the message is unread."""
        return self.outbox.file(UNREAD, self.name)

    @property
    def read_path(self) -> str:
        """The path of the file once the message is acknowledged."""
        return self.outbox.file(READ, self.name)

    def load(self) -> Message:
        """Return the message; raises `Expired`, and `Malformed` or OSError if somebody altered the file."""
        return expiry.unexpired(self.load_anyway())

    def load_anyway(self) -> Message:
        """Return the message, even if its time is over; raises as `load` else."""
        return message.parse(untrusted.read_delivered(self.path))

    def acknowledge(self) -> bool:
        """Move the message to `.read`; False if it is gone.

        If a message of that name was read before, the same one is removed now, and a different one is kept beside it.
        An outbox that lacks a directory is completed.
        """
        try:
            try:
                return self.outbox.move("acknowledge", self.name)
            except FileNotFoundError:
                if not self.outbox.complete():
                    raise
                return self.outbox.move("acknowledge", self.name)
        except FileExistsError:
            if not self._was_read_before():
                return bool(self.outbox.move_to_free("acknowledge", self.name))
            return durable.remove(self.path)

    def drop_if_returned(self) -> bool:
        """Remove the message if a sync tool brought it back after it was read or archived; True if so."""
        try:
            returned = (os.path.lexists(self.read_path) and self._was_read_before()) or self._is_archived()
            return returned and durable.remove(self.path)
        except OSError:
            return False

    def _was_read_before(self) -> bool:
        return self._says_the_same(self.read_path)

    def _is_archived(self) -> bool:
        return self.outbox.has_archived(self.name) and self._says_the_same(self.outbox.file(ARCHIVED, self.name))

    def _says_the_same(self, other: str) -> bool:
        try:
            return untrusted.read_delivered(self.path) == untrusted.read_delivered(other)
        except Malformed:
            return False


def unread_for(
    mailboxes: Tree,
    agent: str,
    sender: str | None = None,
    outboxes: list[Outbox] | None = None,
    others: "Collection[str]" = (),
) -> list[Waiting]:
    """Return what is unread for the agent, and for the `others`, oldest first.

    Only mail from `sender`, and only in `outboxes`, if given.
    """
    if outboxes is None:
        outboxes = mailboxes.outboxes() if sender is None else [mailboxes.outbox(sender)]
    found = [
        (outbox.order(UNREAD, name), outbox, name)
        for outbox in outboxes
        if sender in (None, outbox.owner)
        for name in _of_any(outbox, agent, others)
    ]
    found.sort(key=lambda entry: entry[0])
    return [Waiting(outbox, name) for _, outbox, name in found]


def _of_any(outbox: Outbox, agent: str, others: "Collection[str]") -> list[str]:
    if not others:
        return outbox.visible(UNREAD, agent)
    return [name for name in outbox.visible(UNREAD) if label(name)[1] in (agent, *others)]


def inboxes(mailboxes: Tree) -> dict[str, list[Waiting]]:
    """Return the unread messages by their recipient; each outbox is listed once."""
    found: dict[str, list[Waiting]] = {}
    for outbox in mailboxes.outboxes():
        for name in outbox.visible(UNREAD):
            _, dot, recipient = name.removesuffix(".txt").rpartition(".")
            if dot:
                found.setdefault(recipient, []).append(Waiting(outbox, name))
    return found


def coming(mailboxes: Tree) -> dict[str, list[str]]:
    """Return the paths of messages that are dropped or claimed, by the recipient in their names.

    Each outbox is listed once per state. A file whose name has no recipient is left out.
    """
    found: dict[str, list[str]] = {}
    for outbox in mailboxes.outboxes():
        for state in (DROPPED, PROCESSING):
            for name in outbox.visible(state):
                if recipient := label(name)[1]:
                    found.setdefault(recipient, []).append(outbox.file(state, name))
    return found


def lock_inbox(mailboxes: Tree, agent: str) -> Lock:
    """Take and return the lock with which one session at a time reads an agent's mail.

    It waits up to `_PATIENCE_S` seconds; raises `ReaderBusy`. The caller must release the lock.
    """
    lock = Lock(mailboxes.lock_file("reader", agent))
    if not lock.acquire("reader", agent, _PATIENCE_S):
        raise ReaderBusy(agent=agent, holder=str(holder(lock.path)))
    return lock


def acknowledge(
    mailboxes: Tree, agent: str, ids: list[str], view: View | None = None, also: "Collection[Waiting]" = ()
) -> list[str]:
    """Acknowledge unread messages, each named by its ID or as `SENDER/ID`, all or none of them.

    The messages are the agent's, or among `also`, which the caller may acknowledge. Returns the names of those
    that were still there, as given in `ids`. Holds the agent's reader lock meanwhile. Raises `NotUnread`,
    `SeveralMessages` or `ReaderBusy`.
    """
    lock = lock_inbox(mailboxes, agent)
    try:
        chosen = _chosen(mailboxes, [*unread_for(mailboxes, agent), *also], agent, ids, view or View(agent))
        return [text for text, one in chosen if one.acknowledge()]
    finally:
        lock.release()


def _senders(mailboxes: Tree, agent: str, id_: str, there: "Iterable[str]") -> list[str]:
    """Return who sent the agent a message of that ID: senders of unread ones (`there`), then of read ones."""
    name = file_name(id_, agent)
    read = [box.owner for box in mailboxes.outboxes() if os.path.lexists(box.file(READ, name))]
    return list(dict.fromkeys([*there, *read]))


def _chosen(
    mailboxes: Tree, waiting: list[Waiting], agent: str, ids: list[str], view: View
) -> list[tuple[str, Waiting]]:
    """Return each of `ids` with the message it means, each message once; raises `NotUnread`."""
    by_id: dict[str, dict[str, Waiting]] = {}
    for one in waiting:
        by_id.setdefault(one.id, {})[one.sender] = one
    chosen: dict[str, tuple[str, Waiting]] = {}
    unknown = []
    for text in ids:
        sender, id_ = view.split(text)
        there = by_id.get(id_, {})
        found = there.get(sender or (reference.only(id_, _senders(mailboxes, agent, id_, there)) if there else ""))
        if found is None:
            unknown.append(f"{sender}/{id_}" if there else text)
        else:
            chosen.setdefault(found.path, (text, found))
    if unknown:
        raise NotUnread(ids=", ".join(unknown), verb="is" if len(unknown) == 1 else "are", agent=agent)
    return list(chosen.values())
