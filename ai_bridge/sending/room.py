"""The room in each agent's inbox: at most `max_unread` unread messages; what comes beyond waits where it was dropped.

A router counts all inboxes once, and then its own deliveries. It counts again only if they used up somebody's room.
"""

from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree


class Room:
    """The room in the inboxes that one router delivers to."""

    __slots__ = ("_full", "_limit", "_mailboxes", "_unread")

    def __init__(self, mailboxes: Tree, limit: int) -> None:
        """`limit` is the most unread messages of one agent, 0 for any number."""
        self._mailboxes = mailboxes
        self._limit = limit
        self._unread: dict[str, int] | None = None
        self._full: set[str] = set()

    def is_full(self, recipient: str) -> bool:
        """Tell whether the inbox takes no more; if so, this stays so until `look_again`. May list all outboxes."""
        if not self._limit or recipient in self._full:
            return recipient in self._full
        if self._unread is None or self._unread.get(recipient, 0) >= self._limit:
            self._unread = unread_by_recipient(self._mailboxes)
            if self._unread.get(recipient, 0) >= self._limit:
                self._full.add(recipient)
        return recipient in self._full

    def take(self, recipient: str) -> None:
        """Count one message that was delivered."""
        if self._unread is not None:
            self._unread[recipient] = self._unread.get(recipient, 0) + 1

    def look_again(self) -> None:
        """Let a full inbox be counted again: its agent may have read."""
        self._full.clear()


def unread_by_recipient(mailboxes: Tree) -> dict[str, int]:
    """Return how many messages are unread for each recipient; lists each outbox once."""
    found: dict[str, int] = {}
    for outbox in mailboxes.outboxes():
        for name in outbox.listed(UNREAD):
            recipient = name.removesuffix(".txt").rpartition(".")[2]
            found[recipient] = found.get(recipient, 0) + 1
    return found


def waiting_for(mailboxes: Tree, recipient: str) -> dict[str, int]:
    """Return how many dropped messages wait for the recipient, by their sender; lists each outbox once."""
    found = {outbox.owner: len(outbox.visible(DROPPED, recipient)) for outbox in mailboxes.outboxes()}
    return {sender: count for sender, count in found.items() if count}


def sentence(recipient: str, count: int) -> str:
    """Return why a message to the recipient, which has `count` unread messages, waits."""
    most = f"{count} unread messages, the most that is set (max_unread)"
    return f"{recipient} has {most}: it waits until {recipient} reads"
