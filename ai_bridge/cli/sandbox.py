"""The refusal for a model whose client's sandbox does not let its shell write mailboxes or state."""

from __future__ import annotations

import errno
import os

from ai_bridge import clients
from ai_bridge.errors import BridgeError, DiskError
from ai_bridge.mailboxes.tree import is_mailboxes
from ai_bridge.system.directories import state_base
from ai_bridge.system.paths import upwards

# The tool that does the work of each command outside of the sandbox.
_TOOLS = {
    "send": "peer_send",
    "reply": "peer_send",
    "read": "peer_read",
    "wait": "peer_wait",
    "acknowledge": "peer_read",
}
# How sandboxes refuse to write: bubblewrap, Landlock, Seatbelt.
_REFUSED = (errno.EROFS, errno.EACCES, errno.EPERM)


class Sandboxed(BridgeError):
    sentence = "the shell of {client} may not write {path} (its sandbox): use the tool {tool} instead"


def explained(command: str | None, refusal: BridgeError) -> BridgeError:
    """Return the refusal that names the tool, if a client's shell may not write what the command writes.

    Any other refusal is returned as it is. Looks at the path that was refused.
    """
    if command not in _TOOLS or not isinstance(refusal, DiskError) or refusal.number not in _REFUSED:
        return refusal
    client, directory = clients.of_this_shell(), _written_in_vain(str(refusal.facts["path"]))
    if client is clients.OTHER or not directory:
        return refusal
    return Sandboxed(client=client.title, path=directory, tool=_TOOLS[command])


def _written_in_vain(path: str) -> str:
    """Return the mailboxes or the state directory that hold the path.

    '' if none do, or if the path may not even be read, as far as it exists.
    """
    if not os.path.isabs(path):
        return ""
    above = [path, *upwards(os.path.dirname(path))]
    there = next(filter(os.path.lexists, above))
    found = (one for one in above if one == state_base() or is_mailboxes(one))
    return next(found, "") if os.access(there, os.R_OK) else ""
