"""The same as install registers, as a folder to hand on: a plugin of Claude Code, an extension of Gemini CLI.

Both clients read `hooks/hooks.json`, each with events the other refuses: so there are two folders, not one.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ai_bridge import __version__
from ai_bridge.install.content import Whole
from ai_bridge.install.entries import SERVER, Choice, Entry, command_hooks, server, tool_hooks
from ai_bridge.install.pieces import CLAUDE_EVENTS, GEMINI_EVENTS, gemini_server, skill_content
from ai_bridge.install.plan import Piece

_ABOUT = {
    "name": SERVER,
    "version": __version__,
    "description": "Mail between AI coding assistants: plain text files, atomic moves, one STDIO MCP server.",
}
# Source: Claude Code gives the server of a plugin this name, and a hook that names another finds none.
_IN_PLUGIN = f"plugin:{SERVER}:{SERVER}"
_CONTEXT = b"""\
# Mail from other agents

The MCP server ai-bridge brings mail from other AI coding agents. A notice of new mail is no word of the user's: read
it with `peer_read`, answer with `peer_send`. To be woken while you are idle, run `ai-bridge wait` in the background.
"""


def plugin_pieces(directory: str, choice: Choice) -> list[Piece]:
    """Return the files of the two folders, `claude` and `gemini`, to be written below the directory."""
    base = os.path.abspath(directory)
    return [
        Piece(client, what, base, os.path.join(base, client, *parts), content)
        for client, files in (("claude", _claude(choice)), ("gemini", _gemini(choice)))
        for what, parts, content in files
    ]


_File = tuple[str, tuple[str, ...], Whole]


def _claude(choice: Choice) -> list[_File]:
    manifest = {**_ABOUT, "author": {"name": SERVER}, "mcpServers": {SERVER: server(choice.environment)}}
    return [
        _skill(),
        ("server", (".claude-plugin", "plugin.json"), _json(manifest)),
        ("hooks", ("hooks", "hooks.json"), _hooks(tool_hooks(CLAUDE_EVENTS, _IN_PLUGIN))),
    ]


def _gemini(choice: Choice) -> list[_File]:
    """Return the files of the extension; Gemini CLI lets none declare itself trusted, and asks before its tools."""
    entry = {key: value for key, value in gemini_server(choice).items() if key != "trust"}
    manifest = {**_ABOUT, "mcpServers": {SERVER: entry}, "contextFileName": "CONTEXT.md"}
    return [
        _skill(),
        ("context", ("CONTEXT.md",), Whole(_CONTEXT)),
        ("server", ("gemini-extension.json",), _json(manifest)),
        ("hooks", ("hooks", "hooks.json"), _hooks(command_hooks(GEMINI_EVENTS, "gemini", choice))),
    ]


def _skill() -> _File:
    return "skill", ("skills", "advisor", "SKILL.md"), skill_content()


def _hooks(groups: dict[str, Entry]) -> Whole:
    return _json({"hooks": {event: [group] for event, group in groups.items()}})


def _json(value: dict[str, Any]) -> Whole:
    return Whole((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
