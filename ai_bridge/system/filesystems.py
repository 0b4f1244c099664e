"""The file system that holds the mailboxes: a local disk, a share of several machines, or a folder that a tool syncs.

Only a local disk reports every change to it. A share that is not mounted looks like an empty directory, or shows the
local files at its place. Source of the types: the mount table of the kernel (proc(5), mountinfo), else statfs(2).
"""

import os
import sys

from ai_bridge.system.paths import is_within, upwards

_MOUNTS = "/proc/self/mountinfo"
_NETWORK = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "gpfs", "beegfs", "ocfs2"}
    | {"gfs2", "virtiofs", "vboxsf", "vmhgfs", "prl_fs", "drvfs", "davfs", "ncpfs", "coda", "juicefs", "sshfs"}
)
# A program in user space may show anything. The kernel does not learn what another machine changes there.
_USER_SPACE = ("fuse", "fuseblk")
_LOCAL_IN_USER_SPACE = frozenset({"ntfs", "ntfs-3g", "exfat", "ext2", "ext4", "bindfs", "fuse-overlayfs", "mergerfs"})
# Source: statfs(2) and the kernel's headers (magic.h).
_MAGIC = {
    0x6969: "nfs",
    0xFF534D42: "cifs",
    0xFE534D42: "smb3",
    0x517B: "smbfs",
    0x01021997: "9p",
    0x5346414F: "afs",
    0x00C36400: "ceph",
    0x65735546: "fuse",
}
# The files that sync tools leave in a folder they sync, and the name of each tool.
_SYNC_MARKS = {
    ".stfolder": "Syncthing",
    ".stignore": "Syncthing",
    ".dropbox": "Dropbox",
    ".dropbox.cache": "Dropbox",
    ".nextcloudsync.log": "Nextcloud",
    ".owncloudsync.log": "Nextcloud",
    ".sync": "Resilio Sync",
}


_known: "dict[tuple[str, str, int], FileSystem]" = {}


class FileSystem:
    """A file system: its `type` as the kernel names it, its `source` (a device, a share), and where it is mounted."""

    __slots__ = ("mounted_at", "source", "type")

    def __init__(self, type_: str, source: str = "", mounted_at: str = "") -> None:
        self.type = type_
        self.source = source
        self.mounted_at = mounted_at

    def __str__(self) -> str:
        return f"{self.type} ({self.source})" if self.source else self.type

    @property
    def is_network(self) -> bool:
        """Whether other machines may change it without any event in this kernel."""
        kind, _, name = self.type.partition(".")
        if kind in _USER_SPACE:
            return kind == "fuse" and name not in _LOCAL_IN_USER_SPACE
        return kind in _NETWORK


def file_system(path: str) -> FileSystem:
    """Return the file system that holds `path`; its type is '' if the system does not report one.

    Every look asks this. So the answer for a local disk is kept until `path` is on another device.
    """
    try:
        key = (_MOUNTS, path, os.stat(path).st_dev)
    except OSError:
        return _looked_up(path)
    found = _known.get(key) or _looked_up(path)
    if found.type not in ("", "autofs") and not found.is_network:
        _known[key] = found
    return found


def _looked_up(path: str) -> FileSystem:
    real = os.path.realpath(path)
    try:
        with open(_MOUNTS, encoding="utf-8", errors="surrogateescape") as table:
            mounts = [mount for line in table if (mount := _mount(line)) is not None]
    except OSError:
        return FileSystem(_MAGIC.get(_magic(real), ""))
    # If two are mounted at one place, the later one hides the other.
    inside = [mount for mount in mounts if is_within(real, mount.mounted_at)]
    return max(reversed(inside), key=lambda mount: len(mount.mounted_at), default=FileSystem(""))


def _mount(line: str) -> FileSystem | None:
    """Return the mount in a line of the mount table (fields, a dash, type and source); None if it holds none."""
    before, dash, after = line.rstrip("\n").partition(" - ")
    fields, told = before.split(" "), after.split(" ")
    if not dash or len(fields) < 5 or len(told) < 2:
        return None
    return FileSystem(told[0], _unescaped(told[1]), _unescaped(fields[4]))


def _unescaped(text: str) -> str:
    """Undo the kernel's octal escapes of blanks and backslashes."""
    for code, character in (("\\040", " "), ("\\011", "\t"), ("\\012", "\n"), ("\\134", "\\")):
        text = text.replace(code, character)
    return text


def _magic(path: str) -> int:
    """Return the kernel's number for the type of a file system, 0 if the kernel cannot be asked."""
    if not sys.platform.startswith("linux"):
        return 0
    import ctypes

    told = (ctypes.c_long * 32)()
    try:
        failed = ctypes.CDLL(None).statfs(os.fsencode(path), told)
    except (OSError, AttributeError):
        return 0
    return 0 if failed else int(told[0]) & 0xFFFFFFFF


def free_bytes(path: str) -> int:
    """Return the bytes that this user may still write where `path` is; 0 without free inodes, -1 if nobody knows."""
    try:
        found = os.statvfs(path)
    except (OSError, AttributeError):
        return -1
    if not found.f_blocks:  # a file system that has no size, such as one in user space
        return -1
    return 0 if found.f_files and not found.f_favail else found.f_bavail * found.f_frsize


def is_read_only(path: str) -> bool:
    """Tell whether the file system of `path` is mounted so that nobody can write to it."""
    try:
        return bool(os.statvfs(path).f_flag & os.ST_RDONLY)
    except (OSError, AttributeError):
        return False


def is_mark(name: str) -> bool:
    """Tell whether sync tools leave a file of that name in a folder they sync."""
    return name in _SYNC_MARKS


def sync_tool(path: str) -> str:
    """Return the name of the tool that syncs the directory, '' if no tool left a mark."""
    for directory in upwards(os.path.realpath(path)):
        for mark, name in _SYNC_MARKS.items():
            if os.path.lexists(os.path.join(directory, mark)) and not _is_home(directory, mark):
                return name
    return ""


def _is_home(directory: str, mark: str) -> bool:
    """Tell whether the mark is a tool's folder of settings in the person's home: it is no sign of a synced folder."""
    return mark == ".dropbox" and directory == os.path.realpath(os.path.expanduser("~"))


def is_shared(path: str) -> bool:
    """Tell whether other machines may see the directory, as far as the disk shows."""
    return file_system(path).is_network or bool(sync_tool(path))


# --- a share that is not mounted ------------------------------------------------------------------------
