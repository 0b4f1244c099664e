"""The marker of a tree: a README for people, and an empty file `.format-N` whose name has the number of its format.

The number is in a name because each check lists the root anyway: it costs no read, cannot be half written, and no
sync tool ever merges two of them. A tree without such a name has format 1, whatever its README says.
"""

import os

from ai_bridge.errors import BridgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

README = "README.md"
# The newest format that this program understands.
FORMAT = 1
NAME = f".format-{FORMAT}"
_PREFIX = ".format-"
_read: "list[bytes]" = []


class NewerFormat(BridgeError):
    sentence = (
        "{path} has format {number}, and only format {known} is understood here: nothing there was touched; "
        "update ai-bridge, then try again"
    )
    for_model = (
        "{path} has format {number}, and only format {known} is understood here: nothing there was touched; "
        "tell your user to update ai-bridge and to restart this session"
    )


def number(names: "Iterable[str]") -> int:
    """Return the format of the tree that has these names in its root: the highest that one gives, 1 if none does.

    Only the digits behind `.format-` count, so that a conflict copy of a sync tool says the same as its original.
    """
    return max([_number(name) for name in names if name.startswith(_PREFIX)], default=1)


def _number(name: str) -> int:
    rest = name[len(_PREFIX) :]
    digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
    return int(digits or 1)


def check(path: str, names: "Iterable[str]") -> None:
    """Raise `NewerFormat` if these names in the root of the tree at `path` give a format that is not understood."""
    if (found := number(names)) > FORMAT:
        raise NewerFormat(path=path, number=found, known=FORMAT)


def readme() -> bytes:
    """Return the README of a new tree; reads the program's own file at the first call, and keeps its text."""
    if not _read:
        with open(os.path.join(os.path.dirname(__file__), "readme.md"), "rb") as file:
            _read.append(file.read())
    return _read[0]


def remedy(path: str) -> str:
    """Return what to do about a path without mailboxes; looks at the disk, because `init` refuses other things."""
    import shlex  # most mailboxes are there

    mount, line = "if it is a share, mount it", f"ai-bridge init --mailboxes {shlex.quote(path)}"
    try:
        if os.listdir(path):
            return f"it holds other things, and no README.md of mailboxes and no outbox; {mount}; else name another"
    except NotADirectoryError:
        return "it is a file; name the directory"
    except OSError:
        pass  # there is nothing there yet, or only a mount point
    return f"there is no README.md and no outbox in it; {mount}; if it is new, run `{line}`"
