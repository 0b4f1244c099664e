"""The key that identifies a session, and the memory of which agent each session is."""

import os
from contextlib import suppress

from ai_bridge import clients
from ai_bridge.clients.record import Client
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.system import processes, state_files

# Between a session that is a process and a command of its model there is a shell, and perhaps a script. A process
# further up may be another session.
_STEPS = 3
_BYTES = 256
# Before the digest of a key that is not known itself.
_DIGESTED = "digest "


def session_key(client: str) -> str:
    """Return the client's key for the session that this process belongs to; '' if the client gives none."""
    record = clients.by_own_name(client)
    return processes.parent_key() if record.session_is_process else _value_of(record)


def shell_keys() -> list[str]:
    """Return the session key that each client gave this shell: several if one client runs in another."""
    return [key for client in clients.ALL if (key := _value_of(client))]


def _value_of(client: Client) -> str:
    """Return the session's name that a client has put into the environment, '' if it has put none there."""
    return os.environ.get(clients.first_set(client.session_variables), "")


def _process_key(mailboxes: Tree, steps: int = _STEPS) -> str:
    """Return the key of a session among the nearest `steps` ancestors of this process; '' if none is one."""
    return next((key for key in processes.ancestor_keys(steps) if remembered(mailboxes, key)), "")


def shell_key(mailboxes: Tree, steps: int = _STEPS) -> str:
    """Return the key of the session that started this shell or hook; '' if there is none or it is not certain.

    `steps`: how many processes up to look for a session that is a process.
    """
    keys = shell_keys()
    return keys[0] if len(keys) == 1 else "" if keys else _process_key(mailboxes, steps)


def hook_key(mailboxes: Tree, client: Client, steps: int) -> str:
    """Return the key of the session whose hook this process is, as its server knows it.

    A session that is a process has its key from the start: not only once its server has taken a name. Any other may
    have got another name from its client since its server began.
    """
    if client.session_is_process:
        return shell_key(mailboxes, steps) or processes.starter_key(steps)
    served = (_recalled(mailboxes, "clients", one) for one in processes.ancestor_keys(steps))
    of_server = next((found for found in served if found), "")
    return f"{_DIGESTED}{of_server}" if of_server else shell_key(mailboxes, steps)


def note_client(mailboxes: Tree, client: str) -> None:
    """Write down for the hooks of this server's session which key it has, if its client names its sessions."""
    record = clients.by_own_name(client)
    if not record.session_is_process and (key := _value_of(record)):
        _remember(mailboxes, "clients", processes.parent_key(), digest(key))


def remembered(mailboxes: Tree, key: str) -> str | None:
    """Return the last address of the session with that key; None if there is none. Reads the state directory."""
    if not key:
        return None
    name = _recalled(mailboxes, "sessions", key)
    return name if address.is_address(name) else None


def remember(mailboxes: Tree, key: str, name: str) -> None:
    """Write down the address of the session with that key; if the disk refuses, it is not remembered."""
    if key:
        _remember(mailboxes, "sessions", key, name)


def digest(key: str) -> str:
    """Return the digest of a session's key, which is written down in its place; '' for the key ''."""
    if not key or key.startswith(_DIGESTED):
        return key.removeprefix(_DIGESTED)
    import hashlib

    return hashlib.sha256(key.encode("utf-8", "surrogatepass")).hexdigest()[:32]


def _remember(mailboxes: Tree, kind: str, key: str, value: str) -> None:
    with suppress(OSError):
        state_files.remember(mailboxes.state_file(kind, digest(key)), value.encode(), flush=False)


def _recalled(mailboxes: Tree, kind: str, key: str) -> str:
    raw = state_files.recall(mailboxes.state_file(kind, digest(key)), _BYTES)
    return raw.decode("ascii", "replace").strip()
