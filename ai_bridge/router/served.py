"""The router locks of one process: the lock of one agent, or of all agents that no other router serves."""

import errno
import os
from contextlib import suppress

from ai_bridge.agents import handover
from ai_bridge.errors import BridgeError, RouterRunning, disk_error
from ai_bridge.machines import this_machine
from ai_bridge.machines.homes import Homes, NobodyHere
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.at_work import router_of
from ai_bridge.router.log import LOGGER
from ai_bridge.system import durable, processes
from ai_bridge.system.locks import Holder, Lock, holder

ALL = "*"
_PROBE_PATIENCE_S = 0.1
# A reader that finds no router makes the pass itself, and holds the lock for about that long.
_READER_PATIENCE_S = 5.0
# Descriptors left free for the work itself if there are more agents than descriptors.
_SPARE_DESCRIPTORS = 16


def refusal(routers: dict[str, Holder]) -> RouterRunning:
    """Return the refusal that names the routers at work, given by the agent that each serves."""
    stop, pids = f"{processes.called_as()} stop", sorted({found.pid for found in routers.values()})
    agent, first = next(iter(routers.items()))
    if of_all := next((found for found in routers.values() if found.serves == ALL), None):
        return RouterRunning(what="a router of all agents runs", holder=str(of_all), stop=stop, it="it")
    if len(routers) == 1:
        return RouterRunning(
            what=f"a router of {agent} runs", holder=str(first), stop=f"{stop} --agent {agent}", it="it"
        )
    named = ", ".join(f"pid {pid}" for pid in pids)
    return RouterRunning(what=f"routers of {', '.join(routers)} run", holder=named, stop=stop, it="them")


class RouterLocks:
    """The router locks by agent; `only` is the one agent to serve, None stands for all."""

    def __init__(self, mailboxes: Tree, only: str | None) -> None:
        self.mailboxes = mailboxes
        self.only = only
        self.serves = only or ALL
        self._held: dict[str, Lock] = {}
        self._troubles: set[str] = set()
        self._is_full = False
        self._homes = Homes(mailboxes)

    @property
    def agents(self) -> set[str]:
        """The agents whose locks are held."""
        return set(self._held)

    def take_first(self) -> None:
        """Take every free lock, and wait a few seconds for readers that make a pass.

        Raises `RouterRunning` if other routers hold every lock, and another `BridgeError` if there is no agent to
        serve. Raises this process's limit of open files, and completes cards that do not name the home.
        """
        self._raise_descriptor_limit()
        patient, wanted = True, self._wanted()
        self._restore_homes()
        for agent in wanted:
            if not self._take(agent, _PROBE_PATIENCE_S if patient else 0.0):
                patient = patient and not router_of(self.mailboxes, agent) and self._take(agent, _READER_PATIENCE_S)
        if not self._held:
            self._refuse()

    def check(self) -> None:
        """Raise what would keep `take_first` from serving, except other routers; takes no lock of an agent.

        A lock that nobody needs is taken and removed, which shows whether the disk takes locks. Raises OSError.
        """
        self.mailboxes.check()
        if not self._wanted():
            self._refuse()
        with Lock(self.mailboxes.lock_file("trial", str(os.getpid()))) as trial:
            try:
                trial.acquire("trial")
            finally:
                durable.remove(trial.path)

    def take_more(self) -> list[str]:
        """Take the locks of new agents and of agents whose router ended; returns the agents now served in addition.

        Also hands over agents that move to another machine, and releases the locks of agents that left.
        """
        for agent in [agent for agent, lock in self._held.items() if not lock.is_in_place()]:
            LOGGER.warning("the lock of %s was removed under this router: taking it again", agent)
            self._held.pop(agent).release()
        with suppress(BridgeError, OSError):  # a share that is gone may come back with its agents
            self._let_go()
        if self._is_full:
            return []
        return [agent for agent in self._wanted() if agent not in self._held and self._take(agent, 0.0)]

    def _let_go(self) -> None:
        """Give agents to the machines that are to have them, and release the locks of agents that live elsewhere."""
        self.mailboxes.check()
        for agent, to in handover.due(self.mailboxes, self._homes, self._held):
            self._give(agent, to)
        self._restore_homes()
        for agent in set(self._held) - set(self._homes.refresh(self._held)):
            self._held.pop(agent).release()
            LOGGER.info("not served here any more: %s", self._why_not(agent))

    def _why_not(self, agent: str) -> str:
        try:
            return f"{agent} lives on {self._homes.home_of(agent) or 'no machine'}"
        except BridgeError as trouble:
            return f"{agent}: {trouble}"

    def _give(self, agent: str, to: str) -> None:
        try:
            if handover.give(self.mailboxes, agent, to):
                LOGGER.info("%s moved to %s", agent, to)
        except (BridgeError, OSError) as trouble:
            self._log_once(f"{agent} is not moved to {to}: {trouble}")

    def _restore_homes(self) -> None:
        try:
            handover.restore_homes(self.mailboxes, self._homes)
        except (BridgeError, OSError) as trouble:
            self._log_once(f"a card does not say where its agent lives: {trouble}")

    def _log_once(self, trouble: str) -> None:
        if trouble not in self._troubles:
            LOGGER.error("%s", trouble)
        self._troubles.add(trouble)

    def mark_ready(self) -> None:
        """Write into every lock that this router has recovered and serves."""
        for lock in self._held.values():
            lock.describe("router", self.serves, ready=True)

    def release(self) -> None:
        """Release all locks."""
        for lock in self._held.values():
            lock.release()
        self._held.clear()

    def _wanted(self) -> list[str]:
        try:
            return self._homes.refresh(self.mailboxes.agents() if self.only is None else [self.only])
        except (BridgeError, OSError):
            return []

    def _take(self, agent: str, patience_s: float) -> bool:
        """Take one agent's lock; an OSError is logged once, and the other agents are served all the same."""
        lock = Lock(self.mailboxes.lock_file("router", agent))
        try:
            taken = lock.acquire("router", self.serves, patience_s)
        except OSError as error:
            self._note(agent, error)
            return False
        if taken:
            self._held[agent] = lock
        return taken

    def _note(self, agent: str, error: OSError) -> None:
        if error.errno in (errno.EMFILE, errno.ENFILE):
            self._is_full = True
            for other in list(self._held)[-_SPARE_DESCRIPTORS:]:
                self._held.pop(other).release()
        self._log_once(f"{agent} is not served: {disk_error(self.mailboxes.lock_file('router', agent), error)}")

    def _refuse(self) -> None:
        if self._troubles:
            raise BridgeError(what=min(self._troubles))
        held = {agent: holder(self.mailboxes.lock_file("router", agent)) for agent in self._wanted()}
        if there := {agent: found for agent, found in held.items() if found is not None}:
            raise refusal(there)
        if self.only is not None:
            self._homes.check(self.mailboxes.known_agent(self.only))
        elif self.mailboxes.agents():
            raise NobodyHere(path=self.mailboxes.path, home=this_machine.here())
        self.mailboxes.known_agent("")

    def _raise_descriptor_limit(self) -> None:
        """Allow as many descriptors as the system grants: each agent served needs one."""
        try:
            import resource
        except ImportError:
            return
        hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
        try:
            resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
        except (OSError, ValueError):
            return
