"""Asks git about a file, and runs no program that a repository names: the repository may be anybody's."""

import os

from ai_bridge.errors import Malformed
from ai_bridge.system import untrusted
from ai_bridge.system.paths import upwards

# Seconds that one question may take.
_PATIENCE_S = 2.0
_COMMIT_DIGITS = 12
# Bytes of a file that holds one path.
_PATH_BYTES = 8192
# With these a bare repository inside another one is ignored, and no setting of a repository runs a program.
_HARMLESS = ("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
# They point git to another repository than the file's own; a hook of git has them in its environment.
_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
)


def working_tree(directory: str) -> str | None:
    """Return the top of the working tree that holds the directory; None if there is none, or git fails."""
    top = _git(directory, "rev-parse", "--show-toplevel")
    return os.fsdecode(top.removesuffix(b"\n")) if top else None


def main_worktree(directory: str) -> str | None:
    """Return the root of the main worktree of the repository that holds the directory; None if none holds it.

    All worktrees of a repository have the same one. Without a main worktree it is the bare repository. A linked
    worktree counts only if its repository names it, too. A repository in the home directory counts only there,
    because it holds the user's settings and not a project. Starts no process. Source: gitrepository-layout.
    """
    entry = _entry(directory)
    return entry and (_main_root(entry) or os.path.dirname(entry))


def main_of_linked(directory: str) -> str | None:
    """Return what `main_worktree` does for a directory in a linked worktree; None for any other."""
    entry = _entry(directory)
    return entry and _main_root(entry)


def _entry(directory: str) -> str | None:
    """Return the path of the `.git` of the repository that holds the directory; None if none holds it."""
    start, home = os.path.realpath(directory), os.path.realpath(os.path.expanduser("~"))
    for folder in upwards(start):
        if folder == home != start:
            return None
        if os.path.lexists(entry := os.path.join(folder, ".git")):
            return entry
    return None


def _main_root(entry: str) -> str | None:
    """Return the main worktree's root if `entry` is the `.git` of a linked worktree that its repository names."""
    named = _line(entry)
    if not named.startswith("gitdir: "):
        return None
    inner = os.path.join(os.path.dirname(entry), named.removeprefix("gitdir: "))
    back, common = _line(os.path.join(inner, "gitdir")), _line(os.path.join(inner, "commondir"))
    if not (back and common and os.path.realpath(os.path.join(inner, back)) == entry):
        return None
    shared = os.path.realpath(os.path.join(inner, common))
    return os.path.dirname(shared) if os.path.basename(shared).startswith(".") else shared


def worktrees(root: str) -> list[str]:
    """Return the roots of a repository's worktrees that exist, the main one first; `root` is that of the main one."""
    shared = next(filter(os.path.isdir, (os.path.join(root, ".git"), os.path.join(root, ".bare"))), root)
    entries = os.path.join(shared, "worktrees")
    linked = [os.path.dirname(_line(os.path.join(entries, name, "gitdir"))) for name in untrusted.listed(entries)]
    return [root, *sorted(folder for folder in linked if os.path.isabs(folder) and os.path.isdir(folder))]


def _line(path: str) -> str:
    """Return the one line of a file; '' if it is no file or cannot be read."""
    try:
        return os.fsdecode(untrusted.read_file(path, _PATH_BYTES)).strip("\r\n")
    except (OSError, Malformed, ValueError):
        return ""


def tracked(directory: str) -> list[str]:
    """Return the files below a directory that its repository tracks, relative to it; [] if it is in no repository."""
    return [os.fsdecode(name) for name in _git(directory, "ls-files", "-z").split(b"\0") if name]


def commit_of(path: str, raw: bytes) -> tuple[str | None, bool]:
    """Return the commit of the file's repository (12 digits, None if none), and whether `raw` differs from it.

    A difference in line ends that git may have converted does not count.
    """
    directory, name = os.path.split(path)
    head = _git(directory, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
    if not head:
        return None, False
    there = _git(directory, "ls-tree", "-z", head, "--", name).split(maxsplit=3)[2:3]
    is_same = any(_blob(text, len(head)) in there for text in (raw, raw.replace(b"\r\n", b"\n")))
    return head[:_COMMIT_DIGITS], not is_same


def _blob(raw: bytes, digits: int) -> bytes:
    """Return the name that git gives to exactly these bytes, in hexadecimal digits.

    Git itself would first run the filters that the repository asks for.
    """
    import hashlib

    kind = hashlib.sha256 if digits == 64 else hashlib.sha1
    return kind(b"blob %d\0" % len(raw) + raw).hexdigest().encode()


def _git(directory: str, *words: str) -> bytes:
    """Return the output of a git command that only reads; b'' if it fails or hangs, or there is no git."""
    import subprocess

    command = ["git", "--no-optional-locks", "--literal-pathspecs", *_HARMLESS, "-C", directory, *words]
    environment = {name: value for name, value in os.environ.items() if name not in _VARIABLES}
    environment["GIT_NO_LAZY_FETCH"] = "1"
    try:
        done = subprocess.run(
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, env=environment, check=False
        )
    except (OSError, subprocess.SubprocessError):
        return b""
    return done.stdout if done.returncode == 0 else b""
