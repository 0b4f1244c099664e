"""The pieces that each client gets, and which of its own files each piece belongs in."""

from __future__ import annotations

import os

from ai_bridge import clients
from ai_bridge.clients.files import PROJECT, TOML, ConfigFile
from ai_bridge.clients.record import Client
from ai_bridge.install.content import Content, Whole
from ai_bridge.install.entries import Choice, hook_groups, server_of
from ai_bridge.install.json_file import JsonFile
from ai_bridge.install.places import folder
from ai_bridge.install.plan import Piece
from ai_bridge.install.toml_file import TomlFile

# Only the owner may read a client's files that hold more than settings.
_PRIVATE, _PUBLIC = 0o600, 0o644


def pieces(client: str, scope: str, choice: Choice) -> list[Piece]:
    """Return the pieces for a client, in the order of their use: skill, server, hooks; raises `CannotChange`."""
    record = clients.by_name(client)
    base, inside = folder(client, scope)
    skill = Piece(client, "skill", base, os.path.join(inside, *record.files.folder.skill), skill_content())
    return [skill, *(_config(record, file, scope, choice) for file in record.files.config)]


def skill_content() -> Whole:
    """Return the skill as it is shipped."""
    with open(os.path.join(os.path.dirname(__file__), "skills", "advisor", "SKILL.md"), "rb") as file:
        return Whole(file.read())


def _config(client: Client, file: ConfigFile, scope: str, choice: Choice) -> Piece:
    base, inside = folder(client.name, scope)
    name = file.in_project if scope == PROJECT else file.name
    path = os.path.join(base if file.is_beside else inside, name)
    mode = _PRIVATE if scope in file.private else _PUBLIC
    return Piece(client.name, file.what, base, path, _content(client, file, choice), mode)


def _content(client: Client, file: ConfigFile, choice: Choice) -> Content:
    entry = server_of(client, choice) if file.has_server else None
    if file.form == TOML:
        return TomlFile(entry)
    if not file.has_hooks:
        return JsonFile(entry, defaults=file.defaults, members=file.members)
    return JsonFile(entry, hook_groups(client, choice), file.defaults, file.members, client.hooks.advice)
