"""What a session is known by, and the memory of which agent it is."""

import os

from ai_bridge import clients
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message import address
from ai_bridge.system import processes, state_files

# Between a session that is a process and a command of its model are a shell, and perhaps a script; further up may be
# another session.
_STEPS = 3


def session_key(client: str) -> str:
    """Return what a client calls the session this process belongs to, '' where it says nothing."""
    record = clients.by_own_name(client)
    return processes.parent_key() if record.session_is_process else first_set(record.session_variables)


def shell_keys() -> list[str]:
    """Return what each client that says so calls the session this shell is in: several where one runs in another."""
    return [key for client in clients.ALL if (key := first_set(client.session_variables))]


def _process_key(mailboxes: Mailboxes, steps: int = _STEPS) -> str:
    """Return the key of the session that is a process this one descends from, so near; '' where none is."""
    return next((key for key in processes.ancestor_keys(steps) if remembered(mailboxes, key)), "")


def shell_key(mailboxes: Mailboxes, steps: int = _STEPS) -> str:
    """Return the key of the session that started this shell, or hook; '' where it is none, or that is not certain.

    `steps`: how many processes up a session that is one may be.
    """
    keys = shell_keys()
    return keys[0] if len(keys) == 1 else "" if keys else _process_key(mailboxes, steps)


def remembered(mailboxes: Mailboxes, key: str) -> str | None:
    """Return the name the session with that key had last, if it had one."""
    if not key:
        return None
    name = state_files.recall(_memory(mailboxes, key), 256).decode("ascii", "replace").strip()
    return name if address.is_address(name) else None


def remember(mailboxes: Mailboxes, key: str, name: str) -> None:
    """Note the name of the session with that key; where the disk refuses, it is not remembered."""
    if not key:
        return
    path = _memory(mailboxes, key)
    try:
        state_files.remember(path, name.encode(), flush=False)
    except OSError:
        return


def digest(key: str) -> str:
    """Return what stands for a session's key where it is written down, '' for none; the key itself never is."""
    if not key:
        return ""
    import hashlib

    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _memory(mailboxes: Mailboxes, key: str) -> str:
    return mailboxes.state_file("sessions", digest(key))


def first_set(variables: tuple[str, ...]) -> str:
    """Return the value of the first of a client's variables that is set, '' if none is."""
    return next((value for variable in variables if (value := os.environ.get(variable))), "")
