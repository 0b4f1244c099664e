"""The project that a session works on, if its client names the project's folder in the environment."""

import os

from ai_bridge import clients


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
