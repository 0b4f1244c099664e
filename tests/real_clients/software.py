"""The real clients, from the npm registry: installed once into a cache, with the Node they need.

`python -m tests.real_clients.software` installs them and prints where. If that fails, it says why in one line and
exits with 1. `AI_BRIDGE_CLIENTS` names another folder. With `--latest` it installs the newest releases into a folder
of their own, and prints what changed; the tests use these if `AI_BRIDGE_CLIENTS_LATEST` is set.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

LIMIT_S = 300.0
# A new release is taken by choice: what clients do changes between two of them, and no test of ours should.
PINNED = {
    "node": "22.23.3",
    "@anthropic-ai/claude-code": "2.1.332",
    "@google/gemini-cli": "0.61.0",
    "@openai/codex": "0.169.0",
}
LATEST = "AI_BRIDGE_CLIENTS_LATEST"
COMMANDS = ("node", "claude", "gemini", "codex")
# Who may run a script when installed; npm asks for a word on each.
_MAY_RUN = ("node", "@anthropic-ai/claude-code")
_OPTIONS = ("--no-audit", "--no-fund", "--loglevel=error")

# As it was before any test changed it: the registry and its proxy are the person's own.
_ENVIRONMENT = dict(os.environ)


class NotInstalled(Exception):
    """The clients could not be installed; the text says why, in a line."""


def folder(environment: Mapping[str, str] | None = None) -> Path:
    """Return the folder the clients are in, or will be."""
    environment = _ENVIRONMENT if environment is None else environment
    cache = environment.get("XDG_CACHE_HOME") or os.path.join(environment.get("HOME", "/"), ".cache")
    chosen = environment.get("AI_BRIDGE_CLIENTS")
    pinned = Path(chosen).absolute() if chosen else Path(cache, "ai-bridge", "clients")
    return pinned.with_name(f"{pinned.name}-latest") if environment.get(LATEST) else pinned


def wanted() -> dict[str, str]:
    """Return the versions to install: those pinned, or the newest of each client on the pinned Node."""
    newest = dict.fromkeys(PINNED, "latest") if _ENVIRONMENT.get(LATEST) else {}
    return {**PINNED, **newest, "node": PINNED["node"]}


def installed(into: Path) -> dict[str, str]:
    """Return the versions that are in the folder, without those that are not."""
    found = {}
    for name in PINNED:
        with contextlib.suppress(OSError, ValueError, KeyError):
            found[name] = str(json.loads((into / "node_modules" / name / "package.json").read_text())["version"])
    return found


def install(into: Path, limit_s: float = LIMIT_S, again: bool = False) -> Path:
    """Install the clients unless they are there; returns the folder of their commands.

    `again`: ask the registry in any case. Two that do this at once take turns. Raises `NotInstalled`.
    """
    commands = into / "node_modules" / ".bin"
    try:
        into.mkdir(parents=True, exist_ok=True)
        with (into / ".lock").open("w") as lock:
            _take(lock.fileno(), time.monotonic() + limit_s)
            if again or not _is_complete(into, commands):
                _fill(into, commands, time.monotonic() + limit_s)
    except OSError as error:
        raise NotInstalled(f"{into}: {error}") from None
    return commands


def _take(lock: int, deadline: float) -> None:
    while True:
        try:
            return fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                raise NotInstalled("another process has been installing them all the time") from None
            time.sleep(0.1)


def _is_complete(into: Path, commands: Path) -> bool:
    """Tell whether just these clients were installed to the end; the newest are those of the last look for them."""
    there = installed(into)
    fits = all(version in ("latest", there.get(name)) for name, version in wanted().items())
    return fits and (into / ".complete").exists() and all((commands / name).exists() for name in COMMANDS)


def _fill(into: Path, commands: Path, deadline: float) -> None:
    """Install Node, then by its means the clients: npm takes older ones for an older Node."""
    npm = shutil.which("npm", path=_ENVIRONMENT.get("PATH"))
    if npm is None:
        raise NotInstalled("there is no npm here")
    (into / ".complete").unlink(missing_ok=True)
    for packages in ({"node": PINNED["node"]}, wanted()):
        manifest = {"private": True, "dependencies": packages, "allowScripts": dict.fromkeys(_MAY_RUN, True)}
        (into / "package.json").write_text(json.dumps(manifest, indent=1))
        (into / "package-lock.json").unlink(missing_ok=True)  # which would keep what was the newest before
        _run([npm, "install", "--prefix", str(into), *_OPTIONS], into, commands, deadline)
    for name in COMMANDS:
        _run([str(commands / name), "--version"], into, commands, deadline)
    (into / ".complete").write_text(json.dumps(wanted()))


def _run(words: Sequence[str], into: Path, commands: Path, deadline: float) -> None:
    """Run a command to its end, or end it and all it started."""
    own = {"PATH": f"{commands}{os.pathsep}{_ENVIRONMENT.get('PATH', os.defpath)}", "DISABLE_AUTOUPDATER": "1"}
    if not words[0].endswith("npm"):
        own["HOME"] = str(into / "home")
    process = subprocess.Popen(
        words,
        cwd=into,
        env={**_ENVIRONMENT, **own},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    )
    try:
        said, _ = process.communicate(timeout=max(deadline - time.monotonic(), 0.1))
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        raise NotInstalled(f"`{_short(words)}` took longer than the time there is") from None
    if process.returncode:
        raise NotInstalled(f"`{_short(words)}` failed: {_last_line(said)}")


def _short(words: Sequence[str]) -> str:
    return " ".join([Path(words[0]).name, *words[1:2]])


def _last_line(said: bytes) -> str:
    lines = [line.strip() for line in said.decode("utf-8", "replace").splitlines() if line.strip()]
    return next((line for line in lines if "error" in line.lower()), lines[-1] if lines else "it said nothing")[:300]


def changes(there: Mapping[str, str]) -> list[str]:
    """Return a line per client: its pinned version, and the one that is there."""
    clients = [name for name in PINNED if name != "node"]
    return [
        f"{name}: {PINNED[name]} -> {there.get(name)}" for name in clients if there.get(name) != PINNED[name]
    ] or ["no client has a newer release than the pinned one"]


def main(words: Sequence[str]) -> int:
    if "--latest" in words:
        _ENVIRONMENT[LATEST] = "1"
    try:
        into = folder()
        print(install(into, again="--latest" in words))
    except NotInstalled as trouble:
        print(f"the real clients could not be installed: {trouble}", file=sys.stderr)
        return 1
    if "--latest" in words:
        print("\n".join(changes(installed(into))))
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
