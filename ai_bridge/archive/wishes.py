"""Wishes: what a command asks of the machine that may make the move, as files in `asked/` of the mailboxes.

A wish is untrusted, as all that is in the tree: whoever can write one could also move the file by hand.
"""

import os
import time

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes import changes
from ai_bridge.mailboxes.tree import ASKED, Tree
from ai_bridge.message import headers
from ai_bridge.system import durable, times, untrusted

# Who makes a wish in a terminal that no client started.
A_PERSON = "a person"
WITHDRAW, DISCARD, ARCHIVE, REMOVE = "withdraw", "discard", "archive", "remove"
_ENDING = ".txt"
_BYTES = 4096
# A wish that nobody fulfilled for so long is removed, whoever made it.
_STALE_S = 30 * 86_400


class Wish:
    """One wish, in the file at `path`: do `what` with `of`.

    `of` is a file (`OWNER/NAME`); to archive, the age of the mail; to remove, the address of an agent.

    `by` is the agent that asks, or `a person`. `on`, if it is not '', is the machine that is to do it.
    """

    __slots__ = ("by", "of", "on", "path", "what")

    def __init__(self, what: str, of: str, by: str, on: str = "", path: str = "") -> None:
        self.what = what
        self.of = of
        self.by = by
        self.on = on
        self.path = path

    @property
    def file(self) -> tuple[str, str]:
        """The owner of the outbox, and the file's name."""
        owner, _, name = self.of.partition("/")
        return owner, name


def ask(mailboxes: Tree, wish: Wish) -> None:
    """Write a wish, durably; raises OSError."""
    folder = untrusted.real_directory(os.path.join(mailboxes.path, ASKED))
    durable.make_directory(folder)
    said = {"What": wish.what, "Of": wish.of, "By": wish.by, "At": times.format_utc(time.time())}
    path = os.path.join(folder, os.urandom(8).hex() + _ENDING)
    durable.replace_own(path, f"{headers.export(said | ({'On': wish.on} if wish.on else {}))}\n".encode())
    changes.report(mailboxes.path, path)


def asked(mailboxes: Tree) -> list[Wish]:
    """Return all wishes that can be understood, and remove those that nobody fulfilled for a month."""
    found = []
    folder = os.path.join(mailboxes.path, ASKED)
    for name in [] if os.path.islink(folder) else sorted(untrusted.listed(folder)):
        path = os.path.join(folder, name)
        if name.endswith(_ENDING) and not _is_removed(path):
            try:
                said = headers.load(untrusted.read_file(path, _BYTES).decode().rstrip("\n"))
            except (OSError, ValueError, Malformed):
                continue
            what, of, by, on = (said.get(key, "") for key in ("What", "Of", "By", "On"))
            found.append(Wish(what, of, by, on, path))
    return found


def _is_removed(path: str) -> bool:
    """Remove a wish that is stale; True if so."""
    try:
        return time.time() - os.lstat(path).st_mtime > _STALE_S and durable.remove(path)
    except OSError:
        return False
