"""Whether the person let Claude Code use what a project registers."""

from __future__ import annotations

import os

from ai_bridge.clients.claude_code import CLAUDE_CODE
from ai_bridge.clients.files import SERVER, USER
from ai_bridge.health.switches import read
from ai_bridge.install.places import folder

_NAME = f"plugin:{SERVER}:{SERVER}"


def is_approved(project: str) -> bool:
    """Tell whether our server is approved in that folder.

    Source: Claude Code notes the approval in the project's settings or in its own file, or its settings approve all
    servers. It calls the server of a plugin by both names.
    """
    base, _ = folder(CLAUDE_CODE.name, USER)
    own = read(os.path.join(base, ".claude.json")).get("projects")
    entry = own.get(project) if isinstance(own, dict) else None
    named = entry.get("enabledMcpjsonServers") if isinstance(entry, dict) else None
    settings = [read(os.path.join(project, ".claude", name)) for name in ("settings.json", "settings.local.json")]
    told = [named, *(found.get("enabledMcpjsonServers") for found in settings)]
    everything = any(found.get("enableAllProjectMcpServers") is True for found in settings)
    return everything or any(isinstance(names, list) and _NAME in names for names in told)
