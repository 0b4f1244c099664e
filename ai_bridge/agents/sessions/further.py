"""The names of further sessions (`claude-2`): each session writes down in the state directory whose name it took.

An agent of a person's own choice may be called `reviewer-2`, too. So the form of a name decides nothing here.
"""

import os
from contextlib import suppress

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import is_address, number_of
from ai_bridge.system import state_files, untrusted

# The folder of the names that belonged to sessions, in the state directory.
NAMED = "named"
_BYTES = 256


def record(mailboxes: Tree, name: str, own: str) -> None:
    """Write down that a session of the agent `own` has the name, which is `own` itself for its first session.

    If the disk refuses, it is not remembered.
    """
    if state_files.recall(path := _path(mailboxes, name), _BYTES) != own.encode():
        with suppress(OSError):
            state_files.remember(path, own.encode(), flush=False)


def is_recorded(mailboxes: Tree, name: str) -> bool:
    """Tell whether a session ever had the name on this machine."""
    return os.path.exists(_path(mailboxes, name))


def recorded(mailboxes: Tree) -> list[str]:
    """Return all names that sessions had on this machine."""
    return list(filter(is_address, untrusted.listed(mailboxes.state_file(NAMED))))


def own_of(mailboxes: Tree, name: str) -> str:
    """Return the agent of whose further session this is the name; '' if it is no such name."""
    own = state_files.recall(_path(mailboxes, name), _BYTES).decode("ascii", "replace")
    return own if number_of(name, own) else ""


def names_of(mailboxes: Tree, own: str) -> list[str]:
    """Return the names that further sessions of the agent `own` had on this machine, by their numbers."""
    numbers = {name: number_of(name, own) for name in recorded(mailboxes)}
    return sorted(
        (name for name, number in numbers.items() if number and own_of(mailboxes, name) == own),
        key=numbers.__getitem__,
    )


def _path(mailboxes: Tree, name: str) -> str:
    return mailboxes.state_file(NAMED, name)
