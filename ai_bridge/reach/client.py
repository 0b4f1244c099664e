"""What is known of a client: how its sessions are reached, idle and working, and what its hooks are answered."""

from __future__ import annotations

from ai_bridge.errors import BridgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


# What all that is said without being asked begins with.
MARK = "[ai-bridge, automatic]"


class NotReached(BridgeError):
    sentence = "the session of {client} was not reached: {why}"


class Client:
    """One client's ways; as it stands, those of any client that nothing more is known of."""

    # What it calls itself when it connects.
    name = ""
    # By what an idle session and a working one are reached, '' where by nothing, and what that takes.
    idle = "peer_wait, or a subscription to the inbox"
    working = "peer_wait, or a subscription to the inbox"
    needs = "a client that subscribes, or a model that waits"
    # Characters a hook's answer may have.
    hook_chars = 9_000
    # Seconds a working session is left to its hooks, which tell it sooner than a push that waits for the turn's end.
    hooks_s = 0.0

    def is_session(self) -> bool:
        """Tell whether what connects is a session for certain, and not a command that only lists the tools."""
        return False

    def can_push(self, key: str) -> bool:
        """Tell whether the session with that key (what its client calls it) can be reached from its own server."""
        return False

    def push(self, key: str, notice: str) -> None:
        """Put a notice before the session's model, idle or working; raises `NotReached`."""
        raise NotReached(client=self.name, why="it has no way for that")

    def keeps(self, event: str, text: str) -> bool:
        """Tell whether its model is given the text of a hook for `event` as it is."""
        return True

    def lesson(self, event: str) -> str:
        """Return what a model is to know besides, to be reached, as a hook for `event` may say; else ''."""
        return ""

    def hook_answer(self, event: str, text: str) -> dict[str, Any]:
        """Return what a hook for `event` answers, so that the model is given the text."""
        return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}
