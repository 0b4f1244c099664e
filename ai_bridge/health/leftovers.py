"""The entries that older programs left in the clients' files, and the service of one; and how to remove each."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator

from ai_bridge import clients
from ai_bridge.clients.record import Client
from ai_bridge.health.finding import WRONG, Finding, install_command
from ai_bridge.health.switches import at, read
from ai_bridge.install.pieces import config_path, former_pieces
from ai_bridge.install.places import SCOPES
from ai_bridge.install.registered import has_part
from ai_bridge.system.directories import user_base

# The servers of the programs that came before this one.
_ANCESTORS = ("unified-ai-bridge", "ai-connect")
_UNIT = "ai-connect-mcp.service"


def examine(name: str) -> Iterator[Finding]:
    """Yield a finding for each entry in the client's files that an older program, or an older install, left there."""
    client = clients.by_name(name)
    for path in dict.fromkeys(_paths(client)):
        for ancestor in _ANCESTORS:
            if any(at(read(path), table, ancestor) is not None for table in ("mcpServers", "mcp_servers")):
                said = f"{path} still has the server {ancestor} of an older program: take this entry out by hand"
                yield Finding("leftover", WRONG, said, f"$EDITOR {shlex.quote(path)}")
    older: dict[str, str] = {}  # in the home directory, a project's files are those of the user
    for scope in SCOPES:
        for piece in former_pieces(name, scope):
            if has_part(piece) and older.setdefault(piece.path, scope) == scope:
                yield _older(piece.path, name, scope)


def _older(path: str, name: str, scope: str) -> Finding:
    said = f"{path} holds entries of an older install, with hooks or a server that other clients read too"
    return Finding("older", WRONG, said, install_command(name, scope))


def around() -> Iterator[Finding]:
    """Yield a finding if the service of an older program is still installed for this user."""
    path = os.path.join(user_base("XDG_CONFIG_HOME", ".config"), "systemd", "user", _UNIT)
    if os.path.lexists(path):
        said = f"the service of an older program is still there: {path}"
        stop = f"systemctl --user disable --now {_UNIT}; rm {shlex.quote(path)}"
        yield Finding("leftover", WRONG, said, stop)


def _paths(client: Client) -> Iterator[str]:
    """Yield the client's files in which servers are registered, now or by older programs."""
    files = client.files
    for config in (*files.config, *(files.former.config if files.former else ())):
        for scope in SCOPES:
            yield config_path(client, config, scope)
