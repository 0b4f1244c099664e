"""The directories that `ai-bridge send` writes, which a client's sandbox must let its shell write."""

from __future__ import annotations

from ai_bridge.clients.files import Keys
from ai_bridge.install.entries import Entry
from ai_bridge.mailboxes.find import user_wide
from ai_bridge.system.directories import state_base


def directories(server: Entry) -> Keys:
    """Return the mailboxes outside of projects, and the state directory, that this entry of our server means.

    A project's own mailboxes are in the project, which the shell may write.
    """
    given = server.get("env")
    environment = {name: str(value) for name, value in given.items()} if isinstance(given, dict) else {}
    return environment.get("AI_BRIDGE_MAILBOXES") or user_wide(environment), state_base(environment)
