"""A client's ways: how its idle and working sessions are reached, and how its hooks are answered."""

from __future__ import annotations

from ai_bridge import clients
from ai_bridge.errors import BridgeError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from ai_bridge.clients.record import Client


# All text that ai-bridge sends without being asked begins with this.
MARK = "[ai-bridge, automatic]"
# The answer of a hook without news. With an empty answer, some clients show the model a line.
NOTHING = "{}"


class NotReached(BridgeError):
    sentence = "the session of {client} was not reached: {why}"


class Ways:
    """The ways of the client whose record is `client`; this class serves a client without code of its own."""

    def __init__(self, client: Client) -> None:
        self.client = client
        self.news = ""  # what the next answer to a hook says besides, '' for nothing

    def is_session(self) -> bool:
        """Tell whether a session connects for certain, and not a command that only lists the tools."""
        return False

    def can_push(self, key: str) -> bool:
        """Tell whether its own server can reach the session that the client calls `key`."""
        return False

    def push(self, key: str, notice: str, urgent: bool = False) -> bool:
        """Put a notice before the model of the session `key`, idle or working; raises `NotReached`.

        An `urgent` one may come between two tool calls. Returns True if the client says that the session has it. Else
        the client may still lose it.
        """
        raise NotReached(client=self.client.own_name, why="it has no way for that")

    def keeps(self, event: str, text: str) -> bool:
        """Tell whether the client passes the text of a hook for `event` to its model unchanged."""
        return True

    def lesson(self, event: str) -> str:
        """Return what a hook for `event` teaches the model so that it can be reached; '' if nothing."""
        return ""

    def besides(self, event: str) -> str:
        """Return what a hook for `event` says besides mail: news of the session, and the lesson; '' if nothing."""
        return "\n".join(text for text in (self.news, self.lesson(event)) if text)

    def silence(self, event: str, may_teach: bool = True) -> str:
        """Return the answer of a hook for `event`, as JSON, if there is no mail: at most what it says besides."""
        besides = self.besides(event) if may_teach else ""
        if not besides:
            return NOTHING
        import json  # a hook without news starts faster without it

        return json.dumps(self.hook_answer(event, besides), ensure_ascii=False)

    def hook_answer(self, event: str, text: str) -> dict[str, Any]:
        """Return the answer of a hook for `event` that puts the text before the model.

        With some clients the model goes on only if the hook refuses the end of the turn.
        """
        hooks = self.client.hooks
        if hooks.refusal and event == hooks.turn_end:
            return {"decision": hooks.refusal, "reason": text}
        return {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}


def ways_of(client: Client) -> Ways:
    """Return a client's ways; imports the module that its record names."""
    if not client.reach.module:
        return Ways(client)
    ways: Ways = clients.code(client.reach.module).WAYS(client)
    return ways
