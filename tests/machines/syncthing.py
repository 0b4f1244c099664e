"""Syncthing: two instances, each with its own copy of the mailboxes, that know each other and nobody else."""

from __future__ import annotations

import subprocess
from pathlib import Path

from tests.machines.ground import Ground
from tests.machines.hosts import Host
from tests.machines.nodes import kill

_PORT = 22000
FOLDER = "mailboxes"
API_KEY = "of-the-tests"
_CONFIG = """<configuration version="36">
  <folder id="{folder}" label="{folder}" path="{path}" type="sendreceive" rescanIntervalS="60" fsWatcherEnabled="true"
      fsWatcherDelayS="1" ignorePerms="true" autoNormalize="true">
    <device id="{own}"></device>
    <device id="{other}"></device>
    <markerName>.stfolder</markerName>
  </folder>
  <device id="{own}" name="own" compression="metadata"><address>dynamic</address></device>
  <device id="{other}" name="other" compression="metadata"><address>tcp://{there}:{port}</address></device>
  <gui enabled="true" tls="false"><address>127.0.0.1:8384</address><apikey>{key}</apikey></gui>
  <options>
    <listenAddress>tcp://{here}:{port}</listenAddress>
    <globalAnnounceEnabled>false</globalAnnounceEnabled>
    <localAnnounceEnabled>false</localAnnounceEnabled>
    <relaysEnabled>false</relaysEnabled>
    <natEnabled>false</natEnabled>
    <reconnectionIntervalS>1</reconnectionIntervalS>
    <startBrowser>false</startBrowser>
    <urAccepted>-1</urAccepted>
    <autoUpgradeIntervalH>0</autoUpgradeIntervalH>
    <crashReportingEnabled>false</crashReportingEnabled>
    <setLowPriority>false</setLowPriority>
  </options>
</configuration>
"""


class Syncthing(Ground):
    """Each host's directory is local to it."""

    name = "Syncthing"

    def build(self) -> None:
        nodes = [self.node(name) for name in ("one", "two")]
        link = self.link(*nodes)
        for node in nodes:
            self.host(node, self.base / node.name / "mailboxes")
        own, other = (self._make_keys(host) for host in self.hosts)
        self._configure(self.hosts[0], own, other, link.one, link.other)
        self._configure(self.hosts[1], other, own, link.other, link.one)

    def found(self) -> None:
        """Then mark both copies as folders of Syncthing, and start it."""
        super().found()
        for host in self.hosts:
            (host.mailboxes / ".stfolder").mkdir()
            (host.mailboxes / ".stignore").write_text("(?d).tmp\n")
        self._daemons = [self._start(host) for host in self.hosts]

    def _make_keys(self, host: Host) -> str:
        """Return the ID of the new device."""
        home = self._home(host)
        host.node.must("syncthing", "generate", f"--home={home}")
        said = host.node.must("syncthing", "serve", f"--home={home}", "--device-id")
        return said.split()[-1]

    def _home(self, host: Host) -> Path:
        return host.home / ".config" / "syncthing"

    def _configure(self, host: Host, own: str, other: str, here: str, there: str) -> None:
        path = str(host.mailboxes)
        words = {"folder": FOLDER, "path": path, "own": own, "other": other, "port": _PORT, "key": API_KEY}
        (self._home(host) / "config.xml").write_text(_CONFIG.format(here=here, there=there, **words))

    def _start(self, host: Host) -> subprocess.Popen[str]:
        words = ("syncthing", "serve", f"--home={self._home(host)}", "--no-browser", "--no-restart", "--no-upgrade")
        return host.node.spawn(*words, log=host.base / "syncthing.log", environment=host.environment)

    def kill(self, number: int) -> None:
        kill(self._daemons[number % 2])

    def revive(self, number: int) -> None:
        self._daemons[number % 2] = self._start(self.hosts[number % 2])
