"""The folders outside the mailboxes: this machine's state (locks, logs, the index), and the user's own settings."""

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# The bytes of a path's end that a file's name keeps, for people. The hash before them makes the name unique.
_NAME_BYTES = 60


def state_base(environment: "Mapping[str, str] | None" = None) -> str:
    """Return the directory of all state: `AI_BRIDGE_STATE`, or where the system keeps the state of programs.

    `environment`: the variables of another process; None for this one's.
    """
    given = os.environ if environment is None else environment
    base = given.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.abspath(given.get("AI_BRIDGE_STATE") or os.path.join(base, "ai-bridge"))


def config_base() -> str:
    """Return the directory of the user's own settings; it need not exist."""
    return os.path.join(user_base("XDG_CONFIG_HOME", ".config"), "ai-bridge")


def user_base(variable: str, *default: str, environment: "Mapping[str, str] | None" = None) -> str:
    """Return the folder that the environment variable names, else the `default` folder below the user's home.

    A relative path in the variable is ignored: it would mean another folder in each project. Source: XDG Base
    Directory. `environment`: the variables of another process; None for this one's.
    """
    named = (os.environ if environment is None else environment).get(variable, "")
    return named if os.path.isabs(named) else os.path.join(os.path.expanduser("~"), *default)


def memory_of(what: str, real: str) -> str:
    """Return the path of the file in which this machine remembers `what` about the mailboxes at that real path.

    The name is hashed without `hashlib`, because importing that would slow down `send`.
    """
    raw = os.fsencode(real)
    ending = os.fsdecode(raw.replace(os.sep.encode(), b"%")[-_NAME_BYTES:])
    return os.path.join(state_base(), what, f"{_sum(raw):016x}{ending}")


def _sum(raw: bytes) -> int:
    """Return a number that two paths do not share by chance. Source: FNV-1a, 64 bits."""
    found = 0xCBF29CE484222325
    for byte in raw:
        found = (found ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return found
