"""The project that a process works on: its root folder, and the folder that a client names in the environment."""

import os

from ai_bridge import clients
from ai_bridge.system import git


def all_named() -> list[str]:
    """Return each folder that a client names, as it is written in the environment."""
    variables = [client.project_variable for client in clients.ALL if client.project_variable]
    return [folder for variable in variables if (folder := os.environ.get(variable))]


def named() -> str:
    """Return the first folder that a client names, as it is written; '' if no client names one."""
    return next(iter(all_named()), "")


def folder() -> "str | None":
    """Return the real path of the first folder named that is a directory; None if there is none."""
    return next((os.path.realpath(found) for found in all_named() if os.path.isdir(found)), None)


def root() -> str:
    """Return the real path of the project's root: the main worktree of the repository, else the project's folder.

    The folder is the one that a client names, else the working directory; '' if that was deleted.
    """
    try:
        start = named() or os.getcwd()
    except FileNotFoundError:
        return ""
    return git.main_worktree(start) or os.path.realpath(start)
