"""Where this machine keeps what must not leave it: locks, logs, the index, what it has heard of."""

import os

_NAME_BYTES = 60


def state_base() -> str:
    """Return the directory of all state: `AI_BRIDGE_STATE`, or where the system keeps the state of programs."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.abspath(os.environ.get("AI_BRIDGE_STATE") or os.path.join(base, "ai-bridge"))


def memory_of(what: str, mailboxes: str) -> str:
    """Return the file in which this machine remembers something of the mailboxes at that path.

    Its name needs no digest, which would cost `send` time.
    """
    return os.path.join(state_base(), what, mailboxes.replace(os.sep, "%")[-_NAME_BYTES:])
