"""Remembers which share the mailboxes are on, so that an unmounted share never passes for empty mailboxes."""

from ai_bridge.errors import BridgeError
from ai_bridge.system import state_files, untrusted
from ai_bridge.system.filesystems import file_system


class ShareIsGone(BridgeError):
    sentence = "{path} was on {before}, and is on {now} now: mount the share (or remove {memory}, if it was moved)"
    for_model = "{path} was on {before}, and is on {now} now: tell your user to mount the share"


def note_share(path: str, memory: str) -> None:
    """Note in the file `memory` that the directory is on a share, if it is; raises OSError."""
    found = file_system(path)
    if found.is_network and str(found) != _noted(memory):
        state_files.remember(memory, str(found).encode("utf-8", "surrogateescape"))


def check_mounted(path: str, memory: str) -> None:
    """Raise `ShareIsGone` if the directory was on a share (as `memory` notes) that is not mounted now."""
    before = _noted(memory)
    if not before or file_system(path).is_network:
        return
    untrusted.listed(path)  # this mounts a share that is mounted on demand
    if not (now := file_system(path)).is_network:
        raise ShareIsGone(path=path, before=before, now=str(now), memory=memory)


def _noted(memory: str) -> str:
    return state_files.recall(memory, 4096).decode("utf-8", "surrogateescape").strip()
