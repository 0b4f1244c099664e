"""Where each client keeps what it reads: the person's own folder of it, and a project's."""

from __future__ import annotations

import os
import shutil
from typing import NamedTuple

from ai_bridge.install.plan import CannotChange

SCOPES = ("user", "project")
# A directory that holds one of these is a project; only the home is none, whatever it holds.
_MARKS = (".git", ".claude", ".gemini", ".codex")


class _Client(NamedTuple):
    folder: str  # in the home, and in a project
    variable: str  # what moves it out of the home
    moved: str  # where the folder then is, below what the variable names


# Source: each of the three, run with a skill in every place it might read. Gemini and Codex read `.agents` too,
# but then both would find each other's skill there, and Gemini warns of one it finds twice.
_CLIENTS = {
    "claude": _Client(".claude", "CLAUDE_CONFIG_DIR", ""),
    "gemini": _Client(".gemini", "GEMINI_CLI_HOME", ".gemini"),
    "codex": _Client(".codex", "CODEX_HOME", ""),
}
CLIENTS = tuple(_CLIENTS)


def folder(client: str, scope: str) -> tuple[str, str]:
    """Return the directory never to be removed, and the client's folder in it; raises `CannotChange`."""
    where = _CLIENTS[client]
    if scope == "project":
        base = _project()
    elif named := os.environ.get(where.variable):
        base = os.path.abspath(named)
        return base, os.path.normpath(os.path.join(base, where.moved))
    else:
        base = os.path.abspath(os.path.expanduser("~"))
    return base, os.path.join(base, where.folder)


def is_there(client: str, scope: str) -> bool:
    """Tell whether the client is on this machine, or in this project: its command, or its folder."""
    folders = {folder(client, "user")[1], folder(client, scope)[1]}
    return shutil.which(client) is not None or any(map(os.path.isdir, folders))


def _project() -> str:
    """Return the nearest project from the working directory upwards, short of the home; else that directory."""
    try:
        directory = start = os.getcwd()
    except FileNotFoundError:
        raise CannotChange(path="this project", why="the working directory was deleted") from None
    home = os.path.realpath(os.path.expanduser("~"))
    while directory not in (home, os.path.dirname(directory)):
        if any(os.path.lexists(os.path.join(directory, mark)) for mark in _MARKS):
            return directory
        directory = os.path.dirname(directory)
    return start
