"""sshfs: one host has the directory on its own disk, the other mounts it over ssh."""

from __future__ import annotations

import getpass
import subprocess
from pathlib import Path

from tests.networks.ground import Ground
from tests.networks.hosts import until
from tests.networks.nodes import kill

_PORT = "2222"
_CONFIG = """Port {port}
ListenAddress {here}
HostKey {base}/host_key
AuthorizedKeysFile {base}/key.pub
PermitRootLogin yes
PasswordAuthentication no
StrictModes no
UsePAM no
PidFile none
Subsystem sftp internal-sftp
"""


class Sshfs(Ground):
    """Without the cache of directories, which would hide what the other host did for 20 s."""

    name = "sshfs"
    options: tuple[str, ...] = ("dir_cache=no",)

    def build(self) -> None:
        server, client = self.node("one"), self.node("two")
        link = self.link(server, client)
        here = self.host(server, self.base / "one" / "mailboxes")
        there = self.host(client, self.base / "two" / "mailboxes")
        for key in ("host_key", "key"):
            server.must("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.base / key))
        (self.base / "sshd_config").write_text(_CONFIG.format(port=_PORT, here=link.one, base=self.base))
        server.must("mount", "-t", "tmpfs", "none", "/run")
        server.must("mkdir", "/run/sshd")
        self._server = server
        self._sshd = self._start()
        self._mount(link.one, here.mailboxes, there.mailboxes)

    def _start(self) -> subprocess.Popen[str]:
        words = ("/usr/sbin/sshd", "-D", "-e", "-f", str(self.base / "sshd_config"))
        return self._server.spawn(*words, log=self.base / "sshd.log")

    def _mount(self, address: str, source: Path, target: Path) -> None:
        """Mount, and wait until that is done; sshd may need a moment to listen."""
        client = self.hosts[1].node
        options = {
            "port": _PORT,
            "IdentityFile": str(self.base / "key"),
            "StrictHostKeyChecking": "no",
            "UserKnownHostsFile": "/dev/null",
            "ServerAliveInterval": "1",
            "ServerAliveCountMax": "3",
            "ConnectionAttempts": "20",
        }
        words = [f"-o{name}={value}" for name, value in options.items()]
        words += [f"-o{name}" for name in ("reconnect", *self.options)]
        client.spawn(
            "sshfs", "-f", f"{getpass.getuser()}@{address}:{source}", str(target), *words, log=self.base / "sshfs.log"
        )
        mounted = ("mountpoint", "-q", str(target))
        assert until(lambda: client.run(*mounted).returncode == 0, 30), (self.base / "sshfs.log").read_text()

    def kill(self, number: int) -> None:
        kill(self._sshd)

    def revive(self, number: int) -> None:
        self._sshd = self._start()


class CachingSshfs(Sshfs):
    """As sshfs is by default."""

    name = "sshfs, caching"
    options = ()


class FreshSshfs(Sshfs):
    """As a person has it who only mounted the share: at one path, on both."""

    def settle(self) -> None:
        """Leave all to the test."""
