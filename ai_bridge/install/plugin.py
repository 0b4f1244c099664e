"""Everything that install registers, as a folder to share: a plugin of Claude Code, an extension of Gemini CLI.

These clients read `hooks/hooks.json`, each with events that the others refuse. So each has a folder of its own.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ai_bridge import __version__, clients
from ai_bridge.clients.files import SERVER, Plugin
from ai_bridge.clients.record import Client
from ai_bridge.install.content import Whole
from ai_bridge.install.entries import Choice, Entry, hook_groups, server_of
from ai_bridge.install.pieces import skill_content
from ai_bridge.install.plan import Piece

_ABOUT = {
    "name": SERVER,
    "version": __version__.replace(".dev", "-dev."),  # as the clients want it. Source: Semantic Versioning 2.0.0
    "description": "Mail between AI coding assistants: plain text files, atomic moves, one STDIO MCP server.",
}
_CONTEXT_FILE = "CONTEXT.md"
_CONTEXT = b"""\
# Mail from other agents

The MCP server ai-bridge brings mail from other AI coding agents. A notice of new mail is not from the user: read
it with `peer_read`, answer with `peer_send`. To be woken while you are idle, run `ai-bridge wait` in the background.
"""


def plugin_pieces(directory: str, choice: Choice) -> list[Piece]:
    """Return the files to write below the directory, in one folder per client that has its name."""
    base = os.path.abspath(directory)
    return [
        Piece(client.name, what, base, os.path.join(base, client.name, *parts), content)
        for client in clients.registrable()
        if client.files.plugin is not None
        for what, parts, content in _files(client, client.files.plugin, choice)
    ]


_File = tuple[str, tuple[str, ...], Whole]


def _files(client: Client, plugin: Plugin, choice: Choice) -> list[_File]:
    entry = {key: value for key, value in server_of(client, choice).items() if key not in plugin.withheld}
    context = {plugin.context_key: _CONTEXT_FILE} if plugin.context_key else {}
    manifest = {**_ABOUT, **plugin.extra, "mcpServers": {SERVER: entry}, **context}
    return [
        ("skill", client.files.folder.skill, skill_content()),
        *([("context", (_CONTEXT_FILE,), Whole(_CONTEXT))] if context else []),
        ("server", plugin.manifest, _json(manifest)),
        ("hooks", ("hooks", "hooks.json"), _hooks(hook_groups(client, choice, plugin.server_name))),
    ]


def _hooks(groups: dict[str, Entry]) -> Whole:
    return _json({"hooks": {event: [group] for event, group in groups.items()}})


def _json(value: dict[str, Any]) -> Whole:
    return Whole((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
