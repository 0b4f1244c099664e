"""Files on their way from another machine, as Syncthing reports them: later messages of a sender wait for these.

Syncthing announces files in the order in which they were made, but brings them in any order. Source: its REST API,
/rest/db/need.
"""

import os
import time

from ai_bridge.errors import BridgeError
from ai_bridge.machines.syncthing import nudge
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, SUFFIX, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.ids import stamp_of

# Seconds that a message, once it came, waits for an earlier one, which may never come.
WAIT_S = 30.0
_PATIENCE_S = 2.0
_MOST = 2000


class Coming:
    """The messages on their way, asked of Syncthing at the first question, and again after `forget`."""

    __slots__ = ("_earliest", "_mailboxes")

    def __init__(self, mailboxes: Tree) -> None:
        self._mailboxes = mailboxes
        self._earliest: dict[tuple[str, str], str] | None = None

    def forget(self) -> None:
        """Ask Syncthing again at the next question."""
        self._earliest = None

    def precede(self, outbox: Outbox, name: str) -> bool:
        """Tell whether the dropped file `name` should wait for an earlier message of its sender to its recipient.

        That message must be on its way, and the file must have come less than `WAIT_S` seconds ago. May ask
        Syncthing.
        """
        where = nudge.place_once(self._mailboxes.path)
        if where is None:
            return False
        if self._earliest is None:
            self._earliest = self._look(where)
        id_, recipient = label(name)
        first = self._earliest.get((outbox.owner, recipient))
        if first is None or stamp_of(id_) <= first:
            return False
        try:
            return 0 <= time.time() - os.lstat(outbox.file(DROPPED, name)).st_ctime < WAIT_S
        except OSError:
            return False

    def _look(self, where: nudge.SyncedFolder) -> dict[tuple[str, str], str]:
        """Return the time in the ID of the earliest message, by sender and recipient; {} if Syncthing is silent."""
        from ai_bridge.machines.syncthing.api import Api  # costs half the start of a command, and few need it

        try:
            said = Api(where.url, where.key, _PATIENCE_S).get(
                "/rest/db/need", folder=where.folder, perpage=str(_MOST)
            )
            files = [file for part in ("progress", "queued", "rest") for file in said.get(part) or []]
            names = [str(file["name"]) for file in files if not file.get("deleted")]
        except (BridgeError, AttributeError, KeyError, TypeError):
            return {}
        found: dict[tuple[str, str], str] = {}
        for way, stamp in filter(None, (_message(where.prefix, name) for name in names)):
            found[way] = min(found.get(way, stamp), stamp)
        return found


def _message(prefix: str, path: str) -> tuple[tuple[str, str], str] | None:
    """Return the sender and recipient of the message at a path of Syncthing's, and the time in its ID.

    None if the path is not that of a dropped message.
    """
    directory, name = os.path.split(path)
    above, outbox = os.path.split(directory)
    id_, recipient = label(name)
    stamp = stamp_of(id_)
    if above != prefix or not (outbox.endswith(SUFFIX) and name.endswith(".txt") and stamp and recipient):
        return None
    return (outbox.removesuffix(SUFFIX), recipient), stamp
