"""The machine that moves a message: the home of its recipient, else that of its sender (docs/format.md)."""

from ai_bridge.errors import BridgeError
from ai_bridge.history.entry import parts_of_name
from ai_bridge.machines import this_machine
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address

# What stands for a machine if no machine may move a message just now.
NOBODY = "?"


class Movers:
    """Tells which machine moves a file; the home of each agent is looked up once. `here` is this machine."""

    __slots__ = ("_agents", "_homes", "_known", "here")

    def __init__(self, mailboxes: Tree) -> None:
        self.here = this_machine.here()
        self._homes = Homes(mailboxes)
        self._agents = set(mailboxes.agents())
        self._known: dict[str, str] = {}

    def machine_of(self, owner: str, name: str) -> str:
        """Return the ID of the machine that moves the file `name` of the agent `owner`; `NOBODY` if none does now."""
        recipient = parts_of_name(name)[1]
        agent = recipient if recipient in self._agents else owner
        if agent not in self._known:
            self._known[agent] = self._look_up(agent)
        return self._known[agent]

    def is_here(self, owner: str, name: str) -> bool:
        """Tell whether this machine moves the file `name` of the agent `owner`."""
        return self.machine_of(owner, name) == self.here

    def _look_up(self, agent: str) -> str:
        if agent == address.POSTMASTER:
            return self.here if self._homes.keep_notices() else NOBODY
        if self._homes.is_here(agent):
            return self.here
        try:
            return self._homes.home_of(agent) or NOBODY
        except BridgeError:
            return NOBODY
