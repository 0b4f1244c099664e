"""Which machine this is: a random ID of its own, with a label for people, kept in the state directory.

A state directory that several machines see (a home directory on a share), or that was copied to another, holds an ID
for each: which is whose tells the system's own machine ID, where there is one.
"""

import os

from ai_bridge.message import address
from ai_bridge.system import durable, state_files
from ai_bridge.system.directories import state_base

_FILE = "home"
_MACHINE_ID = "/etc/machine-id"
_LABEL = 20
_RANDOM = 8
_ALPHABET = "abcdefghijklmnopqrstuvwxyz0123456789"

Mark = state_files.Mark | None

# By its file: what tells when that changes, and the ID. A process keeps its ID where the file is removed under it.
_known: dict[str, tuple[Mark, str]] = {}


def here() -> str:
    """Return this machine's ID, `<label>-<8 random letters and digits>`, made at its first use.

    The label is the host's name at that time; the random part makes the ID one of a kind, so that machines
    of the same name stay apart and a machine that is renamed stays itself. Raises OSError.
    """
    path = os.path.join(state_base(), _FILE)
    before = _known.get(path)
    if before is None or before[0] is None or before[0] != _mark(path):
        found = _read_or_make(path, before[1] if before else "")
        before = _known[path] = (_mark(path), found)
    return before[1]


def _mark(path: str) -> Mark:
    try:
        return state_files.mark(path)
    except FileNotFoundError:
        return None


def _read_or_make(path: str, before: str) -> str:
    try:
        found, machine = _read(path)
        return found if machine in ("", _machine()) else _read_or_make(f"{path}-{_machine()}", before)
    except FileNotFoundError:
        return _make(path, before)


def _machine() -> str:
    """Return what tells this machine from others, as a digest; '' where nothing does. Source: machine-id(5)."""
    import hashlib

    try:
        with open(_MACHINE_ID, "rb") as file:
            raw = file.read(256).strip()
    except OSError:
        return ""
    return hashlib.sha256(raw).hexdigest()[:16] if raw else ""


def label() -> str:
    """Return what people call this machine: its ID without the random part."""
    return here().rpartition("-")[0]


def is_home(text: str) -> bool:
    """Tell whether `text` can be such an ID, and so the name of a file."""
    return 0 < len(text) <= 64 and text[0].isalnum() and set(text) <= {*_ALPHABET, "-", "_"}


def _read(path: str) -> tuple[str, str]:
    """Return the ID in the file, and the machine it was made for."""
    with open(path, encoding="ascii", errors="replace") as file:
        found, _, machine = file.read(256).strip().partition(" ")
    return (found, machine) if is_home(found) else (_make(path, "", damaged=True), "")


def _make(path: str, before: str, damaged: bool = False) -> str:
    """Write the ID there was `before`, or a new one; where another process was faster, its ID is this machine's."""
    made = before or f"{_label()}-{_random()}"
    line = f"{made} {_machine()}".strip() + "\n"
    durable.make_directory(os.path.dirname(path))
    if damaged:
        durable.replace_own(path, line.encode())
        return made
    temporary = f"{path}.{os.getpid()}.{_random()}.new"
    durable.write_new(temporary, line.encode())
    try:
        durable.publish(temporary, path)
    except FileExistsError:
        durable.remove(temporary)
        return _read(path)[0]
    durable.flush_directory(os.path.dirname(path))
    return made


def _label() -> str:
    import socket

    return address.name_from(socket.gethostname().partition(".")[0])[:_LABEL].rstrip("-_") or "host"


def _random() -> str:
    return "".join(_ALPHABET[byte % len(_ALPHABET)] for byte in os.urandom(_RANDOM))
