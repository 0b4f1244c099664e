"""The names of projects: each root folder has one of its own, which is part of its agents' addresses.

Two folders may be called `api`, and their mail must not meet. So the first one gets the name `api`, the second one
`api-2`. The user's file `projects` keeps the names, one line `<name> <path>` per project.
"""

import os

from ai_bridge.clients import project
from ai_bridge.message import address
from ai_bridge.system import config_files
from ai_bridge.system.directories import config_base, state_base
from ai_bridge.system.locks import Lock

# The name of a project whose folder's name holds no letter.
_NAMELESS = "project"
_PATIENCE_S = 2.0


def names_file() -> str:
    """Return the path of the user's file of project names."""
    return os.path.join(config_base(), "projects")


def here() -> str:
    """Return the name of the project that this process works in; '' if its working directory was deleted.

    A project without a name yet has the one that `register` would give it now. Changes nothing.
    """
    root = project.root()
    return _name(root, _known()) if root else ""


def register() -> str:
    """Return what `here` does, and keep the name for this project from now on, durably.

    Takes a lock. If the disk refuses, the name is not kept.
    """
    root = project.root()
    if not root:
        return ""
    known = _known()
    try:
        return _name(root, known) if root in known.values() else _register(root)
    except OSError:
        return _name(root, known)


def folder_name() -> str:
    """Return the name of the project's folder as it is on the disk; '' if the working directory was deleted."""
    return os.path.basename(project.root())


def root_of(name: str) -> str:
    """Return the root folder of the project of that name, '' if no project has the name."""
    return _known().get(name, "")


def _register(root: str) -> str:
    lock = Lock(os.path.join(state_base(), "locks", "projects.lock"))
    lock.acquire("projects", patience_s=_PATIENCE_S)
    try:
        known = _known()
        name = _name(root, known)
        if name not in known:
            config_files.add_line(names_file(), name.encode() + b" " + config_files.on_one_line(root))
        return name
    finally:
        lock.release()


def _name(root: str, known: dict[str, str]) -> str:
    """Return the name that the root has among those `known`, else the first free one that suits it."""
    for name, path in known.items():
        if path == root:
            return name
    wanted = address.name_from(os.path.basename(root).removesuffix(".git")) or _NAMELESS
    numbers = (wanted, *(address.numbered(wanted, number) for number in range(2, len(known) + 2)))
    return next(name for name in numbers if name not in known)


def _known() -> dict[str, str]:
    """Return the root of each project by its name; the first line of a name counts. Raises OSError."""
    found: dict[str, str] = {}
    for line in config_files.lines(names_file()):
        name, _, path = line.partition(b" ")
        if path and address.is_address(text := name.decode("ascii", "replace")) and "@" not in text:
            found.setdefault(text, config_files.from_line(path))
    return found
