"""Reports which files of the mailboxes came or went just now, to listeners that pass it on to other machines.

The tree reports each drop and each move with `report`. An entry point adds the listeners, with `listen`. Nothing
depends on a listener: if there is none, other machines learn of the change a little later.
"""

import os

from ai_bridge.system.directories import memory_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# Where it is remembered, by mailboxes, how Syncthing is reached.
SYNCED = "synced"

_listeners: "list[Callable[..., None]]" = []


def listen(listener: "Callable[..., None]") -> None:
    """Call `listener(mailboxes, *paths)` for each change from now on; the same listener is added once."""
    if listener not in _listeners:
        _listeners.append(listener)


def report(mailboxes: str, *paths: str) -> None:
    """Report that these files of the mailboxes at that path came or went."""
    for listener in _listeners:
        listener(mailboxes, *paths)


def are_passed_on(real: str) -> bool:
    """Tell whether Syncthing keeps the mailboxes at that real path in step: this machine was set up for it."""
    return os.path.lexists(memory_of(SYNCED, real))
