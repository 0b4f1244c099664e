"""Fetches unread mail with or without a router: a reader that finds no router at work makes the pass itself."""

import math
import time
from collections.abc import Callable, Iterable

from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD, Outbox, label
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.mailboxes.wake import Wake, hinted, parts
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock, holder

# How long a read waits for a running router to deliver what was dropped before the read began.
_ROUTER_PATIENCE_S = 1.0
_FIRST_LOOK_S, _LAST_LOOK_S = 0.0001, 0.002
# A share's server is asked at each look.
_SHARE_LOOKS_S = (0.02, 0.2)
# After `_MANY_WAKES` wakes in a row without mail, a waiting reader rests after each look, `_REST_LOOKS` times as long
# as the look took, but at most `_REST_S` seconds. So other agents' mail costs it at most a fifth of a core.
_MANY_WAKES, _REST_LOOKS, _REST_S = 20, 4, 0.05


def _any(one: Waiting) -> bool:
    return True


def fetch(mailboxes: Mailboxes, agent: str, settings: Settings, sender: str | None = None) -> list[Waiting]:
    """Return the agent's unread mail, oldest first, including all that was dropped before the call.

    If `sender` is given, only its mail counts. Takes free router locks for a moment, and then recovers and delivers
    as a router does; else waits up to a second for the router at work. Removes a message that a sync tool brought
    back after it was read. It takes no reader lock: a caller that acknowledges the mail holds that lock.
    Raises `NotMailboxes`, `ShareIsGone`, `LinkInside` or OSError.
    """
    return _Reader(mailboxes, agent, settings, sender).fetch()


def bring_in(mailboxes: Mailboxes, agent: str, settings: Settings) -> None:
    """Get the mail that is dropped for the agent delivered: by the router at work, else by a pass made here.

    Takes router locks, waits and raises as `fetch` does.
    """
    _Reader(mailboxes, agent, settings).bring_in()


class _Reader:
    """One reader. It looks at all outboxes or at some of them, and knows the agents as of its last look at all."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        agent: str,
        settings: Settings,
        sender: str | None = None,
        is_wanted: Callable[[Waiting], bool] = _any,
    ) -> None:
        self.mailboxes = mailboxes
        self.agent = agent
        self.sender = sender
        self._is_wanted = is_wanted
        self._router = Router(mailboxes, set(), settings)
        self._homes = Homes(mailboxes)

    def fetch(self) -> list[Waiting]:
        """Look at all outboxes at once; returns the unread mail."""
        self.mailboxes.check()
        return self._unread(self.bring_in())

    def bring_in(self) -> list[Outbox]:
        """Get dropped mail of all outboxes delivered; returns all outboxes."""
        outboxes = self._router.look()
        self._bring_in(outboxes, everything=True)
        return outboxes

    def sweep(self, wake: Wake) -> list[Waiting]:
        """Look at all outboxes, part by part; outboxes that the wake hints at meanwhile come first.

        It does not wait for mail that a router at work is about to deliver, because that mail wakes the reader.
        """
        self.mailboxes.check()
        for part in parts(self._router.look()):
            if (first := hinted(self.mailboxes, wake)) and (found := self.look(first)):
                return found
            if self.look(part, patient=False):
                return self.fetch()
        return []

    def look(self, outboxes: list[Outbox], patient: bool = True) -> list[Waiting]:
        """Look only at these outboxes; it recovers only if a file is claimed there, since recovery looks at all."""
        self._bring_in(outboxes, patient=patient)
        return self._unread(outboxes)

    def _unread(self, outboxes: list[Outbox]) -> list[Waiting]:
        found = unread.unread(self.mailboxes, self.agent, self.sender, outboxes)
        return [one for one in found if self._is_wanted(one) and not one.drop_if_returned()]

    def _bring_in(self, outboxes: list[Outbox], everything: bool = False, patient: bool = True) -> None:
        locks = self._free_router_locks(outboxes)
        if not locks:
            # No router here serves an agent that lives elsewhere: do not wait for a delivery on another machine.
            if patient and self._homes.is_routed_here(self.agent):
                self._await_router(outboxes, everything)
            return
        self._router.serves = set(locks)
        try:
            if everything or self._is_claimed(outboxes):
                for _ in recover(self._router):
                    pass
            for _ in self._router.one_pass(outboxes):
                pass
        finally:
            _release(locks)

    def _is_claimed(self, outboxes: list[Outbox]) -> bool:
        """Tell whether a dead router claimed a file there that may be ours."""
        return any(self._router.may_be_ours(name) for outbox in outboxes for name in outbox.visible(PROCESSING))

    def _free_router_locks(self, outboxes: list[Outbox]) -> dict[str, Lock]:
        """Take the agent's router lock, {} if it is not free, and those of senders whose mail needs their router."""
        locks: dict[str, Lock] = {}
        try:
            if not self._take(self.agent, locks):
                return {}
            for outbox in outboxes:
                dropped = outbox.visible(DROPPED) if outbox.owner != self.agent else []
                if any(label(name)[1] != self.agent for name in dropped):
                    self._take(outbox.owner, locks)
        except BaseException:
            _release(locks)
            raise
        return locks

    def _take(self, agent: str, locks: dict[str, Lock]) -> bool:
        if not self._homes.look([agent]):
            return False
        lock = Lock(self.mailboxes.lock_file("router", agent))
        taken = lock.acquire("reader", agent, patience_s=0)
        if taken:
            locks[agent] = lock
        return taken

    def _await_router(self, outboxes: list[Outbox], everything: bool) -> None:
        """Wait until the router at work has moved the mail for the agent, at most `_ROUTER_PATIENCE_S` seconds."""
        first, last = _SHARE_LOOKS_S if self._router.is_network else (_FIRST_LOOK_S, _LAST_LOOK_S)
        deadline, pause = time.monotonic() + _ROUTER_PATIENCE_S, first
        while self._is_on_its_way(outboxes) and time.monotonic() < deadline:
            if holder(self.mailboxes.lock_file("router", self.agent)) is None:
                self._bring_in(outboxes, everything)
                return
            time.sleep(pause)
            pause = min(pause * 2, last)

    def _is_on_its_way(self, outboxes: list[Outbox]) -> bool:
        return any(outbox.visible(state, self.agent) for outbox in outboxes for state in (DROPPED, PROCESSING))


def _release(locks: dict[str, Lock]) -> None:
    for lock in locks.values():
        lock.release()


def open_wake(mailboxes: Mailboxes, settings: Settings) -> Wake:
    """Return a wake for a reader: it wakes at a delivery, and at a drop, because there may be no router."""

    def directories() -> Iterable[str]:
        outboxes = mailboxes.outboxes()
        return [mailboxes.path, *(outbox.directory(state) for outbox in outboxes for state in (DROPPED, UNREAD))]

    return Wake.over(mailboxes, settings, directories)


def wait(
    mailboxes: Mailboxes,
    agent: str,
    settings: Settings,
    timeout_s: float | None = None,
    sender: str | None = None,
    wake: Wake | None = None,
    each_sweep: Callable[[], bool] = lambda: True,
    is_wanted: Callable[[Waiting], bool] = _any,
) -> list[Waiting]:
    """Return the agent's unread mail as soon as there is some, [] after `timeout_s` seconds (None: no limit).

    `sender`, if given, is the only agent whose mail counts. Messages for which `is_wanted` is false are ignored.
    `wake`, if given, comes from `open_wake`; another thread may set it, and this function closes it. The waiting
    thread calls `each_sweep` at every wake and sweep, and the wait ends if that returns False.
    Takes router locks and raises as `fetch` does.
    """
    deadline = math.inf if timeout_s is None else time.monotonic() + timeout_s
    reader = _Reader(mailboxes, agent, settings, sender, is_wanted)
    with wake or open_wake(mailboxes, settings) as wake:
        sweep_at = time.monotonic() + settings.sweep_s
        found, hints, empty = reader.fetch(), None, 0
        while not found and time.monotonic() < deadline and each_sweep():
            woken = wake.wait(min(sweep_at, deadline) - time.monotonic(), anew=hints is None)
            started = time.monotonic()
            hints = mailboxes.outboxes_of(wake.changed) if started < sweep_at else None
            if hints is None:
                sweep_at = started + settings.sweep_s
            found = reader.sweep(wake) if hints is None else reader.look(hints)
            empty = empty + 1 if woken else 0
            if not found and empty > _MANY_WAKES:  # other agents' mail, or a file that comes back again and again
                time.sleep(min(_REST_LOOKS * (time.monotonic() - started), _REST_S))
        return found
