"""Where this machine keeps what must not leave it: locks, logs, the index, what it has heard of."""

import os

_NAME_LENGTH = 40
# A prime below 2**61: what remains of a path's bytes, divided by it, tells paths apart at no cost.
_PRIME = 2**61 - 1


def state_base() -> str:
    """Return the directory of all state: `AI_BRIDGE_STATE`, or where the system keeps the state of programs."""
    base = os.environ.get("XDG_STATE_HOME") or os.path.join(os.path.expanduser("~"), ".local", "state")
    return os.path.abspath(os.environ.get("AI_BRIDGE_STATE") or os.path.join(base, "ai-bridge"))


def memory_of(what: str, mailboxes: str) -> str:
    """Return the file in which this machine remembers something of the mailboxes at that path, however it is spelled.

    Its name ends as the path does, for people; the number before that needs no module, which would cost `send` time.
    """
    real = os.path.realpath(mailboxes)
    number = int.from_bytes(os.fsencode(real), "big") % _PRIME
    return os.path.join(state_base(), what, f"{number:016x}{real.replace(os.sep, '%')[-_NAME_LENGTH:]}")
