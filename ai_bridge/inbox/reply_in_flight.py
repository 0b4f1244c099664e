"""A reply on its way: its messages are acknowledged once the client has taken it, and else stay unread."""

from __future__ import annotations

from collections.abc import Callable

from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.system.locks import Lock
from ai_bridge.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.inbox.nobodys import Inboxes


class ReplyInFlight:
    """A reply with the messages that are `shown` whole in it, and all that are `named` in it.

    `lock`, if given, is the agent's reader lock, or its `Inboxes` with several: no other session reads that mail
    until the reply is settled.
    `then` is called with True if the client took the reply, else with False.
    """

    __slots__ = ("is_finished", "lock", "named", "shown", "then")

    def __init__(
        self,
        lock: Lock | Inboxes | None,
        shown: list[Waiting],
        then: Callable[[bool], None] = lambda taken: None,
        named: list[Waiting] | None = None,
    ) -> None:
        self.lock = lock
        self.shown = shown
        self.named = shown if named is None else named
        self.then = then
        self.is_finished = False

    def finish(self, taken: bool) -> list[str]:
        """Acknowledge the shown messages if the reply was `taken`; calls `then`, and releases the lock in any case.

        Returns a sentence for each message that the disk refused to move: it stays unread and is shown again.
        """
        try:
            refused = [sentence for one in self.shown if taken and (sentence := _acknowledge(one))]
            self.then(taken)
        finally:
            if self.lock is not None:
                self.lock.release()
        return refused


def _acknowledge(one: Waiting) -> str:
    """Acknowledge a message that was shown; returns '', or why the disk refused."""
    try:
        one.acknowledge()
    except OSError as error:
        return f"not acknowledged: {printable(one.path)}: {error.strerror}"
    return ""
