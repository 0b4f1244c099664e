"""What joins two hosts, and how it is broken: the network between them, and the server or sync daemons."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path

from tests.networks.hosts import Host, until
from tests.networks.nodes import Link, Node

AGENTS = ("alpha", "beta")
_PATIENCE_S = 60.0


class Ground(ABC):
    """Two hosts, one agent each, that share mailboxes; `base` is a directory of its own for all of it."""

    name: str
    # What a machine of one processor, as the guest is, has time for, each way.
    most_per_second = 5.0

    def __init__(self, base: Path) -> None:
        self.base = base
        self.hosts: list[Host] = []
        self._nodes: list[Node] = []
        self._links: list[Link] = []
        try:
            self.build()
            self.settle()
        except BaseException:
            self.close()
            raise

    # --- what each kind does ----------------------------------------------------------------------------

    @abstractmethod
    def build(self) -> None:
        """Make nodes, links and hosts, and start what joins them."""

    @abstractmethod
    def kill(self, number: int) -> None:
        """kill -9 the server, or one of the sync daemons; `number` chooses which, where there are several."""

    @abstractmethod
    def revive(self, number: int) -> None:
        """Start again what `kill` ended."""

    # --- what all have in common ------------------------------------------------------------------------

    def node(self, name: str) -> Node:
        """Make one more machine."""
        self._nodes.append(Node(name))
        return self._nodes[-1]

    def link(self, one: Node, other: Node) -> Link:
        """Make one more link, which is cut with the others."""
        self._links.append(one.join(other))
        return self._links[-1]

    def host(self, node: Node, mailboxes: Path) -> Host:
        """Make the next agent's host."""
        self.hosts.append(Host(node, AGENTS[len(self.hosts)], self.base / node.name, mailboxes))
        return self.hosts[-1]

    def settle(self) -> None:
        """Found the mailboxes from the first host, and join them from the second once it sees them."""
        self.found()
        first, second = self.hosts
        outbox = second.mailboxes / f"{first.agent}-outbox"
        assert until(lambda: self.sees(second, outbox), _PATIENCE_S), "the second host does not see the first one's"
        second.bridge("init", second.agent, "--mailboxes", str(second.mailboxes))
        outbox = first.mailboxes / f"{second.agent}-outbox" / ".unread"
        assert until(lambda: self.sees(first, outbox), _PATIENCE_S), "the first host does not see the second one's"

    def found(self) -> None:
        """Make the mailboxes, with the first host's agent."""
        self.hosts[0].bridge("init", self.hosts[0].agent, "--mailboxes", str(self.hosts[0].mailboxes))

    def sees(self, host: Host, path: Path) -> bool:
        """Tell whether a path is there as seen from a host, by listing."""
        return path.name in host.node.run("ls", "-a", str(path.parent)).stdout.split()

    def cut(self) -> None:
        """Cut every link between the machines."""
        for link in self._links:
            link.cut()

    def heal(self) -> None:
        """Put them back."""
        for link in self._links:
            link.heal()

    def close(self) -> None:
        for node in reversed(self._nodes):
            node.close()

    def __enter__(self) -> Ground:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()
