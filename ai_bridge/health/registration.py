"""Whether a client's registration of ai-bridge is complete, and its user approved and trusts it."""

from __future__ import annotations

import os
import shlex
import shutil
from collections.abc import Iterator

from ai_bridge import clients
from ai_bridge.clients.files import PROJECT, USER
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding, install_command
from ai_bridge.install.places import folder
from ai_bridge.install.registered import Registration
from ai_bridge.install.trust import trust_states


def registration(one: Registration) -> Iterator[Finding]:
    """Yield the findings about one registration: its program, its approval, its hooks and its skill."""
    assert one.server is not None
    fix = install_command(one.client, one.scope)
    if shutil.which(one.server.command) is None:
        yield _missing(one.server.command, fix)
    else:
        yield Finding("registered", OK, f"for the {one.scope}: {one.server.command}")
    yield from _approval(one)
    if missing := [event for event in one.wanted_hooks if event not in one.hooks]:
        yield Finding("hooks", WRONG, f"none on {', '.join(missing)}", fix)
    else:
        yield _trust(one)
    yield from _policy(one)
    if one.skill == "absent":
        yield Finding("skill", NOTE, "the advisor skill is not there", fix)


def _missing(command: str, fix: str) -> Finding:
    """Return the finding about a program that is not there: a path, or a word that is not on the PATH."""
    if os.path.dirname(command):
        return Finding("registered", WRONG, f"{command} is not there any more", fix)
    said = f"the command {command} is not on the PATH, so the client cannot start it"
    return Finding("registered", WRONG, said, "pipx ensurepath")


def _trust(one: Registration) -> Finding:
    """Return a finding that says whether the hooks run, because some clients ask the user first."""
    client = clients.by_name(one.client)
    trust = trust_states(one.client, one.scope)
    if waiting := [event for event, state in trust.items() if state != "trusted"]:
        found = f"{client.title} passes over those it was not told to trust: {', '.join(waiting)}"
        fix = f"{install_command(client.name, one.scope)} --trust-hooks"
        by_hand = f"(or start {client.program} once, and say that you trust them)"
        return Finding("hooks", WRONG, f"{found} {by_hand}", fix)
    return Finding("hooks", OK, ", ".join(one.hooks))


def _policy(one: Registration) -> Iterator[Finding]:
    """Yield a finding that says whether the client runs our wait without asking, if it asks otherwise."""
    client = clients.by_name(one.client)
    policy = client.files.policy
    if policy is None:
        return
    path = os.path.join(folder(client.name, USER)[1], *policy.place)
    if os.path.isfile(path):
        yield Finding("policy", OK, path)
    else:
        level = NOTE if one.scope == PROJECT else WRONG
        found = f"{client.title} has no {path}: {policy.without}"
        yield Finding("policy", level, found, install_command(client.name))


def _approval(one: Registration) -> Iterator[Finding]:
    """Yield a finding that says whether the user approved what a project registers, if the client asks."""
    client = clients.by_name(one.client)
    checks = client.files.checks
    if not checks.approval or (one.scope != PROJECT and not checks.asks_for_all):
        return
    project, _ = folder(client.name, PROJECT)
    if clients.code(checks.approval).is_approved(project):
        yield Finding("approved", OK, project)
    elif checks.asks_for_all:
        found = f"{client.title} does not trust {project}, so it starts no server there: trust it when it asks"
        yield Finding("trusted", WRONG, found, f"cd {shlex.quote(project)} && {client.program}")
    else:
        found = f"{client.name} asks once, in {project}, whether it may use what the project registers"
        yield Finding("approved", NOTE, found, f"cd {project} && {client.program}")
