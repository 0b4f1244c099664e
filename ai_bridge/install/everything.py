"""All that this program keeps for its user outside of projects, and how each part of it is taken out.

The parts are in an order in which a crash can be repeated: the list of adopted mailboxes goes after their routers
have stopped, and the state, which has the routers' locks, goes last. Mailboxes of projects always stay.
"""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from functools import partial

from ai_bridge.errors import BridgeError, Malformed
from ai_bridge.machines import presence_pages, this_machine
from ai_bridge.mailboxes import adoption, changes, find, share
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, STATES, UNREAD
from ai_bridge.mailboxes.tree import SHARES, Tree, is_mailboxes
from ai_bridge.router import control, systemd
from ai_bridge.system import durable, untrusted
from ai_bridge.system.config_files import remove_empty
from ai_bridge.system.directories import config_base, state_base
from ai_bridge.system.locks import Holder, holder
from ai_bridge.system.paths import is_within
from ai_bridge.text import counted

# What the state directory holds besides one folder per mailboxes, whose name ends in a digest of eight digits.
_STATE = ("issued", "locks", "shares", "synced", "traffic")
_HOME = "home"
# The characters of a digest, and of the random part of a machine's ID.
_DIGEST = _RANDOM = 8


class Stays(BridgeError):
    sentence = "{path} stays, because {why}"


class Part:
    """One part: `what` it is, its `path`, what a person should know before it goes (`note`), and `take_out`.

    `take_out` changes the disk or ends processes; it does nothing if the part is gone. It raises `BridgeError` or
    OSError. `verb` says in a word what it does.
    """

    __slots__ = ("note", "path", "take_out", "verb", "what")

    def __init__(
        self, what: str, path: str, take_out: Callable[[], object], note: str = "", verb: str = "remove"
    ) -> None:
        self.what = what
        self.path = path
        self.take_out = take_out
        self.note = note
        self.verb = verb


def at_work() -> list[Part]:
    """Return what must stop first: the services, and the routers of all mailboxes that are known. Raises OSError."""
    services = [Part("service", path, partial(systemd.take_out, path)) for path in systemd.written()]
    trees = [Tree(path) for path in (find.user_wide(), *of_projects()) if is_mailboxes(path)]
    routers = [Part("routers of", where.path, partial(control.stop, where), verb="stop") for where in trees]
    return [*services, *routers]


def folders() -> list[Part]:
    """Return the folders that go, in this order: the user's own mailboxes, the settings, the state."""
    own, config, state = find.user_wide(), config_base(), state_base()
    parts = [
        Part("mailboxes", own, partial(_without_mailboxes, own), _about(own)),
        Part("settings", config, partial(_without_folder, config, "XDG_CONFIG_HOME")),
        Part("state", state, partial(_without_state, state)),
    ]
    return [part for part in parts if os.path.lexists(part.path)]


def of_projects() -> list[str]:
    """Return the paths of the adopted mailboxes that are still there, without the user's own; raises OSError."""
    own = os.path.realpath(find.user_wide())
    return [path for path in adoption.adopted() if path != own and is_mailboxes(path)]


def by_hand(path: str) -> str:
    """Return the command with which a person removes a project's mailboxes."""
    return f"rm -r {shlex.quote(path)}"


def still_running() -> list[str]:
    """Return a line for each process that holds a lock in the state directory, such as the server of a session."""
    found: dict[int, tuple[Holder, list[str]]] = {}
    for folder in sorted(untrusted.listed(state_base())):
        locks = os.path.join(state_base(), folder, "locks")
        for name in sorted(untrusted.listed(locks)):
            if (held := _holder(os.path.join(locks, name))) is not None:
                agent = name.removesuffix(".lock").partition("-")[2]
                found.setdefault(held.pid, (held, []))[1].append(agent)
    return [f"{held} ({', '.join(dict.fromkeys(agents))})" for held, agents in found.values()]


def _holder(path: str) -> Holder | None:
    try:
        return holder(path)
    except OSError:
        return None


def _about(own: str) -> str:
    """Return how many messages the user's own mailboxes hold, and whether other machines use them."""
    if not is_mailboxes(own):
        return ""
    where = Tree(own)
    try:
        outboxes = where.outboxes()
    except (BridgeError, OSError):  # what keeps us from reading also keeps us from removing, and is reported then
        return "with messages that cannot be counted"
    number = sum(len(outbox.listed(state)) for outbox in outboxes for state in STATES)
    unread = sum(len(outbox.listed(state)) for outbox in outboxes for state in (DROPPED, PROCESSING, UNREAD))
    is_shared = untrusted.listed(os.path.join(own, presence_pages.FOLDER)) or changes.are_passed_on(where.real())
    others = "; other machines lose them too" if is_shared else ""
    return f"with {counted(number, 'message')}, {unread} of them not read{others}"


# --- taking out -------------------------------------------------------------------------------------------


def _without_mailboxes(path: str) -> None:
    where = Tree(path)
    where.refuse_newer()
    share.check_mounted(path, where.memory(SHARES))
    _without_folder(path, "XDG_DATA_HOME")


def _without_folder(path: str, variable: str) -> None:
    """Remove a folder of ours, and those above that are then empty, below what `variable` names or the home."""
    if not os.path.lexists(path):
        return
    if os.path.islink(path):
        raise Stays(path=path, why=f"it is a symbolic link to {os.path.realpath(path)}: remove both by hand")
    durable.remove_tree(path)
    named = os.environ.get(variable, "")
    remove_empty(os.path.dirname(path), named if os.path.isabs(named) else os.path.expanduser("~"))


def _without_state(path: str) -> None:
    """Remove the state; of a directory that a person named, only what this program makes in one."""
    if not os.environ.get("AI_BRIDGE_STATE"):
        _without_folder(path, "XDG_STATE_HOME")
        return
    if is_within(os.path.realpath(os.path.expanduser("~")), os.path.realpath(path)):
        raise Stays(path=path, why="your home is in it: AI_BRIDGE_STATE should name a directory for state alone")
    names = untrusted.listed(path)
    others = sorted(name for name in names if not _is_of_state(path, name))
    if others and not _has_machine(path):
        raise Stays(
            path=path, why="it holds other things and no state: AI_BRIDGE_STATE should name a directory of ours"
        )
    for name in sorted(set(names) - set(others), key=_is_of_machine):
        _remove(os.path.join(path, name))
    if others:
        raise Stays(
            path=path, why=f"it also holds what ai-bridge did not make ({others[0]}); the state in it is gone"
        )
    durable.remove(path, flush=True)


def _remove(path: str) -> None:
    if os.path.isdir(path) and not os.path.islink(path):
        durable.remove_tree(path)
    else:
        durable.remove(path)


def _is_of_state(base: str, name: str) -> bool:
    """Tell whether this program makes such a name in a state directory."""
    stem, _, digest = name.rpartition("-")
    is_of_tree = bool(stem) and len(digest) == _DIGEST and set(digest) <= set("0123456789abcdef")
    is_folder = os.path.isdir(os.path.join(base, name)) and not os.path.islink(os.path.join(base, name))
    return (is_folder and (is_of_tree or name in _STATE)) or (not is_folder and _is_of_machine(name))


def _is_of_machine(name: str) -> bool:
    """Tell whether the file has this machine's ID, which shows whose directory it is, and so goes last."""
    return name == _HOME or name.startswith((f"{_HOME}-", f"{_HOME}."))


def _has_machine(base: str) -> bool:
    try:
        words = untrusted.read_file(os.path.join(base, _HOME), 1024).decode("utf-8", "replace").split()
    except (Malformed, OSError):
        return False
    return 0 < len(words) <= 2 and this_machine.is_home(words[0]) and len(words[0].rpartition("-")[2]) == _RANDOM
