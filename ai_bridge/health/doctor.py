"""Whether each client can use the mail and be reached. Each finding names the one command that fixes it.

The doctor changes nothing, registers no session and asks no model. It runs a client only for its version, and the
server in the way the client would start it.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping
from typing import Any

from ai_bridge import clients, settings
from ai_bridge.clients.files import SERVER, USER
from ai_bridge.clients.record import Client
from ai_bridge.errors import BridgeError
from ai_bridge.health import belonging, leftovers, surroundings
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding, install_command
from ai_bridge.health.registration import registration
from ai_bridge.health.server_start import started
from ai_bridge.health.switches import at, read, switches
from ai_bridge.install.pieces import config_path
from ai_bridge.install.places import SCOPES, folder
from ai_bridge.install.registered import Registration, registered
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.adoption import NotAdopted
from ai_bridge.mailboxes.find import find_mailboxes
from ai_bridge.mailboxes.marker import NewerFormat

_PATIENCE_S = 20.0


def examine(name: str) -> Iterator[Finding]:
    """Yield the findings about the client of that name; raises `CannotChange` if the working directory is gone."""
    client = clients.by_name(name)
    program = shutil.which(client.program)
    yield from leftovers.examine(name)
    known = [registered(name, scope) for scope in _scopes(name)]
    ours = [one for one in known if one.server is not None]
    if program is None and not ours:
        yield Finding("installed", NOTE, f"the command {client.program} is not on the PATH")
        return
    yield _version(client, program)
    yield from _files(known)
    if not ours:
        yield _unregistered(client)
        return
    hooked = True
    for one in ours:
        for finding in (*registration(one), *switches(one), _started(one)):
            hooked &= finding.where not in ("hooks", "switch") or finding.level == OK
            yield finding
    if client.files.checks.reach:
        yield from clients.code(client.files.checks.reach).reach_findings()
    yield _reach(client, program, known, hooked)


def _started(one: Registration) -> Finding:
    """Start the server, unless a project's file registers it and `install` did not write that file.

    A project's file may come from anybody.
    """
    if one.scope != "project" or one.current:
        return started(one)
    said = "not started: the project's file is not as `ai-bridge install` writes it, and may run any program"
    return Finding("server", NOTE, said)


def _scopes(client: str) -> list[str]:
    """Return the scopes that differ: in the home directory, the project's files are those of the user."""
    folders = {folder(client, scope)[1]: scope for scope in reversed(SCOPES)}
    return [scope for scope in SCOPES if scope in folders.values()]


def around(chosen: str | None) -> Iterator[Finding]:
    """Yield the findings about the mailboxes and what surrounds them, and about the service of an older program.

    Without mailboxes there is one finding of them if `chosen` names them, else none. A newer format is one, too.
    """
    yield from leftovers.around()
    try:
        where = find_mailboxes(chosen, only_to_look=True)
    except BridgeError as refusal:
        if chosen is not None or isinstance(refusal, NewerFormat):
            yield Finding("mailboxes", WRONG, str(refusal))
        return
    if not (find.named(chosen) or find.is_adopted(where)):
        command = f"ai-bridge init --mailboxes {shlex.quote(where.path)}"
        yield Finding("adopted", WRONG, str(NotAdopted(path=where.path)), command)
    yield from belonging.examine(where)
    yield from surroundings.examine(where, settings.load(where.path))


def _unregistered(client: Client) -> Finding:
    checks = client.files.checks
    if checks.extensions:
        path = os.path.join(folder(client.name, USER)[1], checks.extensions, SERVER)
        if os.path.lexists(path):
            return Finding("registered", OK, f"as an extension: {path}")
    found = "its files do not name our server" + (f" ({checks.unseen})" if checks.unseen else "")
    return Finding("registered", WRONG, found, install_command(client.name))


def _version(client: Client, program: str | None) -> Finding:
    if program is None:
        return Finding("installed", NOTE, f"registered, but the command {client.program} is not on the PATH")
    fix = f"{client.program} --version"
    try:
        with tempfile.TemporaryDirectory() as empty:
            elsewhere = {client.files.folder.variable: empty} if client.files.checks.litters else {}
            done = _run(client, [program, "--version"], elsewhere)
    except (OSError, subprocess.TimeoutExpired) as trouble:
        return Finding("installed", WRONG, f"{program} --version: {trouble}", fix)
    said = done.stdout.decode("utf-8", "replace").strip().split("\n")[0]
    if done.returncode or not said:
        return Finding("installed", WRONG, f"{program} --version failed", fix)
    return Finding("installed", OK, said)


def _run(
    client: Client, words: list[str], more: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[bytes]:
    environment = {**os.environ, "NO_COLOR": "1", **client.files.checks.quiet, **(more or {})}
    return subprocess.run(
        words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, env=environment, check=False
    )


def _runs(client: Client, words: list[str]) -> bool:
    try:
        return _run(client, words).returncode == 0
    except (OSError, subprocess.TimeoutExpired):
        return False


def _files(known: list[Registration]) -> Iterator[Finding]:
    """Yield a finding for each file that cannot be understood."""
    for one in known:
        for file in one.files:
            if file.trouble is not None:
                said = f"{file.path}: {file.trouble}; fix it by hand, for install changes no file that it cannot read"
                yield Finding("files", WRONG, said, f"$EDITOR {shlex.quote(file.path)}")


def _reach(client: Client, program: str | None, known: list[Registration], hooked: bool) -> Finding:
    found = f"idle by {client.reach.idle}; at work by {client.reach.working}"
    if trouble := _cannot_reach(client, program, known):
        return Finding("reach", WRONG, f"{found}; but {trouble}", install_command(client.name))
    if not hooked:
        return Finding("reach", NOTE, f"{found}; but its hooks do not run")
    return Finding("reach", OK, found)


def _cannot_reach(client: Client, program: str | None, known: list[Registration]) -> str:
    """Return why sessions cannot be reached, as far as files and the program show; '' if nothing prevents it."""
    for file in client.files.config:
        paths = [config_path(client, file, one.scope) for one in known]
        if file.without and not any(_has_all(read(path), file.defaults) for path in paths):
            return file.without
    checks = client.files.checks
    if checks.probe and program is not None and not _runs(client, [program, *checks.probe]):
        return checks.probe_trouble
    return ""


def _has_all(settings: dict[str, Any], wanted: Mapping[tuple[str | int, ...], object]) -> bool:
    """Tell whether a client's settings hold all the `wanted` values, each with the same type."""
    found = [(at(settings, *keys), value) for keys, value in wanted.items()]
    return all(there == value and type(there) is type(value) for there, value in found)
