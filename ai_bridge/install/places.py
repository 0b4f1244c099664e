"""The folders that each client reads: the user's own one, and that of a project.

Source: each client, run with a skill in every place it might read. Gemini and Codex read `.agents` too. But there
each would find the other's skill, and Gemini warns of a skill that it finds twice.
"""

from __future__ import annotations

import os
import shutil

from ai_bridge import clients
from ai_bridge.clients.files import PROJECT, USER
from ai_bridge.clients.record import Client
from ai_bridge.install.plan import CannotChange

SCOPES = (USER, PROJECT)


def folder(client: str, scope: str) -> tuple[str, str]:
    """Return the base directory, which is never removed, and the client's folder in it; raises `CannotChange`."""
    where = clients.by_name(client).files.folder
    if scope == PROJECT:
        base = _project()
    elif named := os.environ.get(where.variable):
        base = os.path.abspath(named)
        return base, os.path.normpath(os.path.join(base, where.moved))
    else:
        base = os.path.abspath(os.path.expanduser("~"))
    return base, os.path.join(base, where.name)


def is_there(client: str, scope: str) -> bool:
    """Tell whether the client's command is on the PATH, or its folder is there for the user or in the scope."""
    folders = {folder(client, USER)[1], folder(client, scope)[1]}
    return shutil.which(clients.by_name(client).program) is not None or any(map(os.path.isdir, folders))


def present(scope: str) -> list[Client]:
    """Return the clients that are on this machine, as `is_there` tells it for the scope."""
    return [client for client in clients.registrable() if is_there(client.name, scope)]


def _project() -> str:
    """Return the nearest project from the working directory upwards, below the home; else the working directory.

    A directory that holds a repository or a client's folder is a project. The home directory never is.
    """
    try:
        directory = start = os.getcwd()
    except FileNotFoundError:
        raise CannotChange(path="this project", why="the working directory was deleted") from None
    home = os.path.realpath(os.path.expanduser("~"))
    marks = (".git", *(client.files.folder.name for client in clients.registrable()))
    while directory not in (home, os.path.dirname(directory)):
        if any(os.path.lexists(os.path.join(directory, mark)) for mark in marks):
            return directory
        directory = os.path.dirname(directory)
    return start
