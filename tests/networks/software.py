"""What the grounds need of Debian's packages: `python -m tests.networks.software [GROUND…]` installs what is missing.

It needs root, and says in a line why something could not be had, and exits with 1.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Iterable

LIMIT_S = 300.0
# A command of each package, by which it is known to be here.
_COMMANDS = {
    "busybox": "busybox",
    "cifs-utils": "mount.cifs",
    "e2fsprogs": "mkfs.ext4",
    "iproute2": "ip",
    "kmod": "modprobe",
    "nfs-common": "mount.nfs",
    "nfs-kernel-server": "rpc.nfsd",
    "openssh-server": "sshd",
    "samba": "smbd",
    "sshfs": "sshfs",
    "syncthing": "syncthing",
    "user-mode-linux": "linux.uml",
    "xfsprogs": "mkfs.xfs",
}
_GUEST = ("iproute2", "busybox", "kmod", "user-mode-linux")
_NFS = (*_GUEST, "nfs-common", "nfs-kernel-server")
PACKAGES = {
    "syncthing": ("iproute2", "syncthing"),
    "sshfs": ("iproute2", "sshfs", "openssh-server"),
    "sshfs-caching": ("iproute2", "sshfs", "openssh-server"),
    "nfs": _NFS,
    "nfs-quick": _NFS,
    "smb": (*_GUEST, "samba", "cifs-utils"),
    # Not a ground, but disks whose power is cut.
    "cuts": (*_GUEST, "e2fsprogs", "xfsprogs"),
}
_PATH = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/sbin", "/sbin"])


class NotInstalled(Exception):
    """Something could not be installed; the text says why, in a line."""


def missing(ground: str) -> list[str]:
    """Return the packages a ground needs and that are not here."""
    return [name for name in PACKAGES[ground] if path_of(_COMMANDS[name]) is None]


def path_of(command: str) -> str | None:
    """Return the path of a command, one of the administrator's, too; None where it is not here."""
    return shutil.which(command, path=_PATH)


def why_not(ground: str) -> str:
    """Return, in a line, why a ground cannot be had here; '' where it can."""
    if os.geteuid() != 0:
        return "only root may make machines out of namespaces"
    if not_here := missing(ground):
        return f"there is no {', '.join(not_here)}: python -m tests.networks.software installs it"
    made = subprocess.run(
        ["unshare", "--net", "--mount", "--uts", "true"], capture_output=True, text=True, check=False
    )
    return "" if made.returncode == 0 else f"namespaces cannot be made: {made.stderr.strip()}"


def install(packages: Iterable[str], limit_s: float = LIMIT_S) -> None:
    """Install packages, and start no service of theirs; raises `NotInstalled`."""
    wanted = sorted(set(packages))
    if not wanted:
        return
    if os.geteuid() != 0:
        raise NotInstalled(f"only root may install {', '.join(wanted)}")
    if shutil.which("apt-get") is None:
        raise NotInstalled(f"there is no apt-get here to install {', '.join(wanted)}")
    _run(["apt-get", "install", "--yes", "--no-install-recommends", *wanted], limit_s)


def _run(words: list[str], limit_s: float) -> None:
    # RUNLEVEL=1 is how a package is told that no service may be started.
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "RUNLEVEL": "1"}
    try:
        done = subprocess.run(
            words, env=quiet, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=limit_s, check=False
        )
    except subprocess.TimeoutExpired:
        raise NotInstalled(f"`{words[0]}` took longer than the time there is") from None
    if done.returncode:
        said = [line for line in (done.stderr or done.stdout).splitlines() if line.strip()]
        raise NotInstalled(f"`{words[0]}` failed: {said[-1] if said else 'it said nothing'}"[:300])


def main() -> int:
    try:
        install(name for ground in sys.argv[1:] or PACKAGES for name in missing(ground))
    except NotInstalled as trouble:
        print(f"not all that joins machines could be installed: {trouble}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
