"""The router process: takes locks, recovers, makes a pass at every wake and sweep, and ends cleanly on SIGTERM."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from typing import Protocol

from ai_bridge.agents import presence
from ai_bridge.archive.chores import Chores
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.machines.clocks import Clocks
from ai_bridge.machines.installed import Installed
from ai_bridge.machines.syncthing import nudge
from ai_bridge.mailboxes.marker import NewerFormat
from ai_bridge.mailboxes.outbox import DROPPED, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.wake import Wake, hinted, parts
from ai_bridge.router import strays
from ai_bridge.router.log import LOGGER, log_step
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.router.served import RouterLocks
from ai_bridge.router.step import Step
from ai_bridge.settings import Settings
from ai_bridge.system import filesystems, processes, signals

_AGAIN = ("leave", "retry", "wait")
# How long the router rests after the disk refused a move.
_RETRY_S = 0.25
# What a router never uses. A companion loads what it uses itself.
_WITHOUT = ("cli", "server", "health", "install", "inbox", "reach", "link")
# How long after a new version did not start it is tried again.
_TRY_AGAIN_S = 60.0


class Companion(Protocol):
    """Work beside a router of all agents, in its process, such as carrying a link. The router only tends it."""

    def tend(self) -> None:
        """Begin the work if there is any, and begin it again if it has ended; called at each sweep, never raises."""

    def stop(self) -> None:
        """End the work; called once, before the router gives up its locks."""


class Daemon:
    """The router of the agent `only`, or of all agents that have no other router; `companions` work beside it."""

    def __init__(
        self,
        mailboxes: Tree,
        settings: Settings,
        only: str | None = None,
        companions: Sequence[Companion] = (),
    ) -> None:
        self.mailboxes = mailboxes
        self.settings = settings
        self._locks = RouterLocks(mailboxes, only)
        self._router = Router(mailboxes, set(), settings)
        self._clocks = Clocks(mailboxes)
        self._stopping = self._is_told = False
        self._wake: Wake | None = None
        self._left: set[tuple[str, str]] = set()
        self._sweep_at = 0.0
        self._companions = companions
        self._installed = Installed()
        self._try_at = 0.0
        self._gives_way = False
        self._chores = Chores(mailboxes, settings)

    # --- life -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until `stop` is called; takes the router locks, and releases them at the end.

        Raises `RouterRunning` if other routers already serve every agent that this one would serve, and
        `NewerFormat`, also once a newer program has changed the mailboxes. Raises `NotWhole` as `Installed.load`.
        """
        self._begin()
        nudge.begin()
        try:
            with Wake.over(self.mailboxes, self.settings, self._directories) as self._wake:
                LOGGER.info("router of %s started, pid %d", self._names(), os.getpid())
                self._installed.load(*_WITHOUT)
                self._locks.mark_ready()
                self._tend_companions()
                hints: list[Outbox] | None = None
                while not self._stopping:
                    self._guarded_pass(hints)
                    if hints is None:
                        self._give_way()
                    hints = self._rest(rescan=hints is None)
        except NewerFormat as refusal:
            LOGGER.error("%s", refusal)
            raise
        finally:
            for companion in self._companions:
                companion.stop()
            self._chores.stop()
            LOGGER.info("router of %s stopped", self._names())
            self._locks.release()

    def check(self) -> None:
        """Raise what would keep a router from starting, except other routers at work; serves nobody."""
        self._locks.check()

    def run_once(self) -> list[Step]:
        """Recover, make one pass, and return its steps; holds the router locks meanwhile, raises as `run`."""
        self._begin()
        try:
            steps = list(self._router.one_pass())
            for step in steps:
                log_step(step)
            return steps
        finally:
            self._locks.release()

    def _begin(self) -> None:
        """Take the locks, and recover the files that their last routers had claimed."""
        self._locks.take_first()
        self._router.serves = self._locks.agents
        self._recover()

    def _take_more(self) -> bool:
        """Also serve agents that are new or whose own router ended, and recover their mail; True if there are any."""
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
            LOGGER.error("the agents to serve could not be looked up: %s", trouble)
            return []

    def _tend_companions(self) -> None:
        for companion in self._companions:
            companion.tend()

    def _names(self) -> str:
        return ", ".join(sorted(self._locks.agents))

    def stop(self, *_: object) -> None:
        """Stop after the message in hand; safe to use as a signal handler."""
        self._stopping = self._is_told = True
        if self._wake is not None:
            self._wake.set()

    @property
    def is_outdated(self) -> bool:
        """Whether it stopped only because another version was installed: the caller then starts that one."""
        return self._gives_way and not self._is_told

    def stop_on_signals(self) -> None:
        """Stop on SIGTERM and SIGINT."""
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGINT, self.stop)
        signals.unblock()

    def _give_way(self) -> None:
        """Stop between two passes once another version was installed and starts."""
        version = self._installed.settled_successor()
        if version is None or time.monotonic() < self._try_at:
            return
        if trouble := processes.trial("router", "--help"):
            LOGGER.error("ai-bridge %s is installed, but does not start (%s): this router goes on", version, trouble)
            self._try_at = time.monotonic() + _TRY_AGAIN_S
            return
        LOGGER.info("ai-bridge %s was installed: the router starts again with it", version)
        self._stopping = self._gives_way = True

    # --- one turn ---------------------------------------------------------------------------------------

    def _rest(self, rescan: bool) -> list[Outbox] | None:
        """Wait; returns the outboxes a wake hints at, or None for all: a sweep is due, or the wake has no hint."""
        if self._stopping or self._wake is None:
            return None
        self._wake.wait(self._sweep_at - time.monotonic(), rescan)
        hints = self.mailboxes.outboxes_of(self._wake.changed) if time.monotonic() < self._sweep_at else None
        if hints is None:
            self._take_more()
            self._tend_companions()
        return hints

    def _guarded_pass(self, hints: list[Outbox] | None) -> None:
        """Make a pass over all outboxes, or those a wake hints at; logs errors, so that the router goes on.

        Raises only `NewerFormat`, which ends the router.
        """
        if hints is None:
            self._sweep_at = time.monotonic() + self.settings.sweep_s
            nudge.forget()
        try:
            if hints is None:
                self._look_around()
            self._pass(hints)
            if hints is None:
                self._do_chores()
        except NewerFormat:  # nothing of it is understood here, and a newer router needs the locks
            raise
        except BridgeError as refusal:  # the mailboxes are gone: a share may come back
            LOGGER.error("%s", refusal)
        except OSError as error:
            LOGGER.error("%s", disk_error(self.mailboxes.path, error))
        except Exception:
            LOGGER.exception("the pass failed; its claims are released as if the router had died")
            self._recover()

    def _do_chores(self) -> None:
        """Do what other machines ask for, and archive what is due; it is logged, and an error only delays it."""
        for said in self._chores.tend(self._router.is_asked):
            LOGGER.info("%s", said)

    def _look_around(self) -> None:
        """Announce to other machines, if there are any, that this one is up, and look at the clocks."""
        try:
            presence.announce(self.mailboxes, is_up=True)
            if jumped := self._clocks.check():
                LOGGER.warning("this machine's clock jumped by %+.0f s", jumped)
        except (BridgeError, OSError) as trouble:  # mail goes on
            LOGGER.warning("this machine could not announce that it is up: %s", trouble)

    def _pass(self, hints: list[Outbox] | None) -> None:
        """Make a pass; a file that is left again and again is logged once."""
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
        if hints and idle and self._take_more():  # the mail may be for an agent whose own router ended
            self._sweep_at = 0.0

    def _steps(self, hints: list[Outbox] | None) -> Iterator[Step]:
        """Yield the steps of a pass; in a pass over everything, outboxes that wakes hint at meanwhile come first."""
        if hints is not None:
            yield from self._router.one_pass(hints)
            return
        if filesystems.sync_tool(self.mailboxes.path):
            yield from strays.tidy(self._router)
        for part in parts(self._router.refresh()):
            first = hinted(self.mailboxes, self._wake) if self._wake is not None else []
            yield from self._router.one_pass(first + part)

    def _pause(self) -> None:
        """Wait a little before the next pass, because a claim given back counts as an arrival and wakes at once."""
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
