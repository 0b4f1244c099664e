"""Finds the mailboxes that a process uses: those that are named, else the project's, else the user's own.

A project's are the nearest from the working directory upwards, else those of the main worktree.
"""

import os

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import adoption
from ai_bridge.mailboxes.outbox import only_show
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree, is_mailboxes
from ai_bridge.system.directories import user_base
from ai_bridge.system.paths import upwards

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# The second is where the older system kept its outboxes.
_FOLDERS = ("mailboxes", ".server")


class NoMailboxes(BridgeError):
    sentence = (
        "no mailboxes found from {start} upwards nor in {user}: "
        "run `ai-bridge init` here, or name them with --mailboxes DIR"
    )
    for_model = "no mailboxes found from {start} upwards nor in {user}: tell your user to run `ai-bridge init` there"


def user_wide(environment: "Mapping[str, str] | None" = None) -> str:
    """Return the path of the user's own mailboxes, used if no project has any.

    `environment`: the variables of another process; None for this one's.
    """
    base = user_base("XDG_DATA_HOME", ".local", "share", environment=environment)
    return os.path.join(base, "ai-bridge", "mailboxes")


def find_mailboxes(chosen: str | None = None, only_to_look: bool = False, by_client: bool | None = False) -> Snapshot:
    """Return the mailboxes: those `chosen`, else of `AI_BRIDGE_MAILBOXES`, the nearest upward, the main
    worktree's, or the user's own.

    This process trusts mailboxes that are named. Those that are found must be adopted, unless the caller wants
    `only_to_look`. If a client started the process (`by_client`; None: the environment tells), the name may come from
    the project itself: then mailboxes in the project must be adopted, too. Raises `NotMailboxes`, `NoMailboxes`,
    `NotAdopted` or `NewerFormat`.
    """
    if chosen == "":
        raise BridgeError(what="--mailboxes names nothing: give the directory's path")
    given = named(chosen)
    path = given or _found()
    where = Snapshot(path).check_and_remember()
    if not (adoption.is_adopted(where.real()) or _is_trusted(where, given, by_client)):
        if not only_to_look:
            raise adoption.NotAdopted(path=where.path)
        only_show(where.path)
    return where


def _is_trusted(where: Tree, given: str | None, by_client: bool | None) -> bool:
    """Tell whether mailboxes that are not adopted are trusted: those that are named, and the user's own."""
    if by_client is None:
        from ai_bridge import clients  # the environment matters only for mailboxes that are not adopted

        by_client = bool(clients.variable_set())
    if by_client and (not os.path.isabs(given or where.path) or adoption.is_in_project(where.path)):
        return False
    return given is not None or is_users_own(where)


def named(chosen: str | None) -> str | None:
    """Return the path that an option or `AI_BRIDGE_MAILBOXES` names; None if the mailboxes are to be found."""
    return chosen or os.environ.get("AI_BRIDGE_MAILBOXES") or None


def why(where: Tree) -> str:
    """Return in words why this process uses these mailboxes; looks for the project's, as `find_mailboxes` does."""
    if os.path.abspath(os.environ.get("AI_BRIDGE_MAILBOXES") or os.sep) == where.path:
        return "named by AI_BRIDGE_MAILBOXES"
    ours = of_project()
    if ours is not None and os.path.abspath(ours) == where.path:
        return "this project's"
    if is_users_own(where):
        return "your own" if ours else "your own; this project has none"
    return "named by --mailboxes"


def of_project() -> str | None:
    """Return the path of the project's mailboxes; None if none are in reach. Raises `BridgeError`."""
    start = _working_directory()
    return nearest(start) or of_main_worktree(start)


def _found() -> str:
    start = _working_directory()
    found = of_project() or user_wide()
    if not is_mailboxes(found):
        raise NoMailboxes(start=start, user=found)
    return found


def of_main_worktree(start: str) -> str | None:
    """Return the path of the mailboxes in the main worktree of the repository of `start`; None if there are none."""
    from ai_bridge.system import git  # most processes find mailboxes without it

    root = git.main_worktree(start)
    return None if root is None else within(root)


def within(directory: str) -> str | None:
    """Return the path of the mailboxes in just this directory; None if there are none."""
    return next(filter(is_mailboxes, (os.path.join(directory, name) for name in _FOLDERS)), None)


def is_users_own(where: Tree) -> bool:
    """Tell whether these are the user's own mailboxes, in which all projects without mailboxes meet."""
    return where.real() == os.path.realpath(user_wide())


def is_adopted(where: Tree) -> bool:
    """Tell whether the user trusts the mailboxes for good: their own ones, and those they adopted."""
    return adoption.is_adopted(where.real()) or is_users_own(where)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise BridgeError(
            what="the working directory was deleted: change to another, or give --mailboxes DIR"
        ) from None


def nearest(start: str) -> str | None:
    """Return the path of the nearest mailboxes from a directory upwards; None if there are none."""
    return next(filter(None, map(within, upwards(start))), None)
