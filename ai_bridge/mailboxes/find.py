"""Finds the mailboxes that a process uses: those that are named, else the nearest upward, else the user's own."""

import os

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import adoption
from ai_bridge.mailboxes.outbox import only_show
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree, is_mailboxes
from ai_bridge.system.directories import user_base
from ai_bridge.system.paths import upwards

# The second is where the older system kept its outboxes.
_FOLDERS = ("mailboxes", ".server")


class NoMailboxes(BridgeError):
    sentence = (
        "no mailboxes found from {start} upwards nor in {user}: "
        "run `ai-bridge init` here, or name them with --mailboxes DIR"
    )
    for_model = "no mailboxes found from {start} upwards nor in {user}: tell your user to run `ai-bridge init` there"


def user_wide() -> str:
    """Return the path of the user's own mailboxes, used if no project has any."""
    return os.path.join(user_base("XDG_DATA_HOME", ".local", "share"), "ai-bridge", "mailboxes")


def find_mailboxes(chosen: str | None = None, only_to_look: bool = False, by_client: bool | None = False) -> Snapshot:
    """Return the mailboxes: those `chosen`, else of `AI_BRIDGE_MAILBOXES`, the nearest upward, or the user's own.

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
    return given is not None or _is_users_own(where)


def _is_users_own(where: Tree) -> bool:
    return where.real() == os.path.realpath(user_wide())


def named(chosen: str | None) -> str | None:
    """Return the path that an option or `AI_BRIDGE_MAILBOXES` names; None if the mailboxes are to be found."""
    return chosen or os.environ.get("AI_BRIDGE_MAILBOXES") or None


def _found() -> str:
    start = _working_directory()
    found = nearest(start) or user_wide()
    if not is_mailboxes(found):
        raise NoMailboxes(start=start, user=found)
    return found


def is_adopted(where: Tree) -> bool:
    """Tell whether the user trusts the mailboxes for good: their own ones, and those they adopted."""
    return adoption.is_adopted(where.real()) or _is_users_own(where)


def _working_directory() -> str:
    try:
        return os.getcwd()
    except FileNotFoundError:
        raise BridgeError(
            what="the working directory was deleted: change to another, or give --mailboxes DIR"
        ) from None


def nearest(start: str) -> str | None:
    """Return the path of the nearest mailboxes from a directory upwards; None if there are none."""
    candidates = (os.path.join(directory, name) for directory in upwards(start) for name in _FOLDERS)
    return next(filter(is_mailboxes, candidates), None)
