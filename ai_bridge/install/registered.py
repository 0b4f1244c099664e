"""Our present registration in a client's files. This only reads, and reports even files that cannot be understood."""

from __future__ import annotations

import os
import tomllib
from dataclasses import dataclass
from typing import Any

from ai_bridge.clients.files import SERVER
from ai_bridge.errors import BridgeError
from ai_bridge.install.content import Content
from ai_bridge.install.entries import Choice, Entry
from ai_bridge.install.json_edit import NotMergeable, get, parse
from ai_bridge.install.json_file import JsonFile, own_hooks
from ai_bridge.install.pieces import pieces
from ai_bridge.install.plan import Piece, planned, present_at
from ai_bridge.install.plugin_files import Generated, read
from ai_bridge.install.toml_file import TomlFile


@dataclass(frozen=True)
class File:
    """A file with our part that a client reads; `trouble` is why it cannot be understood, None if it can."""

    what: str
    path: str
    exists: bool
    trouble: str | None


@dataclass(frozen=True)
class Server:
    """The server that a client starts."""

    command: str
    args: tuple[str, ...]
    env: dict[str, str]


@dataclass(frozen=True)
class Registration:
    """The registration with a client in one scope; `server` is None if the server is not registered.

    `current`: to install again with the same choice would change nothing.
    """

    client: str
    scope: str
    files: tuple[File, ...]
    server: Server | None
    hooks: tuple[str, ...]
    wanted_hooks: tuple[str, ...]
    skill: str  # absent, ours, changed
    current: bool


def registered(client: str, scope: str) -> Registration:
    """Return what a client has of ours; raises `CannotChange` only if the working directory is gone."""
    server, files = None, []
    hooks: list[str] = []
    wanted: list[str] = []
    skill = "absent"
    for piece in pieces(client, scope, Choice()):
        present, trouble = _read(piece)
        document = _document(piece.content, present) if trouble is None else {}
        files.append(File(piece.what, piece.path, os.path.lexists(piece.path), trouble))
        if piece.what == "skill" and present is not None:
            skill = "ours" if present == piece.content.installed(None) else "changed"
        server = server or _server(get(document, ("mcpServers", SERVER)) or get(document, ("mcp_servers", SERVER)))
        if events := _events(piece.content):
            wanted += events
            hooks += [event for _, event, _ in own_hooks(document)]
    current = all(map(_is_current, pieces(client, scope, _choice(server))))
    return Registration(client, scope, tuple(files), server, tuple(hooks), tuple(wanted), skill, current)


def has_part(piece: Piece) -> bool:
    """Tell whether the piece's file holds any part of ours; False if it cannot be understood."""
    present, trouble = _read(piece)
    return trouble is None and present is not None and piece.content.holds(present)


def _choice(server: Server | None) -> Choice:
    """Return the choice that was made when the server was registered."""
    env = server.env if server else {}
    return Choice(env.get("AI_BRIDGE_MAILBOXES"), env.get("AI_BRIDGE_AGENT"))


def _read(piece: Piece) -> tuple[bytes | None, str | None]:
    try:
        present = present_at(piece.path)
        piece.content.holds(present)
    except (BridgeError, NotMergeable) as trouble:
        return None, str(trouble)
    return present, None


def _events(content: Content) -> list[str]:
    """Return the events on which install puts a hook into a file of this content."""
    if isinstance(content, Generated):
        return list(content.document.get("hooks", {}))
    return list(content.hooks) if isinstance(content, JsonFile) else []


def _document(content: Content, present: bytes | None) -> Entry:
    if isinstance(content, Generated):
        return read(present) or {}
    text = (present or b"").decode("utf-8-sig", "replace")
    if isinstance(content, TomlFile):
        return tomllib.loads(text)
    return parse(text) if isinstance(content, JsonFile) and text.strip() else {}


def _server(entry: Any) -> Server | None:
    if not isinstance(entry, dict):
        return None
    words, env = entry.get("args"), entry.get("env")
    return Server(
        str(entry.get("command", "")),
        tuple(map(str, words)) if isinstance(words, list) else (),
        {str(name): str(value) for name, value in env.items()} if isinstance(env, dict) else {},
    )


def _is_current(piece: Piece) -> bool:
    try:
        return not any(step.does for step in planned("install", [piece]))
    except BridgeError:
        return False
