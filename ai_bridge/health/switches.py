"""What keeps a registration from working although it is there: switched off, altered, or led to nowhere."""

from __future__ import annotations

import json
import os
import tomllib
from collections.abc import Iterator
from typing import Any

from ai_bridge.health.finding import NOTE, WRONG, Finding, install_command
from ai_bridge.install import Registration
from ai_bridge.mailboxes import tree
from ai_bridge.message.address import is_address

_SERVER, _RULE = "ai-bridge", "mcp__ai-bridge"


def switches(one: Registration) -> Iterator[Finding]:
    """Name each thing that is in the way."""
    assert one.server is not None
    path = one.files[-1].path
    documents = [document for file in one.files[1:] if (document := read(file.path))]
    for is_off, words in _OFF[one.client]:
        if any(is_off(document) for document in documents):
            yield Finding("switch", WRONG, f"{words} ({path}, or beside it)", f"$EDITOR {path}")
    where, agent = one.server.env.get("AI_BRIDGE_MAILBOXES"), one.server.env.get("AI_BRIDGE_AGENT")
    if where is not None and not tree.is_mailboxes(where):
        fix = f"ai-bridge init --mailboxes {where}"
        yield Finding("mailboxes", WRONG, f"it names {where}, where there are no mailboxes", fix)
    if agent is not None and not is_address(agent):
        yield Finding("agent", WRONG, f"{agent} is no address", install_command(one.client, one.scope))
    elif not one.current and one.skill == "ours" and set(one.hooks) == set(one.wanted_hooks):
        fix = install_command(one.client, one.scope)
        yield Finding("current", NOTE, f"not as install writes it now; {fix} --dry-run shows the difference", fix)


def read(path: str) -> dict[str, Any]:
    """Return what a client's file of settings holds, nothing where it cannot be read."""
    try:
        with open(path, "rb") as file:
            found = tomllib.load(file) if path.endswith(".toml") else json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def at(document: Any, *keys: str) -> Any:
    """Return what stands there in a document, None where nothing does."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _names(found: Any, word: str) -> bool:
    return isinstance(found, list) and word in found


# Source: each client's own settings.
_OFF: dict[str, list[tuple[Any, str]]] = {
    "claude": [
        (lambda found: at(found, "disableAllHooks") is True, "disableAllHooks switches its hooks off"),
        (lambda found: _names(at(found, "permissions", "deny"), _RULE), f"permissions.deny names {_RULE}"),
    ],
    "gemini": [
        (lambda found: at(found, "hooksConfig", "enabled") is False, "hooksConfig.enabled switches its hooks off"),
        (lambda found: _names(at(found, "mcp", "excluded"), _SERVER), f"mcp.excluded names {_SERVER}"),
        (lambda found: bool(at(found, "mcpServers", _SERVER, "excludeTools")), "excludeTools leaves tools out"),
    ],
    "codex": [
        (lambda found: at(found, "mcp_servers", _SERVER, "enabled") is False, "enabled = false switches it off"),
        (lambda found: at(found, "features", "hooks") is False, "features.hooks switches its hooks off"),
    ],
}


def extension() -> str | None:
    """Return where Gemini CLI has our extension; None where it has none."""
    base = os.environ.get("GEMINI_CLI_HOME") or os.path.expanduser("~")
    path = os.path.join(base, ".gemini", "extensions", _SERVER)
    return path if os.path.lexists(path) else None
