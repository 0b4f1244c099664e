"""The manners in which mail is announced (a push, a hook, the end of a wait), and which mail each of them takes."""

from __future__ import annotations

from ai_bridge.clients.record import Client
from ai_bridge.message.urgency import NEXT, NOW, QUIET
from ai_bridge.reach.memory import HEARD, RUNG, SHOWN

A_HOOK = "a hook"


class Manner:
    """One manner of a ring.

    `how` is what the session knows of a message after the ring: RUNG if the client may have lost it, HEARD if the
    client took it, SHOWN if it holds the message itself. `takes` are the urgencies of the mail that it announces.
    `wakes`: it begins a turn, which costs a request. `greets`: a turn begins anyway, so all mail is announced.
    `is_late`: it interrupts a turn that goes on, so ordinary mail has to wait for long before it is announced.
    `repeats`: it may announce mail again that was rung for and not heard of. If the session is at work, a push may
    wait in the client until the turn ends, and is not repeated for long.
    """

    __slots__ = ("by", "greets", "how", "is_late", "repeats", "takes", "wakes")

    def __init__(
        self,
        by: str,
        how: str,
        takes: tuple[str, ...],
        wakes: bool = False,
        greets: bool = False,
        is_late: bool = False,
        repeats: bool = True,
    ) -> None:
        self.repeats = repeats
        self.by = by
        self.how = how
        self.takes = takes
        self.wakes = wakes
        self.greets = greets
        self.is_late = is_late


# A push, or the end of a wait in a background shell; and a push to a session that is at work.
PUSH = Manner("a push", RUNG, (NOW, NEXT), wakes=True)
PUSH_TO_WORKING = Manner("a push", RUNG, (NOW, NEXT), wakes=True, is_late=True, repeats=False)


def of_hook(client: Client, event: str, showing: bool) -> Manner:
    """Return the manner of a hook for `event`, which announces mail, or shows it if `showing`.

    At the end of a turn, it makes the model go on. Between two tool calls it interrupts. Otherwise a turn begins.
    If the client shows a hook the text that begins a turn, a push that no hook was shown may still be to come.
    """
    how, repeats = SHOWN if showing else HEARD, not client.hooks.prompt
    if event == client.hooks.turn_end:
        return Manner(A_HOOK, how, (NOW, NEXT), wakes=True, repeats=repeats)
    if event == client.hooks.after_tool:
        return Manner(A_HOOK, how, (NOW,), is_late=True, repeats=repeats)
    return Manner(A_HOOK, how, (NOW, NEXT, QUIET), greets=True)
