"""The router process: locks, recovery, a pass at every wake and sweep, and an end on SIGTERM that is clean."""

import os
import signal
import time
from collections.abc import Iterator, Sequence

from ai_bridge.agents import presence
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.machines.clocks import Clocks
from ai_bridge.machines.syncthing import nudge
from ai_bridge.mailboxes.outbox import DROPPED, Outbox
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.mailboxes.wake import Wake, hinted, parts
from ai_bridge.message import message
from ai_bridge.router import strays
from ai_bridge.router.companions import Companion
from ai_bridge.router.log import LOGGER, log_step
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.router.served import RouterLocks
from ai_bridge.router.step import Step
from ai_bridge.settings import Settings
from ai_bridge.system import filesystems

_AGAIN = ("leave", "retry")
# How long the router rests after the disk refused a move.
_RETRY_S = 0.25


class Daemon:
    """The router of one agent, or of all that have no other; `companions` work beside it."""

    def __init__(
        self,
        mailboxes: Mailboxes,
        settings: Settings,
        only: str | None = None,
        companions: Sequence[Companion] = (),
    ) -> None:
        self.mailboxes = mailboxes
        self.settings = settings
        self._locks = RouterLocks(mailboxes, only)
        self._router = Router(mailboxes, set(), settings)
        self._clocks = Clocks(mailboxes)
        self._stopping = False
        self._wake: Wake | None = None
        self._left: set[tuple[str, str]] = set()
        self._sweep_at = 0.0
        self._companions = companions

    # --- life -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until told to stop; raises `RouterRunning` where another router serves all that this one would."""
        self._begin()
        nudge.begin()
        try:
            with Wake.over(self.mailboxes, self.settings, self._directories) as self._wake:
                LOGGER.info("router of %s started, pid %d", self._names(), os.getpid())
                message.load_parser()
                self._locks.mark_ready()
                self._tend_companions()
                hints: list[Outbox] | None = None
                while not self._stopping:
                    self._guarded_pass(hints)
                    hints = self._rest(anew=hints is None)
        finally:
            for companion in self._companions:
                companion.stop()
            LOGGER.info("router of %s stopped", self._names())
            self._locks.release()

    def run_once(self) -> list[Step]:
        """Make one pass, recovery first, and return its steps."""
        self._begin()
        try:
            steps = list(self._router.one_pass())
            for step in steps:
                log_step(step)
            return steps
        finally:
            self._locks.release()

    def _begin(self) -> None:
        """Take the locks and recover what their last routers held."""
        self._locks.take_first()
        self._router.serves = self._locks.agents
        self._recover()

    def _take_more(self) -> bool:
        """Serve agents that are new, or whose own router ended; recover what that held. True where there are any."""
        more = self._more()
        self._router.serves = self._locks.agents
        if more:
            LOGGER.info("now also router of %s", ", ".join(more))
            self._recover()
            self._locks.mark_ready()
        return bool(more)

    def _more(self) -> list[str]:
        try:
            return self._locks.take_more()
        except (BridgeError, OSError) as trouble:  # the next sweep tries again
            LOGGER.error("who is served could not be looked up: %s", trouble)
            return []

    def _tend_companions(self) -> None:
        for companion in self._companions:
            companion.tend()

    def _names(self) -> str:
        return ", ".join(sorted(self._locks.agents))

    def stop(self, *_: object) -> None:
        """End after the message in hand; made to be a signal handler."""
        self._stopping = True
        if self._wake is not None:
            self._wake.set()

    def stop_on_signals(self) -> None:
        """Stop on SIGTERM and SIGINT."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)

    # --- one turn ---------------------------------------------------------------------------------------

    def _rest(self, anew: bool) -> list[Outbox] | None:
        """Wait; returns the outboxes a wake hints at, or None: all, for what woke is not known, or it is time."""
        if self._stopping or self._wake is None:
            return None
        self._wake.wait(self._sweep_at - time.monotonic(), anew)
        hints = self.mailboxes.outboxes_of(self._wake.changed) if time.monotonic() < self._sweep_at else None
        if hints is None:
            self._take_more()
            self._tend_companions()
        return hints

    def _guarded_pass(self, hints: list[Outbox] | None) -> None:
        """Make a pass that no trouble can end the router with: over all outboxes, or those a wake hints at."""
        if hints is None:
            self._sweep_at = time.monotonic() + self.settings.sweep_s
            nudge.forget()
        try:
            if hints is None:
                self._look_around()
            self._pass(hints)
        except BridgeError as refusal:  # the mailboxes are gone: a share may come back
            LOGGER.error("%s", refusal)
        except OSError as error:
            LOGGER.error("%s", disk_error(self.mailboxes.path, error))
        except Exception:
            LOGGER.exception("the pass failed; what it held is released as if the router had died")
            self._recover()

    def _look_around(self) -> None:
        """Say to other machines, if there are any, that this one is up, and look at the clocks."""
        try:
            presence.announce(self.mailboxes, is_up=True)
            if jumped := self._clocks.look():
                LOGGER.warning("this machine's clock jumped by %+.0f s", jumped)
        except (BridgeError, OSError) as trouble:  # mail goes on
            LOGGER.warning("other machines could not be told that this one is up: %s", trouble)

    def _pass(self, hints: list[Outbox] | None) -> None:
        """Make a pass; what is left again and again is logged once."""
        left, refused, idle = set(), False, True
        for step in self._steps(hints):
            key, idle = (step.name, step.why), False
            if key not in self._left and key not in left:  # an outbox that a wake hints at is looked at twice
                log_step(step)
            if step.verb in _AGAIN:
                left.add(key)
            refused |= step.verb == "retry"
            if step.verb == "leave":
                self._sweep_at = min(self._sweep_at, time.monotonic() + max(self.settings.settle_s, 0.1))
            if self._stopping:
                break
        self._left = left if hints is None else self._left | left
        if refused:
            self._pause()
        if hints and idle and self._take_more():  # what woke may be mail of one whose own router ended
            self._sweep_at = 0.0

    def _steps(self, hints: list[Outbox] | None) -> Iterator[Step]:
        """Yield the steps of a pass; in one over everything, where a wake hints meanwhile comes first."""
        if hints is not None:
            yield from self._router.one_pass(hints)
            return
        if filesystems.sync_tool(self.mailboxes.path):
            yield from strays.tidy(self._router)
        for part in parts(self._router.look()):
            first = hinted(self.mailboxes, self._wake) if self._wake is not None else []
            yield from self._router.one_pass(first + part)

    def _pause(self) -> None:
        """Wait a little before the next pass: a claim given back is an arrival itself, and would wake at once."""
        deadline = time.monotonic() + _RETRY_S
        while not self._stopping and time.monotonic() < deadline:
            time.sleep(_RETRY_S / 10)

    def _recover(self) -> None:
        try:
            for step in recover(self._router):
                log_step(step)
        except (BridgeError, OSError) as trouble:
            LOGGER.error("recovery failed: %s", trouble)

    def _directories(self) -> list[str]:
        try:
            outboxes = self.mailboxes.outboxes()
        except (BridgeError, OSError):  # the pass says what is wrong
            outboxes = []
        return [self.mailboxes.path, *(outbox.directory(DROPPED) for outbox in outboxes)]
