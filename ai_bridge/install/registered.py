"""What of ours a client has in its files now: read only, and told even where a file cannot be understood."""

from __future__ import annotations

import hashlib
import json
import os
import re
import tomllib
from dataclasses import dataclass
from typing import Any

from ai_bridge.errors import BridgeError
from ai_bridge.install.content import Content
from ai_bridge.install.entries import SERVER, Choice, Entry, is_hook
from ai_bridge.install.json_edit import NotMergeable, get, parse
from ai_bridge.install.json_file import JsonFile, own_hooks
from ai_bridge.install.pieces import pieces
from ai_bridge.install.places import folder
from ai_bridge.install.plan import Piece, planned, present_at, present_or_none
from ai_bridge.install.toml_file import TomlFile

# Source: Codex CLI 0.169, where a hook without a timeout has this one, in seconds.
_CODEX_TIMEOUT = 600


@dataclass(frozen=True)
class File:
    """A file a client reads of ours, and, where it cannot be understood, why."""

    what: str
    path: str
    exists: bool
    trouble: str | None


@dataclass(frozen=True)
class Server:
    """What a client starts."""

    command: str
    args: tuple[str, ...]
    env: dict[str, str]


@dataclass(frozen=True)
class Registration:
    """What a client has of ours in one scope; `current`: to install again, with the same choice, changes nothing."""

    client: str
    scope: str
    files: tuple[File, ...]
    server: Server | None
    hooks: tuple[str, ...]
    wanted_hooks: tuple[str, ...]
    skill: str  # absent, ours, changed
    current: bool


def registered(client: str, scope: str) -> Registration:
    """Return what a client has of ours; raises `CannotChange` only where the working directory is gone."""
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
        if isinstance(piece.content, JsonFile) and piece.content.hooks:
            wanted += piece.content.hooks
            hooks += [event for _, event, _ in own_hooks(document)]
    current = all(map(_is_current, pieces(client, scope, _choice(server))))
    return Registration(client, scope, tuple(files), server, tuple(hooks), tuple(wanted), skill, current)


def _choice(server: Server | None) -> Choice:
    """Return what was chosen when the server was registered."""
    env = server.env if server else {}
    return Choice(env.get("AI_BRIDGE_MAILBOXES"), env.get("AI_BRIDGE_AGENT"))


def _read(piece: Piece) -> tuple[bytes | None, str | None]:
    try:
        present = present_at(piece.path)
        piece.content.holds(present)
    except (BridgeError, NotMergeable) as trouble:
        return None, str(trouble)
    return present, None


def _document(content: Content, present: bytes | None) -> Entry:
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


# --- the trust that Codex CLI wants for hooks -------------------------------------------------------------


def codex_trust(scope: str) -> dict[str, str]:
    """Return, for each event our hook is on, whether Codex CLI runs it: trusted, modified, untrusted, disabled.

    Trust is kept in the person's own settings, for a project's hooks too; it is theirs to give, so it is only read.
    """
    state = trusted_hooks(present_or_none(trust_path()))
    found = {}
    for event, key, digest in hook_digests(scope, None):
        kept = state.get(key)
        found[event] = _trust(kept if isinstance(kept, dict) else {}, digest)
    return found


def trust_path() -> str:
    """Return the file in which Codex CLI keeps what hooks its person trusts."""
    return os.path.join(folder("codex", "user")[1], "config.toml")


def hook_digests(scope: str, hooks: bytes | None) -> list[tuple[str, str, str]]:
    """Return event, key and digest of each hook of ours, in these bytes of the file of hooks, or as it is now."""
    path = os.path.join(folder("codex", scope)[1], "hooks.json")
    try:
        document = parse((hooks or present_at(path) or b"{}").decode("utf-8-sig"))
    except (BridgeError, NotMergeable, UnicodeDecodeError):
        return []
    found = []
    for place, event, _ in own_hooks(document):
        group = get(document, place[:3])
        number = next(number for number, hook in enumerate(group["hooks"]) if is_hook(hook))
        found.append((event, f"{path}:{_snake(event)}:{place[2]}:{number}", _hash(event, group, number)))
    return found


def _trust(kept: Entry, digest: str) -> str:
    if kept.get("enabled") is False:
        return "disabled"
    return "untrusted" if "trusted_hash" not in kept else "trusted" if kept["trusted_hash"] == digest else "modified"


def trusted_hooks(settings: bytes | None) -> Entry:
    """Return what Codex CLI's own settings say of hooks, by their keys."""
    try:
        state = get(tomllib.loads((settings or b"").decode("utf-8-sig")), ("hooks", "state"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError):
        return {}
    return state if isinstance(state, dict) else {}


def _hash(event: str, group: Entry, number: int) -> str:
    """Return what Codex CLI 0.169 remembers of a hook: the digest of its event, matcher and handler, in one order."""
    handler = {"timeout": _CODEX_TIMEOUT, **group["hooks"][number]}
    matcher = {"matcher": group["matcher"]} if "matcher" in group else {}
    identity = {"event_name": _snake(event), **matcher, "hooks": [handler]}
    canonical = json.dumps(identity, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return f"sha256:{hashlib.sha256(canonical.encode()).hexdigest()}"


def _snake(event: str) -> str:
    return re.sub(r"(?<!^)(?=[A-Z])", "_", event).lower()
