"""The pieces that each client gets, and which of its own files each piece belongs in."""

from __future__ import annotations

import os

from ai_bridge import clients
from ai_bridge.clients.files import PROJECT, TOML, ConfigFile, Files
from ai_bridge.clients.record import Client
from ai_bridge.install.content import Content
from ai_bridge.install.entries import Choice, hook_groups, server_of, tool_hooks
from ai_bridge.install.json_file import JsonFile
from ai_bridge.install.places import folder
from ai_bridge.install.plan import Piece
from ai_bridge.install.plugin_files import plugin_files, skill_content
from ai_bridge.install.policy import rule
from ai_bridge.install.toml_file import TomlFile

# Only the owner may read a client's files that hold more than settings.
_PRIVATE, _PUBLIC = 0o600, 0o644
_ROOTS = (
    "the tools need nothing more; `ai-bridge send` works in its sandboxed shell only after "
    "`ai-bridge install {} --writable-roots`"
)


def pieces(client: str, scope: str, choice: Choice) -> list[Piece]:
    """Return the pieces for a client, in the order of their use: skill, server, hooks; raises `CannotChange`."""
    record = clients.by_name(client)
    chosen = choice.for_all() if scope == PROJECT else choice
    config = [_config(record, record.files, file, scope, chosen) for file in record.files.config]
    return [*_folder_pieces(record, scope, chosen), *_policy(record, scope), *config]


def former_pieces(client: str, scope: str) -> list[Piece]:
    """Return the pieces that an older install wrote in other places, in the same order; raises `CannotChange`."""
    record = clients.by_name(client)
    former = record.files.former
    if former is None:
        return []
    config = [_config(record, former, file, scope, Choice()) for file in former.config]
    return [_skill(record, former, scope), *config]


def config_path(client: Client, file: ConfigFile, scope: str) -> str:
    """Return the path of a client's file in that scope; raises `CannotChange`."""
    base, inside = folder(client.name, scope)
    name = file.in_project if scope == PROJECT else file.name
    return os.path.join(base if file.is_beside else inside, name)


def _folder_pieces(client: Client, scope: str, choice: Choice) -> list[Piece]:
    """Return the skill; with server and hooks if the client finds a plugin by itself."""
    plugin = client.files.plugin
    if plugin is None or not plugin.place:
        return [_skill(client, client.files, scope)]
    base, inside = folder(client.name, scope)
    files = plugin_files(client, plugin, choice)
    return [
        Piece(client.name, what, base, os.path.join(inside, *plugin.place, *parts), content)
        for what, parts, content in files
    ]


def _skill(client: Client, files: Files, scope: str) -> Piece:
    base, inside = folder(client.name, scope)
    return Piece(client.name, "skill", base, os.path.join(inside, *files.folder.skill), skill_content())


def _policy(client: Client, scope: str) -> list[Piece]:
    policy = client.files.policy
    if policy is None or scope == PROJECT:
        return []
    base, inside = folder(client.name, scope)
    return [Piece(client.name, "policy", base, os.path.join(inside, *policy.place), rule(policy))]


def _config(client: Client, files: Files, file: ConfigFile, scope: str, choice: Choice) -> Piece:
    base, _ = folder(client.name, scope)
    mode = _PRIVATE if scope in file.private else _PUBLIC
    content = _content(client, files, file, choice)
    return Piece(client.name, file.what, base, config_path(client, file, scope), content, mode)


def _content(client: Client, files: Files, file: ConfigFile, choice: Choice) -> Content:
    entry = server_of(client, choice) if file.has_server else None
    if file.form == TOML:
        roots = () if choice.is_shared else file.roots
        return TomlFile(entry, file.defaults, roots, choice.lets_shell_write, _ROOTS.format(client.name))
    if not file.has_hooks:
        return JsonFile(entry, defaults=file.defaults, members=file.members)
    older = tool_hooks(client)
    groups = older if files is client.files.former else hook_groups(client, choice)
    advice = files.policy.in_project if files.policy and choice.is_shared else client.hooks.advice
    return JsonFile(entry, groups, file.defaults, file.members, advice, older)
