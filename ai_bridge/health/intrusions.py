"""Ways by which others may have put mail into the mailboxes, or could: git, another user, a link to elsewhere."""

from __future__ import annotations

import os
import shlex
import stat
from collections.abc import Iterator

from ai_bridge.health.finding import NOTE, WRONG, Finding
from ai_bridge.mailboxes.outbox import ATTACHED, INSIDE, SUFFIX
from ai_bridge.mailboxes.tree import AGENTS, HARMLESS, Tree
from ai_bridge.system import filesystems, git
from ai_bridge.text import counted

# File systems without owners, or with an owner that was chosen when they were mounted.
_WITHOUT_OWNERS = frozenset(
    {"vfat", "msdos", "exfat", "ntfs", "ntfs3", "9p", "drvfs", "cifs", "smb3", "smbfs", "vboxsf", "vmhgfs", "prl_fs"}
)
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


def examine(where: Tree) -> list[Finding]:
    """Return a finding for each such way, with the command that closes it; reads the disk and changes nothing."""
    return [*_tracked(where), *_links(where), *_owners(where)]


def _tracked(where: Tree) -> list[Finding]:
    """Find the files in the tree that git tracks: a pull could change them, or add mail beside them."""
    names = [name for name in git.tracked(where.path) if name not in HARMLESS]
    if not names:
        return []
    said = f"git tracks {counted(len(names), 'file')} in the mailboxes, such as {names[0]}: a pull could add mail"
    return [Finding("git", NOTE, said, f"git -C {shlex.quote(where.path)} rm -r --cached .")]


def _links(where: Tree) -> Iterator[Finding]:
    """Find links in the place of an outbox or of one of its directories: mail there is neither moved nor shown."""
    for path in _directories(where):
        if os.path.islink(path):
            said = f"{path} is a symbolic link, which is never followed"
            yield Finding("link", WRONG, said, f"rm {shlex.quote(path)}")


def _directories(where: Tree) -> Iterator[str]:
    for name in sorted(os.listdir(where.path)):
        if name.endswith(SUFFIX):
            outbox = os.path.join(where.path, name)
            yield outbox
            if not os.path.islink(outbox):
                yield from (os.path.join(outbox, inner) for inner in (*INSIDE, ATTACHED))


def _owners(where: Tree) -> list[Finding]:
    """Find directories that another user owns or may write, because that user can forge mail and cards there."""
    kind, _, name = filesystems.file_system(where.path).type.partition(".")
    if os.name == "nt" or kind in _WITHOUT_OWNERS or kind == "fuseblk" or (kind == "fuse" and name):
        return []
    outboxes = [outbox.path for outbox in where.outboxes()]
    return [found for path in (where.path, os.path.join(where.path, AGENTS), *outboxes) if (found := _owner(path))]


def _owner(path: str) -> Finding | None:
    try:
        found = os.lstat(path)
    except OSError:
        return None
    if found.st_uid not in (os.geteuid(), 0):
        said = f"{path} belongs to the user {found.st_uid}, who can forge mail and cards there"
        return Finding("owner", NOTE, said, f"sudo chown $(id -u) {shlex.quote(path)}")
    if found.st_mode & _OTHERS_WRITE:
        said = f"other users may write {path} (mode {stat.S_IMODE(found.st_mode):o}) and forge mail there"
        return Finding("owner", NOTE, said, f"chmod go-w {shlex.quote(path)}")
    return None
