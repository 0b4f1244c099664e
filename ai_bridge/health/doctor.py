"""Whether each client can use the mail and be reached: each finding names the one command that fixes it.

Nothing is changed, no session is registered and no model is asked: clients are run for their version only, and
their server as they would start it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from typing import Any

from ai_bridge import clients as table
from ai_bridge import install, settings
from ai_bridge.errors import BridgeError
from ai_bridge.health import surroundings
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding, install_command
from ai_bridge.health.registration import registration
from ai_bridge.health.server_start import started
from ai_bridge.health.switches import at, extension, read, switches
from ai_bridge.install import Registration
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.adoption import NotAdopted
from ai_bridge.mailboxes.find import find_mailboxes

_PATIENCE_S = 20.0
_QUIET = {"DISABLE_AUTOUPDATER": "1", "DISABLE_TELEMETRY": "1", "GEMINI_TELEMETRY_ENABLED": "false", "NO_COLOR": "1"}


def examine(client: str) -> Iterator[Finding]:
    """Look at one client, yielding what is found; raises `CannotChange` if the directory is gone."""
    program = shutil.which(client)
    known = [install.registered(client, scope) for scope in _scopes(client)]
    registered = [one for one in known if one.server is not None]
    if program is None and not registered:
        yield Finding("installed", NOTE, f"the command {client} is not on the PATH")
        return
    yield _version(client, program)
    yield from _files(known)
    if not registered:
        yield _unregistered(client)
        return
    hooked = True
    for one in registered:
        for finding in (*registration(one), *switches(one), _started(one)):
            hooked &= finding.where not in ("hooks", "switch") or finding.level == OK
            yield finding
    yield _reach(client, program, known, hooked)


def _started(one: Registration) -> Finding:
    """Start the server; a project's file may come from anybody, so one that `install` did not write is not run."""
    if one.scope != "project" or one.current:
        return started(one)
    said = "not started: the project's file is not as `ai-bridge install` writes it, and may run any program"
    return Finding("server", NOTE, said)


def _scopes(client: str) -> list[str]:
    """Return the scopes there are: in the home directory the project's files are the person's own."""
    folders = {install.folder(client, scope)[1]: scope for scope in reversed(install.SCOPES)}
    return [scope for scope in install.SCOPES if scope in folders.values()]


def around(chosen: str | None) -> Iterator[Finding]:
    """Look at the mailboxes and at what surrounds them; yields nothing if there are no mailboxes."""
    try:
        where = find_mailboxes(chosen, only_to_look=True)
    except BridgeError as refusal:
        if chosen is not None:
            yield Finding("mailboxes", WRONG, str(refusal))
        return
    if not (find.named(chosen) or find.is_adopted(where.path)):
        command = f"ai-bridge init --mailboxes {shlex.quote(where.path)}"
        yield Finding("adopted", WRONG, str(NotAdopted(path=where.path)), command)
    yield from surroundings.examine(where, settings.load(where.path))


def _unregistered(client: str) -> Finding:
    if client == "gemini" and (path := extension()) is not None:
        return Finding("registered", OK, f"as an extension: {path}")
    found = "its files do not name our server"
    found += " (a plugin given by --plugin-dir is not seen here)" if client == "claude" else ""
    return Finding("registered", WRONG, found, install_command(client))


def _version(client: str, program: str | None) -> Finding:
    if program is None:
        return Finding("installed", NOTE, f"registered, but the command {client} is not on the PATH")
    try:
        with tempfile.TemporaryDirectory() as empty:  # Gemini CLI would leave files in its own folder
            done = _run([program, "--version"], GEMINI_CLI_HOME=empty)
    except (OSError, subprocess.TimeoutExpired) as trouble:
        return Finding("installed", WRONG, f"{program} --version: {trouble}", f"{client} --version")
    said = done.stdout.decode("utf-8", "replace").strip().split("\n")[0]
    if done.returncode or not said:
        return Finding("installed", WRONG, f"{program} --version failed", f"{client} --version")
    return Finding("installed", OK, said)


def _run(words: list[str], **more: str) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, **_QUIET, **more}
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, env=environment, check=False
    )


def _runs(words: list[str]) -> bool:
    try:
        return _run(words).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _files(known: list[Registration]) -> Iterator[Finding]:
    """Name the files that cannot be understood."""
    for one in known:
        for file in one.files:
            if file.trouble is not None:
                yield Finding("files", WRONG, f"{file.path}: {file.trouble}", install_command(one.client, one.scope))


def _reach(client: str, program: str | None, known: list[Registration], hooked: bool) -> Finding:
    ways = table.by_name(client).reach
    found = f"idle by {ways.idle}; at work by {ways.working}"
    if trouble := _cannot_reach(client, program, known):
        return Finding("reach", WRONG, f"{found}; but {trouble}", install_command(client))
    if not hooked:
        return Finding("reach", NOTE, f"{found}; but its hooks do not run")
    return Finding("reach", OK, found)


def _cannot_reach(client: str, program: str | None, known: list[Registration]) -> str:
    """Return what is in the way, as far as files and the program tell; '' where nothing is."""
    if client == "gemini":
        settings = [read(one.files[-1].path) for one in known]
        if not any(_wakes(found) for found in settings):
            return "its settings do not let the end of a background command wake an idle session"
    if client == "codex" and program is not None:
        return "" if _runs([program, "queue", "--help"]) else "this version has no `codex queue`: update it"
    return ""


def _wakes(settings: dict[str, Any]) -> bool:
    injects = at(settings, "tools", "shell", "backgroundCompletionBehavior") == "inject"
    return injects and at(settings, "experimental", "modelSteering") is True
