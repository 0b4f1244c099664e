"""A client's ways: how its sessions are reached, idle and working, and what its hooks are answered."""

from __future__ import annotations

from ai_bridge import clients
from ai_bridge.errors import BridgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ai_bridge.clients.record import Client


# What all that is said without being asked begins with.
MARK = "[ai-bridge, automatic]"


class NotReached(BridgeError):
    sentence = "the session of {client} was not reached: {why}"


class Ways:
    """The ways of the client whose record is `client`; as they stand, those of one that names no code of its own."""

    def __init__(self, client: Client) -> None:
        self.client = client

    def is_session(self) -> bool:
        """Tell whether what connects is a session for certain, and not a command that only lists the tools."""
        return False

    def can_push(self, key: str) -> bool:
        """Tell whether the session with that key (what its client calls it) can be reached from its own server."""
        return False

    def push(self, key: str, notice: str) -> None:
        """Put a notice before the session's model, idle or working; raises `NotReached`."""
        raise NotReached(client=self.client.own_name, why="it has no way for that")

    def keeps(self, event: str, text: str) -> bool:
        """Tell whether its model is given the text of a hook for `event` as it is."""
        return True

    def lesson(self, event: str) -> str:
        """Return what a model is to know besides, to be reached, as a hook for `event` may say; else ''."""
        return ""

    def hook_answer(self, event: str, text: str) -> dict[str, Any]:
        """Return what a hook for `event` answers, so that the model is given the text.

        With some clients only a refusal to end the turn brings the model to go on.
        """
        hooks = self.client.hooks
        if hooks.refusal and event == hooks.turn_end:
            return {"decision": hooks.refusal, "reason": text}
        return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}


def ways_of(client: Client) -> Ways:
    """Return a client's ways; imports the code that its record names."""
    if not client.reach.module:
        return Ways(client)
    ways: Ways = clients.code(client.reach.module).WAYS(client)
    return ways
