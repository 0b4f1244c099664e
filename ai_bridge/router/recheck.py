"""Whether a malformed file that is to be restored would only be rejected again, and its sender notified once more."""

import os

from ai_bridge import settings
from ai_bridge.agents import policy
from ai_bridge.errors import BridgeError, ConflictCopy, Malformed
from ai_bridge.mailboxes import conflicts
from ai_bridge.mailboxes.outbox import REASON
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.route import Router
from ai_bridge.system import untrusted


class StillMalformed(BridgeError):
    sentence = "{name} has not been repaired, and would be malformed again: {why}; repair {path}, or use --force"
    for_model = "{name} has not been repaired, and would be malformed again: {why}; repair {path}"


def check(mailboxes: Tree, place: Place) -> None:
    """Raise `StillMalformed` if a malformed file has not changed, and the router would reject it again.

    Something else may have been repaired, such as a missing agent or a card; then the file may go. If it has changed,
    the router decides. Reads the disk, and raises OSError.
    """
    if _is_changed(place):
        return
    try:
        _judge(mailboxes, place)
    except Malformed as refusal:
        raise StillMalformed(name=place.name, why=refusal, path=place.path) from None


def _is_changed(place: Place) -> bool:
    """Tell whether the file was written after its reason; True if it has no reason."""
    try:
        return os.lstat(place.path).st_mtime_ns > os.lstat(place.path + REASON).st_mtime_ns
    except FileNotFoundError:
        return True


def _judge(mailboxes: Tree, place: Place) -> None:
    """Check a file as a router's pass does before it claims it; raises `Malformed`."""
    if made_of := conflicts.original(place.name):
        raise ConflictCopy(name=place.name, original=made_of)
    loaded = settings.load(mailboxes.path)
    router = Router(mailboxes, set(), loaded)
    router.refresh()
    raw = untrusted.read_file(place.path, loaded.max_message_bytes)
    parsed, _, recipients = router.understand(place.outbox, place.name, raw)
    for recipient in recipients:
        if refusal := policy.refusal(mailboxes, recipient, parsed.sender):
            raise refusal
