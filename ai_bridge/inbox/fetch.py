"""Fetches unread mail with or without a router: a reader that finds no router at work makes the pass itself."""

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from ai_bridge.agents.sessions import ended
from ai_bridge.errors import BridgeError
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.file_names import file_name, label
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.mailboxes.wake import Wake, hinted, parts
from ai_bridge.message.ids import may_expire
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock, holder

# How long a read waits for a running router to deliver what was dropped before the read began.
_ROUTER_PATIENCE_S = 1.0
_FIRST_LOOK_S, _LAST_LOOK_S = 0.0001, 0.002
# A share's server is asked at each look.
_SHARE_LOOKS_S = (0.02, 0.2)


# Returns the names, besides an agent's own, whose mail its reader counts.
Also = Callable[[Tree, str], list[str]]


def is_anything(one: Waiting) -> bool:
    return True


def is_offered(one: Waiting, agent: str) -> bool:
    """Tell whether `agent` may read a message for another: it did not write it, and has no copy of its own."""
    return one.sender != agent and not one.outbox.has(file_name(one.id, agent))


def fetch(
    mailboxes: Tree, agent: str, settings: Settings, sender: str | None = None, also: Also = ended.rung_for
) -> list[Waiting]:
    """Return the agent's unread mail, oldest first, including all that was dropped before the call.

    Mail for the names that `also` returns counts, too: those of ended sessions for which the agent is rung.
    If `sender` is given, only its mail counts. If anything is dropped or claimed that may be for the agent, it takes
    free router locks for a moment, and recovers and delivers as a router does; else it waits up to a second for the
    router at work. Removes a message that a sync tool brought back after it was read. It takes no reader lock: a
    caller that acknowledges the mail holds that lock, or calls `nobodys.open_inboxes`.
    Raises `NotMailboxes`, `ShareIsGone`, `LinkInside` or OSError.
    """
    return Reader(mailboxes, agent, settings, sender, also=also).fetch()


def bring_in(mailboxes: Tree, agent: str, settings: Settings) -> None:
    """Get the mail that is dropped for the agent delivered: by the router at work, else by a pass made here.

    Takes router locks, waits and raises as `fetch` does.
    """
    Reader(mailboxes, agent, settings, also=ended.nobodys).bring_in()


class Reader:
    """One reader. It looks at all outboxes or at some of them, and knows the agents as of its last look at all.

    `copies` are the messages of others that its last look left out, because the agent has a copy of its own.
    """

    def __init__(
        self,
        mailboxes: Tree,
        agent: str,
        settings: Settings,
        sender: str | None = None,
        is_wanted: Callable[[Waiting], bool] = is_anything,
        also: Also = ended.rung_for,
    ) -> None:
        self.mailboxes = mailboxes
        self.agent = agent
        self.sender = sender
        self.copies: list[Waiting] = []
        self._also = also
        self._others: list[str] = []
        self._is_wanted = is_wanted
        self._router = Router(mailboxes, set(), settings)
        self._homes = mailboxes.part(Homes)

    def fetch(self) -> list[Waiting]:
        """Look at all outboxes at once; returns the unread mail."""
        return self._unread(self.bring_in())

    def bring_in(self) -> list[Outbox]:
        """Get dropped mail of all outboxes delivered; returns all outboxes."""
        outboxes = self._router.refresh()
        if self._router.is_asked:
            self._fulfil()
        self._bring_in(outboxes, everything=True)
        return outboxes

    def _fulfil(self) -> None:
        """Do what other machines asked for, such as to withdraw a message; the next look tries again."""
        from ai_bridge.archive.fulfil import fulfil  # only if something is asked

        with suppress(BridgeError, OSError):
            for _ in fulfil(self.mailboxes, reader=self.agent):
                pass

    def sweep(self, wake: Wake) -> list[Waiting]:
        """Look at all outboxes, part by part; outboxes that the wake hints at meanwhile come first.

        It does not wait for mail that a router at work is about to deliver, because that mail wakes the reader.
        """
        for part in parts(self._router.refresh()):
            if (first := hinted(self.mailboxes, wake)) and (found := self.look_at(first)):
                return found
            if self.look_at(part, patient=False):
                return self.fetch()
        return []

    def look_at(self, outboxes: list[Outbox], patient: bool = True) -> list[Waiting]:
        """Look only at these outboxes; it recovers only if a file is claimed there, since recovery looks at all."""
        self._bring_in(outboxes, patient=patient)
        return self._unread(outboxes)

    def _unread(self, outboxes: list[Outbox]) -> list[Waiting]:
        found = unread.unread_for(self.mailboxes, self.agent, self.sender, outboxes, self._others)
        if self._others:
            found = self._offered(found)
        wanted = [one for one in found if self._is_wanted(one) and not one.drop_if_returned()]
        return [one for one in wanted if not (may_expire(one.id) and self._is_over(one))]

    def _offered(self, found: list[Waiting]) -> list[Waiting]:
        """Return the messages without those of others that the agent may not read; changes `copies`."""
        others = [one for one in found if one.recipient != self.agent]
        left_out = [one for one in others if not is_offered(one, self.agent)]
        self.copies = [one for one in left_out if one.sender != self.agent]
        return [one for one in found if one not in left_out]

    def _is_over(self, one: Waiting) -> bool:
        """Tell whether the time of a message is over; it is archived then."""
        from ai_bridge.archive.expire import is_gone  # few messages expire

        return is_gone(self.mailboxes, one)

    def _bring_in(self, outboxes: list[Outbox], everything: bool = False, patient: bool = True) -> None:
        self._others = self._also(self.mailboxes, self.agent)
        if not self._is_anything_coming(outboxes):
            return
        locks = self._free_router_locks(outboxes)
        is_own_free = self.agent in locks
        if locks:
            self._make_pass(outboxes, locks, everything)
        # No router here serves an agent that lives elsewhere: do not wait for a delivery on another machine.
        if not is_own_free and patient and self._homes.is_routed_here(self.agent):
            self._await_router(outboxes, everything)

    def _make_pass(self, outboxes: list[Outbox], locks: dict[str, Lock], everything: bool) -> None:
        """Recover and deliver what the locks allow, and release them."""
        self._router.serves = set(locks)
        try:
            if everything or self._is_claimed(outboxes):
                for _ in recover(self._router):
                    pass
            for _ in self._router.one_pass(outboxes):
                pass
        finally:
            _release(locks)

    def _is_anything_coming(self, outboxes: list[Outbox]) -> bool:
        """Tell from the names alone whether anything that is dropped or claimed may be for the agent.

        The states are listed in the order of the moves, so that a file that is moved meanwhile is met in one of them.
        """
        self._router.serves = {self.agent, *self._others}
        names = (name for outbox in outboxes for state in (DROPPED, PROCESSING) for name in outbox.listed(state))
        return any(map(self._router.may_be_ours, names))

    def _is_claimed(self, outboxes: list[Outbox]) -> bool:
        """Tell whether a dead router claimed a file there that may be ours."""
        return any(self._router.may_be_ours(name) for outbox in outboxes for name in outbox.listed(PROCESSING))

    def _free_router_locks(self, outboxes: list[Outbox]) -> dict[str, Lock]:
        """Take the free router locks of the agent and the others, and those of senders whose mail needs their router.

        If none of the first is free, it takes none at all.
        """
        locks: dict[str, Lock] = {}
        try:
            read = (self.agent, *self._others)
            for agent in read:
                self._take(agent, locks)
            if not locks:
                return {}
            for outbox in outboxes:
                dropped = outbox.listed(DROPPED) if outbox.owner not in locks else []
                if any(label(name)[1] not in read for name in dropped):
                    self._take(outbox.owner, locks)
        except BaseException:
            _release(locks)
            raise
        return locks

    def _take(self, agent: str, locks: dict[str, Lock]) -> bool:
        if not self._homes.refresh([agent]):
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
    with ExitStack() as stack:  # the others too, if one refuses
        for lock in locks.values():
            stack.callback(lock.release)
