"""What git knows of a file, asked without running anything that a repository asks for: it may be anybody's."""

import os

# Seconds that one question may take.
_PATIENCE_S = 2.0
_COMMIT_DIGITS = 12
# A repository that merely lies within another, or its settings, runs nothing.
_HARMLESS = ("-c", "safe.bareRepository=explicit", "-c", "core.fsmonitor=false", "-c", "core.hooksPath=/dev/null")
# They tell git of another repository than the one the file lies in; a hook of git has them in its environment.
_VARIABLES = (
    "GIT_DIR",
    "GIT_WORK_TREE",
    "GIT_INDEX_FILE",
    "GIT_COMMON_DIR",
    "GIT_OBJECT_DIRECTORY",
    "GIT_PREFIX",
)


def working_tree(directory: str) -> str | None:
    """Return the top of the working tree that a directory is in, if it is in one."""
    top = _git(directory, "rev-parse", "--show-toplevel")
    return os.fsdecode(top.removesuffix(b"\n")) if top else None


def tracked(directory: str) -> list[str]:
    """Return the files below a directory that its repository tracks, relative to it; none where it is in none."""
    return [os.fsdecode(name) for name in _git(directory, "ls-files", "-z").split(b"\0") if name]


def commit_of(path: str, raw: bytes) -> tuple[str | None, bool]:
    """Return the commit of the file's repository, if there is one, and whether `raw` is not what that has there.

    Line ends that git may have converted are no change.
    """
    directory, name = os.path.split(path)
    head = _git(directory, "rev-parse", "--verify", "--quiet", "HEAD^{commit}").decode().strip()
    if not head:
        return None, False
    there = _git(directory, "ls-tree", "-z", head, "--", name).split(maxsplit=3)[2:3]
    is_same = any(_blob(text, len(head)) in there for text in (raw, raw.replace(b"\r\n", b"\n")))
    return head[:_COMMIT_DIGITS], not is_same


def _blob(raw: bytes, digits: int) -> bytes:
    """Return the name git gives to these very bytes, in hexadecimal digits.

    Git itself would first run the filters that the repository asks for.
    """
    import hashlib

    kind = hashlib.sha256 if digits == 64 else hashlib.sha1
    return kind(b"blob %d\0" % len(raw) + raw).hexdigest().encode()


def _git(directory: str, *words: str) -> bytes:
    """Return what a git command prints that only looks, or nothing where it fails, hangs or there is no git."""
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
