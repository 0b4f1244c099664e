"""What is unread for me now, router or no router: a reader that finds none at work makes the pass itself."""

import time
from collections.abc import Callable, Iterable

from ai_bridge import inbox
from ai_bridge.inbox import Waiting
from ai_bridge.locks import Lock, holder
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.outbox import DROPPED, PROCESSING, UNREAD, label
from ai_bridge.recover import recover
from ai_bridge.route import Router
from ai_bridge.settings import Settings
from ai_bridge.wake import Wake

# How long a read waits for a running router to deliver what was dropped before the read began.
_ROUTER_PATIENCE_S = 1.0
_FIRST_LOOK_S, _LAST_LOOK_S = 0.0001, 0.002
# After so many wakes in a row that brought no mail a waiting reader rests that long between two looks.
_MANY_WAKES, _REST_S = 20, 0.05


def fetch(mailboxes: Mailboxes, agent: str, settings: Settings, sender: str | None = None) -> list[Waiting]:
    """Return what is unread for the agent, everything included that was dropped before the call."""
    mailboxes.check()
    bring_in(mailboxes, agent, settings)
    return inbox.unread(mailboxes, agent, sender)


def bring_in(mailboxes: Mailboxes, agent: str, settings: Settings) -> None:
    """Have what is dropped for the agent delivered: by the router at work, else by making the pass here."""
    locks = _free_router_locks(mailboxes, agent)
    if not locks:
        _await_router(mailboxes, agent, settings)
        return
    try:
        router = Router(mailboxes, set(locks), settings)
        for _ in recover(router):
            pass
        for _ in router.one_pass():
            pass
    finally:
        for lock in locks.values():
            lock.release()


def _free_router_locks(mailboxes: Mailboxes, agent: str) -> dict[str, Lock]:
    """Take the agent's router lock if it is free, and with it those of senders whose mail needs their own router."""
    locks: dict[str, Lock] = {}
    if not _take(mailboxes, agent, locks):
        return {}
    for outbox in mailboxes.outboxes():
        if outbox.owner != agent and any(label(name)[1] != agent for name in outbox.visible(DROPPED)):
            _take(mailboxes, outbox.owner, locks)
    return locks


def _take(mailboxes: Mailboxes, agent: str, locks: dict[str, Lock]) -> bool:
    lock = Lock(mailboxes.lock_file("router", agent))
    taken = lock.acquire("reader", agent, patience_s=0)
    if taken:
        locks[agent] = lock
    return taken


def _await_router(mailboxes: Mailboxes, agent: str, settings: Settings) -> None:
    """Wait, within bounds, until the router at work has moved what was dropped for the agent."""
    deadline, pause = time.monotonic() + _ROUTER_PATIENCE_S, _FIRST_LOOK_S
    while _is_on_its_way(mailboxes, agent) and time.monotonic() < deadline:
        if holder(mailboxes.lock_file("router", agent)) is None:
            bring_in(mailboxes, agent, settings)
            return
        time.sleep(pause)
        pause = min(pause * 2, _LAST_LOOK_S)


def _is_on_its_way(mailboxes: Mailboxes, agent: str) -> bool:
    return any(outbox.visible(state, agent) for outbox in mailboxes.outboxes() for state in (DROPPED, PROCESSING))


def open_wake(mailboxes: Mailboxes, settings: Settings) -> Wake:
    """Return the wake of a reader: mail arrives for it by delivery, and by a drop where no router works."""

    def directories() -> Iterable[str]:
        outboxes = mailboxes.outboxes()
        return [mailboxes.path, *(outbox.directory(state) for outbox in outboxes for state in (DROPPED, UNREAD))]

    return Wake(directories, settings.poll, settings.poll_s)


def wait(
    mailboxes: Mailboxes,
    agent: str,
    settings: Settings,
    timeout_s: float | None = None,
    sender: str | None = None,
    wake: Wake | None = None,
    each_sweep: Callable[[], bool] = lambda: True,
) -> list[Waiting]:
    """Return what is unread for the agent as soon as there is something, or nothing after `timeout_s` seconds.

    `wake`, if given, is one of `open_wake`, which another thread may set; it is closed here. `each_sweep` is
    called at every wake and sweep; where it returns False the wait ends.
    """
    deadline = None if timeout_s is None else time.monotonic() + timeout_s
    empty = 0
    with wake or open_wake(mailboxes, settings) as wake:
        while True:
            if found := fetch(mailboxes, agent, settings, sender):
                return found
            left = settings.sweep_s if deadline is None else min(settings.sweep_s, deadline - time.monotonic())
            if left <= 0 or not each_sweep():
                return []
            empty = empty + 1 if wake.wait(left) else 0
            if empty > _MANY_WAKES:  # a file that comes back again and again, not mail
                time.sleep(min(_REST_S, left))
