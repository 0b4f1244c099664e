"""The processes around this one: the program it is, and the client that started it, which may be all of a session."""

import os
import sys

# What makes an interpreter this program.
MODULE = ["-P", "-m", "ai_bridge"]


def program() -> list[str]:
    """Return the words that start this program wherever it is called from, whatever `PATH` is there."""
    script = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "ai-bridge")
    return [script] if os.access(script, os.X_OK) else [os.path.abspath(sys.executable), *MODULE]


def parent_key() -> str:
    """Return what stands for the process that started this one."""
    return _key(os.getppid(), _status(os.getppid()))


def own_key() -> str:
    """Return what stands for this process."""
    return _key(os.getpid(), _status(os.getpid()))


def ancestor_keys(most: int) -> list[str]:
    """Return what stands for each of so many processes this one descends from, the nearest first."""
    keys: list[str] = []
    pid = os.getppid()
    while pid > 1 and len(keys) < most:
        status = _status(pid)
        keys.append(_key(pid, status))
        pid = int(status[1]) if status else 0
    return keys


def is_gone(key: str) -> bool:
    """Tell whether a key stands for a process that has ended; of any other key nothing is known."""
    words = key.split()
    if words[:1] != ["process"] or len(words) < 2:
        return False
    return key != _key(int(words[1]), _status(int(words[1])))


def _key(pid: int, status: list[str]) -> str:
    """Return a key that no later process of the same number has, where the system tells when one began."""
    return f"process {pid} {status[19]}" if status else f"process {pid}"


def _status(pid: int) -> list[str]:
    """Return a process's fields from its state on: the 2nd is its parent, the 20th its start (proc_pid_stat(5))."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().decode("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return []
