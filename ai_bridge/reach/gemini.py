"""Gemini CLI: hooks, and a wait in a background shell whose end wakes the model.

Source: the client itself. Its hooks are processes; its servers have no way to an idle session.
"""

from __future__ import annotations

from ai_bridge.processes import program
from ai_bridge.reach.client import Client

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

_AFTER_TURN = "AfterAgent"


class Gemini(Client):
    name = "gemini-cli-mcp-client"
    idle = "`ai-bridge wait --new` in a background shell"
    working = "hooks between two tool calls"
    needs = "its hooks; and for idle sessions two settings, which install makes, and a model that begins the wait"

    def is_session(self) -> bool:
        return True  # what only lists the tools goes by another name

    def lesson(self) -> str:
        import shlex

        words = shlex.join([*program(), "wait", "--new"])
        return (
            f"\nTo be woken by mail when you are idle, run `{words}` with run_shell_command and is_background=true "
            "when you begin, and again each time it has ended: it costs nothing while it waits.\n"
        )

    def hook_answer(self, event: str, text: str) -> dict[str, Any]:
        """After a turn only a refusal to end it brings the model to go on."""
        if event == _AFTER_TURN:
            return {"decision": "deny", "reason": text}
        return super().hook_answer(event, text)


GEMINI = Gemini()
