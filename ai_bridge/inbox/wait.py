"""Waits until something is unread."""

import math
import threading
import time
from collections.abc import Callable, Iterable

from ai_bridge.agents.sessions import ended
from ai_bridge.inbox.fetch import Also, Reader, is_anything
from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.mailboxes.wake import SharedWatch, Wake
from ai_bridge.settings import Settings

# After `_MANY_WAKES` wakes in a row without mail, a waiting reader rests after each look, `_REST_LOOKS` times as long
# as the look took, but at most `_REST_S` seconds. So other agents' mail costs it at most a fifth of a core.
_MANY_WAKES, _REST_LOOKS, _REST_S = 20, 4, 0.05


def open_wake(mailboxes: Tree, settings: Settings, shared: SharedWatch | None = None) -> Wake:
    """Return a wake for a reader: it wakes at a delivery, and at a drop, because there may be no router.

    It joins the `shared` watch of the process, if that is given.
    """

    def directories() -> Iterable[str]:
        outboxes = mailboxes.outboxes()
        return [mailboxes.path, *(outbox.directory(state) for outbox in outboxes for state in (DROPPED, UNREAD))]

    return Wake.over(mailboxes, settings, directories, shared)


def wait_for_mail(
    mailboxes: Tree,
    agent: str,
    settings: Settings,
    timeout_s: float | None = None,
    sender: str | None = None,
    wake: Wake | None = None,
    each_sweep: Callable[[], bool] = lambda: True,
    is_wanted: Callable[[Waiting], bool] = is_anything,
    also: Also = ended.rung_for,
) -> list[Waiting]:
    """Return the agent's unread mail as soon as there is some, [] after `timeout_s` seconds (None: no limit).

    `sender`, if given, is the only agent whose mail counts. Messages for which `is_wanted` is false are ignored.
    Mail for the names that `also` returns counts, too.
    `wake`, if given, comes from `open_wake`; another thread may set it, and this function closes it. The waiting
    thread calls `each_sweep` at every wake and sweep, and the wait ends if that returns False.
    Takes router locks and raises as `fetch` does.
    """
    deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
    reader = Reader(mailboxes, agent, settings, sender, is_wanted, also)
    with wake or open_wake(mailboxes, settings) as wake:
        sweep_at = time.monotonic() + settings.sweep_s
        found, hints, empty = reader.fetch(), None, 0
        while not found and time.monotonic() < deadline and each_sweep():
            woken = wake.wait(min(sweep_at, deadline) - time.monotonic(), rescan=hints is None)
            started = time.monotonic()
            hints = mailboxes.outboxes_of(wake.changed) if started < sweep_at else None
            if hints is None:
                sweep_at = started + settings.sweep_s
            found = reader.sweep(wake) if hints is None else reader.look_at(hints)
            empty = empty + 1 if woken else 0
            if not found and empty > _MANY_WAKES:  # other agents' mail, or a file that comes back again and again
                time.sleep(min(_REST_LOOKS * (time.monotonic() - started), _REST_S))
        return found


class StoppableWait:
    """A wait in a thread of its own, which another thread may stop at any time."""

    def __init__(self) -> None:
        self._is_stopped = threading.Event()
        self._wake: Wake | None = None

    def until_mail(
        self,
        mailboxes: Tree,
        agent: str,
        settings: Settings,
        timeout_s: float | None = None,
        sender: str | None = None,
        shared: SharedWatch | None = None,
        each_sweep: Callable[[], object] = lambda: None,
        is_wanted: Callable[[Waiting], bool] = is_anything,
        also: Also = ended.rung_for,
    ) -> list[Waiting]:
        """Return what `wait_for_mail` does; [] once it is stopped. It opens and closes its wake in this thread."""

        def goes_on() -> bool:
            if not self._is_stopped.is_set():
                each_sweep()
            return not self._is_stopped.is_set()

        self._wake = open_wake(mailboxes, settings, shared)
        return wait_for_mail(mailboxes, agent, settings, timeout_s, sender, self._wake, goes_on, is_wanted, also)

    def stop(self) -> None:
        """End the wait at once, also one that has not begun yet."""
        self._is_stopped.set()
        if self._wake is not None:
            self._wake.set()
