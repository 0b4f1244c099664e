"""The mailboxes that this user trusts: those they made or adopted, as with `direnv allow` and git's `safe.directory`.

Mailboxes may come with a repository that somebody else wrote, and a program that obeys them moves files and shows
mail to a model. Adoption leaves a file with a random name in the tree, `.adopted/<ID>`, and a line `<ID> <real path>`
in the user's own `adopted` file. Both must be there: another tree at the same path is not adopted, nor is a copy
elsewhere. Each adoption has a file of its own, so that no sync tool ever finds two versions of one.
"""

import os

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import marker
from ai_bridge.system import config_files, durable, untrusted
from ai_bridge.system.directories import config_base
from ai_bridge.system.paths import is_within, upwards

FOLDER = ".adopted"
_ID_BYTES = 16


class NotAdopted(BridgeError):
    sentence = (
        "{path} is not adopted: mailboxes that came with a repository could move your files or bring you "
        "somebody's mail; if you trust them, run `ai-bridge init --mailboxes {path}` in a terminal of your own"
    )
    for_model = (
        "{path} is not adopted: mailboxes that came with a repository could move your files or bring you "
        "somebody's mail; if your user trusts them, tell your user to run `ai-bridge init --mailboxes {path}`"
    )


class LinkInside(BridgeError):
    sentence = "{path} is a symbolic link, which mailboxes never follow: replace it by a directory of their own"


def notes_file() -> str:
    """Return the path of the user's list of adopted mailboxes: one line `<ID> <real path>` per tree."""
    return os.path.join(config_base(), "adopted")


def is_adopted(real: str) -> bool:
    """Tell whether this user adopted the mailboxes at that real path: their list names it and an ID in the tree."""
    return any(os.path.lexists(os.path.join(real, FOLDER, id_)) for id_ in _ids(real))


def adopt(path: str) -> bool:
    """Adopt the mailboxes at `path`, durably; False if they were adopted before.

    Raises `NewerFormat`, `LinkInside` or OSError.
    """
    real = os.path.realpath(path)
    marker.check(real, untrusted.listed(real))
    if is_adopted(real):
        return False
    folder, id_ = os.path.join(real, FOLDER), os.urandom(_ID_BYTES).hex()
    if os.path.islink(folder):
        raise LinkInside(path=folder)
    config_files.add_line(notes_file(), id_.encode() + b" " + config_files.on_one_line(real))
    durable.make_directory(folder, os.stat(real).st_mode & 0o777)  # others who share the tree may adopt it, too
    durable.write_new(os.path.join(folder, id_), b"")
    durable.flush_directory(folder)
    return True


def adopted() -> list[str]:
    """Return the real paths of the adopted mailboxes that are still there, sorted; raises OSError."""
    listed = (line.partition(b" ")[2] for line in config_files.lines(notes_file()))
    return sorted(filter(is_adopted, set(map(config_files.from_line, filter(None, listed)))))


def is_in_project(path: str) -> bool:
    """Tell whether `path` is in a git repository, in the client's project folder, or below the working directory.

    A home directory, or a folder above it, is no project.
    """
    real, spelled = os.path.realpath(path), os.path.abspath(path)
    above = [folder for place in (real, spelled) for folder in upwards(place)]
    repositories = [folder for folder in above if os.path.lexists(os.path.join(folder, ".git"))]
    home = os.path.realpath(os.path.expanduser("~"))
    projects = list(map(os.path.realpath, (*repositories, *_worked_in())))
    places = (real, spelled, os.path.join(os.path.realpath(os.path.dirname(spelled)), os.path.basename(spelled)))
    return any(is_within(place, project) and not is_within(home, project) for place in places for project in projects)


def _worked_in() -> list[str]:
    """Return the folders that clients name, and the working directory unless it was deleted."""
    from ai_bridge.clients import project  # a person who sends need not know

    try:
        return [*project.all_named(), os.getcwd()]
    except FileNotFoundError:
        return project.all_named()


def _ids(real: str) -> list[str]:
    """Return the IDs that the list has for a path."""
    written = config_files.on_one_line(real)
    entries = [line.partition(b" ") for line in config_files.lines(notes_file())]
    return [id_.decode() for id_, _, path in entries if path == written and _is_id(id_)]


def _is_id(text: bytes) -> bool:
    """Tell whether this is an ID as written here: nothing else may become part of a path."""
    return len(text) == 2 * _ID_BYTES and text.isalnum()
