"""The files of a plugin (Claude Code) or an extension (Gemini CLI): the manifest, the hooks, the skill."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from ai_bridge import __version__
from ai_bridge.clients.files import SERVER, Plugin
from ai_bridge.clients.record import Client
from ai_bridge.install.content import Whole
from ai_bridge.install.entries import Choice, Entry, altered, hook_groups, server_of, takes
from ai_bridge.install.json_edit import NotMergeable, get, parse

# Where a skill is in a plugin or an extension.
_SKILL = ("skills", "advisor", "SKILL.md")
_HOOKS = ("hooks", "hooks.json")
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


@dataclass(frozen=True)
class Generated(Whole):
    """A JSON file of ours alone, with the server or the hooks in it; a new version of it replaces the older one."""

    @property
    def document(self) -> Entry:
        """Return what the file is to hold."""
        return parse(self.content.decode())

    def asks(self, verb: str, present: bytes) -> bool:
        found, ours = read(present), self.document
        if found is None or _rest(found) != _rest(ours):
            return True
        judge = altered if verb == "uninstall" else takes
        return any(there != wanted and judge(there, wanted) for there, wanted in _pairs(found, ours))


def read(present: bytes | None) -> Entry | None:
    """Return what a JSON file holds; None if it cannot be understood."""
    with suppress(NotMergeable, UnicodeDecodeError):
        return parse((present or b"").decode("utf-8-sig"))
    return None


def _rest(document: Entry) -> Entry:
    """Return the parts of a document that neither an installation nor a version changes."""
    rest = {key: value for key, value in document.items() if key != "version"}
    parts = {key: sorted(rest[key]) for key in ("mcpServers", "hooks") if isinstance(rest.get(key), dict)}
    return {**rest, **parts}


def _pairs(found: Entry, ours: Entry) -> Iterator[tuple[Any, Entry]]:
    """Yield each entry of ours with the one that is found in its place."""
    if "mcpServers" in ours:
        yield get(found, ("mcpServers", SERVER)), ours["mcpServers"][SERVER]
    for event, groups in ours.get("hooks", {}).items():
        there = found["hooks"][event]
        yield (there[0] if isinstance(there, list) and len(there) == 1 else there), groups[0]


_File = tuple[str, tuple[str, ...], Whole]


def plugin_files(client: Client, plugin: Plugin, choice: Choice) -> list[_File]:
    """Return what each file is for, its path in the folder, and its content."""
    entry = {key: value for key, value in server_of(client, choice).items() if key not in plugin.withheld}
    context = {plugin.context_key: _CONTEXT_FILE} if plugin.context_key else {}
    manifest = {**_ABOUT, **plugin.extra, "mcpServers": {SERVER: entry}, **context}
    return [
        ("skill", _SKILL, skill_content()),
        *([("context", (_CONTEXT_FILE,), Whole(_CONTEXT))] if context else []),
        ("server", plugin.manifest, _json(manifest)),
        ("hooks", _HOOKS, _hooks(hook_groups(client, choice))),
    ]


def skill_content() -> Whole:
    """Return the skill as it is shipped."""
    with open(os.path.join(os.path.dirname(__file__), "skills", "advisor", "SKILL.md"), "rb") as file:
        return Whole(file.read())


def _hooks(groups: Mapping[str, Entry]) -> Whole:
    return _json({"hooks": {event: [group] for event, group in groups.items()}})


def _json(value: dict[str, Any]) -> Whole:
    return Generated((json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode())
