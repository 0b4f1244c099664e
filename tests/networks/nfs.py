"""NFS 4.2 by the kernel's server: it needs a kernel that has it, as the guest's has."""

from __future__ import annotations

from tests.networks.nodes import kill
from tests.networks.share import Share

# After a restart the server gives clients so long to come back, and nobody anything new; its own default is 90 s.
_GRACE_S = "10"


class Nfs(Share):
    """Mounted as by default: a client believes what it knows of names for up to 60 s."""

    name = "NFS 4.2"
    options = "vers=4.2,proto=tcp"

    def prepare(self) -> None:
        server, log = self.server, self.base / "nfs.log"
        server.must("mkdir", "-p", "/var/lib/nfs/rpc_pipefs", "/var/lib/nfs/nfsdcld")
        server.must("sh", "-c", "touch /var/lib/nfs/etab /var/lib/nfs/rmtab")
        server.must("mount", "-t", "nfsd", "none", "/proc/fs/nfsd")
        server.must("mount", "-t", "rpc_pipefs", "none", "/var/lib/nfs/rpc_pipefs")
        server.spawn("nfsdcld", "-F", log=log)
        for name in ("nfsv4leasetime", "nfsv4gracetime"):
            server.must("sh", "-c", f"echo {_GRACE_S} > /proc/fs/nfsd/{name}")

    def serve(self) -> None:
        server = self.server
        export = f"*:{self.export}"
        server.must("exportfs", "-i", "-o", "rw,fsid=0,no_root_squash,no_subtree_check,insecure", export)
        self._mountd = server.spawn("rpc.mountd", "--foreground", "--no-nfs-version", "3", log=self.base / "nfs.log")
        server.must("rpc.nfsd", "--no-nfs-version", "3", "--nfs-version", "4.2", "8")

    def kill(self, number: int) -> None:
        kill(self._mountd)
        self.server.must("rpc.nfsd", "0")

    def mount_words(self, address: str, target: str) -> list[str]:
        return ["mount", "-t", "nfs", "-o", self.options, f"{address}:/", target]


class QuickNfs(Nfs):
    """Mounted so that a client asks again after a second."""

    name = "NFS 4.2, actimeo=1"
    options = "vers=4.2,proto=tcp,actimeo=1"
