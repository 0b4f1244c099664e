"""A server and two hosts that mount what it exports: each host has its own cache, and its own way to the server."""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path

from tests.networks.ground import Ground
from tests.networks.hosts import until
from tests.networks.nodes import Node

_MOUNT_S = 30


class Share(Ground):
    """What is exported lies in memory; a cut cuts both hosts off."""

    export = Path("/mnt/export")

    def build(self) -> None:
        self.server = self.node("server")
        for directory in ("/run", "/var/lib/nfs", "/mnt"):
            self.server.must("mount", "-t", "tmpfs", "none", directory)
        self.server.must("mkdir", str(self.export))
        links = []
        for name in ("one", "two"):
            node = self.node(name)
            self.host(node, self.base / name / "mailboxes")
            links.append(self.link(self.server, node))
        self.prepare()
        self.serve()
        for link, host in zip(links, self.hosts, strict=True):
            self._mount(host.node, link.one, host.mailboxes)

    def _mount(self, client: Node, address: str, target: Path) -> None:
        words = self.mount_words(address, str(target))
        assert until(lambda: client.run(*words).returncode == 0, _MOUNT_S, 0.5), client.must(*words)

    def revive(self, number: int) -> None:
        self.serve()

    @abstractmethod
    def prepare(self) -> None:
        """Do what is done once, before the server is started."""

    @abstractmethod
    def serve(self) -> None:
        """Start the server."""

    @abstractmethod
    def mount_words(self, address: str, target: str) -> list[str]:
        """Return the command by which a host mounts what is exported."""
