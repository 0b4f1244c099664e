"""The router process: locks, recovery, a pass at every wake and sweep, and an end on SIGTERM that is clean."""

import logging
import os
import signal

from ai_bridge import message
from ai_bridge.errors import BridgeError, RouterRunning, disk_error
from ai_bridge.locks import Lock, holder
from ai_bridge.log import LOGGER
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.outbox import DROPPED
from ai_bridge.recover import recover
from ai_bridge.route import Router, Step
from ai_bridge.settings import Settings
from ai_bridge.wake import Wake

ALL = "*"
_LEVELS = dict.fromkeys(("reject", "release", "retry"), logging.WARNING) | {"leave": logging.DEBUG}
_AGAIN = ("leave", "retry")
# A reader that finds no router makes the pass itself, and holds the lock that long.
_READER_PATIENCE_S = 5.0


class Daemon:
    """The router of one agent, or of all that have no other."""

    def __init__(self, mailboxes: Mailboxes, settings: Settings, only: str | None = None) -> None:
        self.mailboxes = mailboxes
        self.settings = settings
        self.only = only
        self._locks: dict[str, Lock] = {}
        self._router = Router(mailboxes, set(), settings)
        self._stopping = False
        self._wake: Wake | None = None
        self._left: set[tuple[str, str]] = set()

    # --- life -------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Serve until told to stop; raises `RouterRunning` where another router serves all that this one would."""
        self._take_locks(first=True)
        try:
            with Wake(self._directories, self.settings.poll, self.settings.poll_s) as self._wake:
                LOGGER.info("router of %s started, pid %d", ", ".join(sorted(self._locks)), os.getpid())
                message.load_parser()
                self._mark_ready()
                while not self._stopping:
                    again = self._guarded_pass()
                    if not self._stopping:
                        self._wake.wait(min(self.settings.sweep_s, again))
                        self._take_locks()
        finally:
            LOGGER.info("router of %s stopped", ", ".join(sorted(self._locks)))
            self._release_locks()

    def run_once(self) -> list[Step]:
        """Make one pass, recovery first, and return its steps."""
        self._take_locks(first=True)
        try:
            steps = list(self._router.one_pass())
            for step in steps:
                _log(step)
            return steps
        finally:
            self._release_locks()

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

    def _guarded_pass(self) -> float:
        """Make a pass that no trouble can end the router with; returns the seconds after which to look again."""
        try:
            return self._pass()
        except BridgeError as refusal:  # the mailboxes are gone: a share may come back
            LOGGER.error("%s", refusal)
        except OSError as error:
            LOGGER.error("%s", disk_error(self.mailboxes.path, error))
        except Exception:
            LOGGER.exception("the pass failed; what it held is released as if the router had died")
            self._recover()
        return self.settings.sweep_s

    def _pass(self) -> float:
        """Make a pass; what is left again and again is logged once."""
        again, left = self.settings.sweep_s, set()
        for step in self._router.one_pass():
            key = (step.name, step.why)
            if step.verb in _AGAIN:
                left.add(key)
            if key not in self._left:
                _log(step)
            if step.verb == "leave":
                again = max(self.settings.settle_s, 0.1)
            if self._stopping:
                break
        self._left = left
        return again

    def _recover(self) -> None:
        try:
            for step in recover(self._router):
                _log(step)
        except (BridgeError, OSError) as trouble:
            LOGGER.error("recovery failed: %s", trouble)

    def _directories(self) -> list[str]:
        try:
            outboxes = self.mailboxes.outboxes()
        except (BridgeError, OSError):  # the pass says what is wrong
            outboxes = []
        return [self.mailboxes.path, *(outbox.directory(DROPPED) for outbox in outboxes)]

    # --- locks ------------------------------------------------------------------------------------------

    def _take_locks(self, first: bool = False) -> None:
        """Take the lock of every agent to serve that is free, and recover what its last router held."""
        new = [agent for agent in self._wanted() if agent not in self._locks and self._take(agent, first)]
        if first and not new:
            self._refuse()
        if new:
            self._router.serves = set(self._locks)
            self._recover()
        if new and not first:
            LOGGER.info("now also router of %s", ", ".join(new))
            self._mark_ready()

    def _wanted(self) -> list[str]:
        if self.only is not None:
            return [self.only]
        try:
            return self.mailboxes.agents()
        except (BridgeError, OSError):
            return []

    def _take(self, agent: str, first: bool) -> bool:
        lock = Lock(self.mailboxes.lock_file("router", agent))
        taken = lock.acquire("router", self._serves, 0.1 if first else 0.0)
        if not taken and first and not self._is_router(agent):
            taken = lock.acquire("router", self._serves, _READER_PATIENCE_S)
        if taken:
            self._locks[agent] = lock
        return taken

    @property
    def _serves(self) -> str:
        return self.only or ALL

    def _is_router(self, agent: str) -> bool:
        found = holder(self.mailboxes.lock_file("router", agent))
        return found is not None and found.role == "router"

    def _refuse(self) -> None:
        for agent in self._wanted():
            if (found := holder(self.mailboxes.lock_file("router", agent))) is not None:
                stop = "ai-collab stop" if found.serves == ALL else f"ai-collab stop --agent {agent}"
                raise RouterRunning(agent=agent, holder=str(found), stop=stop)
        self.mailboxes.known(self.only or "")

    def _mark_ready(self) -> None:
        for lock in self._locks.values():
            lock.describe("router", self._serves, ready=True)

    def _release_locks(self) -> None:
        for lock in self._locks.values():
            lock.release()
        self._locks.clear()


def _log(step: Step) -> None:
    fields = {"verb": step.verb, "sender": step.outbox.owner, "file": step.name, "why": step.why}
    text = f"{step.verb} {step.outbox.owner}/{step.name}" + (f": {step.why}" if step.why else "")
    LOGGER.log(_LEVELS.get(step.verb, logging.INFO), "%s", text, extra=fields)
