"""Syncthing: two instances, each with its own copy of the mailboxes, joined by `ai-bridge sync setup`."""

from __future__ import annotations

import subprocess
from functools import partial
from pathlib import Path

from tests.networks.ground import Ground
from tests.networks.hosts import Host, until
from tests.networks.nodes import kill

_PORT = 22000
_START_S = 30
# As a fresh instance's, but that it knows of nobody, tells nobody of itself, and tries again soon after a cut.
_CONFIG = """<configuration version="36">
  <device id="{own}" name="{name}" compression="metadata"><address>dynamic</address></device>
  <gui enabled="true" tls="false"><address>127.0.0.1:8384</address><apikey>of-the-tests</apikey></gui>
  <options>
    <listenAddress>tcp://{here}:{port}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>{announced}</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <reconnectionIntervalS>5</reconnectionIntervalS>
    <startBrowser>false</startBrowser>
    <urAccepted>-1</urAccepted>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <crashReportingEnabled>false</crashReportingEnabled>
    <setLowPriority>false</setLowPriority>
  </options>
</configuration>
"""


class Syncthing(Ground):
    """Each host founds mailboxes of its own; they become one when the two are joined."""

    name = "Syncthing"
    # Whether instances find each other by announcing themselves on their own network.
    is_announced = False

    def build(self) -> None:
        nodes = [self.node(name) for name in ("one", "two")]
        link = self.link(*nodes)
        self._addresses = (link.one, link.other)
        for node, address in zip(nodes, self._addresses, strict=True):
            self._configure(self.host(node, self.base / node.name / "mailboxes"), address)
        self._daemons = [self._start(host) for host in self.hosts]
        for host in self.hosts:
            assert until(partial(self._is_up, host), _START_S, 0.2), "Syncthing does not start"

    def _configure(self, host: Host, here: str) -> None:
        host.node.must("syncthing", "generate", f"--home={self._home(host)}")
        said = {"own": self.device(host), "name": host.node.name, "announced": str(self.is_announced).lower()}
        config = _CONFIG.format(here=here, port=_PORT, **said)
        (self._home(host) / "config.xml").write_text(config)

    def device(self, host: Host) -> str:
        """Return the ID by which a host's instance is known."""
        return host.node.must("syncthing", "serve", f"--home={self._home(host)}", "--device-id").split()[-1]

    def _home(self, host: Host) -> Path:
        return host.home / ".config" / "syncthing"

    def _start(self, host: Host) -> subprocess.Popen[str]:
        words = ("syncthing", "serve", f"--home={self._home(host)}", "--no-browser", "--no-restart", "--no-upgrade")
        return host.node.spawn(*words, log=host.base / "syncthing.log", environment=host.environment)

    def _is_up(self, host: Host) -> bool:
        return host.node.run("syncthing", "cli", f"--home={self._home(host)}", "show", "version").returncode == 0

    def settle(self) -> None:
        """Found both mailboxes, then join them."""
        for host, other, address in zip(self.hosts, self.hosts[::-1], self._addresses[::-1], strict=True):
            host.bridge("init", host.agent, "--mailboxes", str(host.mailboxes))
            device = self.device(other)
            host.bridge("sync", "setup", "--with", device, "--address", f"tcp://{address}:{_PORT}")
        super().settle()

    def found(self) -> None:
        """Do nothing: each was founded before."""

    def kill(self, number: int) -> None:
        kill(self._daemons[number % 2])

    def revive(self, number: int) -> None:
        self._daemons[number % 2] = self._start(self.hosts[number % 2])


class FreshSyncthing(Syncthing):
    """As a person has it who only started Syncthing on two machines of one network."""

    is_announced = True

    def settle(self) -> None:
        """Leave all to the test."""
