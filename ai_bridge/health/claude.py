"""Whether the person let Claude Code use what a project registers, and lets notices of mail into its sessions."""

from __future__ import annotations

import glob
import os
import shlex
from collections.abc import Iterator

from ai_bridge.clients.claude_code import CLAUDE_CODE
from ai_bridge.clients.files import PROJECT, SERVER, USER
from ai_bridge.health.finding import WRONG, Finding
from ai_bridge.health.switches import read
from ai_bridge.install.places import folder

# Source: Claude Code 2.1.332. What an organization sets is here, and a person cannot change it.
_MANAGED = "/etc/claude-code"
_INBOUND, _ACCEPTS = "crossSessionInbound", "accept"
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


def reach_findings() -> Iterator[Finding]:
    """Yield a finding for each settings file that keeps notices of mail out of idle sessions.

    Source: Claude Code 2.1.332. `hold` shows a message of another session to the person first, `refuse` drops it, and
    it holds all if the value is unknown to it. A project may be stricter than its user.
    """
    _, own = folder(CLAUDE_CODE.name, USER)
    _, here = folder(CLAUDE_CODE.name, PROJECT)
    managed = [os.path.join(_MANAGED, "managed-settings.json")]
    managed += sorted(glob.glob(os.path.join(_MANAGED, "managed-settings.d", "*.json")))
    theirs = [os.path.join(own, "settings.json")]
    theirs += [os.path.join(here, name) for name in ("settings.json", "settings.local.json")]
    for path in dict.fromkeys((*managed, *theirs)):
        value = read(path).get(_INBOUND)
        if value not in (None, _ACCEPTS):
            yield _inbound(path, value, path in managed)


def _inbound(path: str, value: object, is_managed: bool) -> Finding:
    does = "drops" if value == "refuse" else "holds"
    found = (
        f"{path} sets {_INBOUND} to {value!r}: Claude Code {does} what is to wake an idle session, and it hears of "
        "mail only at its next prompt or tool call"
    )
    if is_managed:
        return Finding("inbound", WRONG, f"{found}; ask the administrator to set it to {_ACCEPTS}")
    return Finding("inbound", WRONG, f"{found}; set it to {_ACCEPTS}", f"$EDITOR {shlex.quote(path)}")
