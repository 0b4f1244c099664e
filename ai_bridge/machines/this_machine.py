"""This machine's ID: random, with a label for people, kept in the state directory.

Several machines may see one state directory (a home directory on a share), or it may be a copy from another machine.
Then it holds an ID for each of them, and the system's own machine ID, if there is one, says which ID is this
machine's.
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

# By file: a mark that changes with it, and the ID. A process keeps its ID even if the file is removed.
_known: dict[str, tuple[Mark, str]] = {}


def here() -> str:
    """Return this machine's ID, `<label>-<8 random letters and digits>`, made at its first use.

    The label is the host's name at that time. The random part makes the ID unique: machines of the same name stay
    apart, and a machine that is renamed keeps its ID. Raises OSError.
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
    """Return a digest that tells this machine from others; '' if the system has no ID. Source: machine-id(5)."""
    try:
        with open(_MACHINE_ID, "rb") as file:
            raw = file.read(256).strip()
    except OSError:
        return ""
    return state_files.digest(raw)[:16] if raw else ""


def label() -> str:
    """Return what people call this machine: its ID without the random part."""
    return here().rpartition("-")[0]


def is_home(text: str) -> bool:
    """Tell whether `text` has the form of a machine's ID, and so can be the name of a file."""
    return 0 < len(text) <= 64 and text[0].isalnum() and set(text) <= {*_ALPHABET, "-", "_"}


def _read(path: str) -> tuple[str, str]:
    """Return the ID in the file, and the digest of the machine for which it was made ('' if none)."""
    with open(path, encoding="ascii", errors="replace") as file:
        found, _, machine = file.read(256).strip().partition(" ")
    return (found, machine) if is_home(found) else (_make(path, "", damaged=True), "")


def _make(path: str, before: str, damaged: bool = False) -> str:
    """Write the ID of `before`, or a new one; if another process was faster, its ID is this machine's."""
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
