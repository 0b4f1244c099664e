"""The project that is worked on, if a client names its folder in the environment."""

import os

from ai_bridge import clients


def named() -> str:
    """Return the folder that a client names, '' if none does."""
    for client in clients.ALL:
        if (variable := client.project_variable) and (folder := os.environ.get(variable)):
            return folder
    return ""


def folder() -> "str | None":
    """Return the real path of the folder that a client names; None if none does, or it is no directory."""
    found = named()
    return os.path.realpath(found) if found and os.path.isdir(found) else None
