"""This process and its ancestors: how to start and complete this program, and keys that tell processes apart."""

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

# The words that make an interpreter run this program.
MODULE = ["-P", "-m", "ai_bridge"]
# How long a trial may take.
_TRIAL_S = 10.0
# Programs that only run the line of another program.
_SHELLS = frozenset(("sh", "bash", "dash", "ash", "zsh", "ksh", "mksh", "fish", "busybox"))


def program() -> list[str]:
    """Return the command that starts this program from any directory, whatever `PATH` is there."""
    script = os.path.join(os.path.dirname(os.path.abspath(sys.executable)), "ai-bridge")
    return [script] if os.access(script, os.X_OK) else [os.path.abspath(sys.executable), *MODULE]


def called_as() -> str:
    """Return the name under which a person started this program: `ai-collab`, else `ai-bridge`."""
    name = os.path.basename(sys.argv[0]).partition(".")[0] if sys.argv else ""
    return name if name == "ai-collab" else "ai-bridge"


def pip_command(distribution: str) -> str:
    """Return the command that installs a distribution, in a version that ai-bridge asks for, beside this program.

    pipx must do this itself if it installed this program. Reads the metadata of ai-bridge from the disk.
    """
    import shlex

    wanted = shlex.quote(_requirement(distribution))
    if os.path.exists(os.path.join(sys.prefix, "pipx_metadata.json")):
        # Without --force, pipx leaves a distribution as it is if any version of it is there.
        return f"pipx inject --force {shlex.quote(os.path.basename(sys.prefix))} {wanted}"
    return f"{shlex.quote(sys.executable)} -m pip install {wanted}"


def _requirement(distribution: str) -> str:
    """Return the extras and versions of a distribution that ai-bridge asks for; its bare name if that is unknown."""
    import re
    from importlib import metadata

    try:
        declared = metadata.requires("ai-bridge") or []
    except metadata.PackageNotFoundError:  # not installed, but started from its folder
        declared = []
    wanted = (line.partition(";")[0].strip() for line in declared)
    return next((one for one in wanted if re.split(r"[^\w.-]", one)[0] == distribution), distribution)


def trial(*words: str) -> str:
    """Run the program that is installed now, in the way this process was started, with other words.

    Returns its last words if it fails, '' if all is well.
    """
    import subprocess

    own = sys.orig_argv[1 : len(sys.orig_argv) - len(sys.argv) + 1]
    try:
        done = subprocess.run([sys.executable, *own, *words], capture_output=True, timeout=_TRIAL_S, check=False)
    except (OSError, subprocess.TimeoutExpired) as trouble:
        return str(trouble)
    said = done.stderr.decode("utf-8", "replace").strip().splitlines()
    return "" if done.returncode == 0 else said[-1] if said else f"exit code {done.returncode}"


def start_again(is_wanted: "Callable[[], bool]") -> None:
    """Put the program that is installed now in the place of this process, with the same words and files.

    Signals to end wait until the new program takes them (`signals.unblock`), so none is lost. Returns if this is not
    wanted any more, and on Windows, where no process can do it. Raises OSError.
    """
    from ai_bridge.system.signals import signals_blocked

    if os.name != "posix":
        return
    with signals_blocked():
        if is_wanted():
            os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])


def parent_key() -> str:
    """Return a key for the process that started this one (often a client: its key may stand for a session)."""
    return _key(os.getppid(), _status(os.getppid()))


def own_key() -> str:
    """Return a key for this process."""
    return _key(os.getpid(), _status(os.getpid()))


def ancestor_keys(most: int) -> list[str]:
    """Return keys for the processes from which this one descends, at most `most`, the nearest first."""
    keys: list[str] = []
    pid = os.getppid()
    while pid > 1 and len(keys) < most:
        status = _status(pid)
        keys.append(_key(pid, status))
        pid = int(status[1]) if status else 0
    return keys


def starter_key(most: int) -> str:
    """Return a key for the program that started this one, be it through a shell: the nearest ancestor that is none.

    At most `most` ancestors are looked at; the last of them counts in any case.
    """
    pid = os.getppid()
    for _ in range(most - 1):
        status = _status(pid)
        if _command(pid) not in _SHELLS or not status or int(status[1]) <= 1:
            break
        pid = int(status[1])
    return _key(pid, _status(pid))


def is_gone(key: str) -> bool:
    """Tell whether the key's process has ended; False for a key of any other kind."""
    words = key.split()
    if words[:1] != ["process"] or not words[1:] or not words[1].isdecimal():
        return False
    status = _status(int(words[1]))
    return key != _key(int(words[1]), status) or status[:1] == ["Z"]  # one whose parent has not asked for its end


def _key(pid: int, status: list[str]) -> str:
    """Return a key; no later process with this number has it, if the system reports when a process began."""
    return f"process {pid} {status[19]}" if status else f"process {pid}"


def _status(pid: int) -> list[str]:
    """Return a process's fields from its state on: the 2nd is its parent, the 20th its start (proc_pid_stat(5))."""
    return _stat(pid).rpartition(")")[2].split()


def _command(pid: int) -> str:
    """Return the name of the program that a process runs, cut to 15 characters; '' if it is not known."""
    return _stat(pid).partition("(")[2].rpartition(")")[0]


def _stat(pid: int) -> str:
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            return file.read().decode("ascii", "replace")
    except OSError:
        return ""
