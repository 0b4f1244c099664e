"""SMB 3.1.1 by Samba's server and the kernel's client, which the guest has."""

from __future__ import annotations

import subprocess

from tests.networks.nodes import kill
from tests.networks.share import Share

_USER, _PASSWORD = "root", "of-the-tests"
_CONFIG = """[global]
  server min protocol = SMB3_11
  server role = standalone server
  disable netbios = yes
  smb ports = 445
  load printers = no
  printcap name = /dev/null
  passdb backend = tdbsam:/run/samba/passdb.tdb
  private dir = /run/samba
  lock directory = /run/samba
  state directory = /run/samba
  cache directory = /run/samba
  pid directory = /run/samba
  ncalrpc dir = /run/samba/rpc
  log file = /run/samba/log
[mail]
  path = {export}
  read only = no
  force user = root
"""


class Smb(Share):
    """Mounted as by default."""

    name = "SMB 3.1.1"
    most_per_second = 1.5

    def prepare(self) -> None:
        self.server.must("mkdir", "-p", "/run/samba/rpc")
        (self.base / "smb.conf").write_text(_CONFIG.format(export=self.export))
        self.server.must(
            "sh", "-c", f"printf '%s\\n%s\\n' {_PASSWORD} {_PASSWORD} | smbpasswd -c {self._config} -s -a {_USER}"
        )

    @property
    def _config(self) -> str:
        return str(self.base / "smb.conf")

    def serve(self) -> None:
        words = ("smbd", "--foreground", "--no-process-group", "-s", self._config)
        self._smbd: subprocess.Popen[str] = self.server.spawn(*words, log=self.base / "smbd.log")

    def kill(self, number: int) -> None:
        kill(self._smbd)

    def mount_words(self, address: str, target: str) -> list[str]:
        options = f"vers=3.1.1,username={_USER},password={_PASSWORD}"
        return ["mount", "-t", "cifs", "-o", options, f"//{address}/mail", target]
