"""A reply that is on its way: what it shows is acknowledged once it was taken, and stays unread if it was not."""

from __future__ import annotations

from collections.abc import Callable

from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.system.locks import Lock
from ai_bridge.text import printable


class Hand:
    """Messages shown whole in a reply, and all that are `named` in it; `then` is told whether it was taken.

    Until it is settled no other session reads this agent's mail, if `lock` is its reader lock.
    """

    __slots__ = ("is_settled", "lock", "named", "shown", "then")

    def __init__(
        self,
        lock: Lock | None,
        shown: list[Waiting],
        then: Callable[[bool], None] = lambda taken: None,
        named: list[Waiting] | None = None,
    ) -> None:
        self.lock = lock
        self.shown = shown
        self.named = shown if named is None else named
        self.then = then
        self.is_settled = False

    def settle(self, taken: bool) -> list[str]:
        """Acknowledge the messages if the reply was taken; then let others read.

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
    """Acknowledge a message that was shown; returns why not, or ''."""
    try:
        one.acknowledge()
    except OSError as error:
        return f"not acknowledged: {printable(one.path)}: {error.strerror}"
    return ""
