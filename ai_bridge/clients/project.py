"""The project that is worked on, if a client names its folder in the environment."""

import os

from ai_bridge import clients


def all_named() -> list[str]:
    """Return each folder that a client names, as it is written."""
    variables = [client.project_variable for client in clients.ALL if client.project_variable]
    return [folder for variable in variables if (folder := os.environ.get(variable))]


def named() -> str:
    """Return the folder that a client names, as it is written; '' if none does."""
    return next(iter(all_named()), "")


def folder() -> "str | None":
    """Return the real path of the folder that a client names; None if none does, or it is no directory."""
    return next((os.path.realpath(found) for found in all_named() if os.path.isdir(found)), None)
