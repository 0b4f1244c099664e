"""Whether what a client has of ours is whole, approved and trusted by its person."""

from __future__ import annotations

import os
from collections.abc import Iterator

from ai_bridge import install
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding, install_command
from ai_bridge.health.switches import read
from ai_bridge.install import Registration


def registration(one: Registration) -> Iterator[Finding]:
    """Look at one registration: its program, its approval, its hooks, its skill."""
    assert one.server is not None
    fix = install_command(one.client, one.scope)
    if not os.access(one.server.command, os.X_OK):
        yield Finding("registered", WRONG, f"{one.server.command} is not there any more", fix)
    else:
        yield Finding("registered", OK, f"for the {one.scope}: {one.server.command}")
    yield from _approval(one)
    if missing := [event for event in one.wanted_hooks if event not in one.hooks]:
        yield Finding("hooks", WRONG, f"none on {', '.join(missing)}", fix)
    else:
        yield _trust(one)
    if one.skill == "absent":
        yield Finding("skill", NOTE, "the advisor skill is not there", fix)


def _trust(one: Registration) -> Finding:
    """Tell whether the hooks run: Codex CLI asks the person first."""
    trust = install.trust_states(one.client, one.scope)
    if waiting := [event for event, state in trust.items() if state != "trusted"]:
        found = f"Codex CLI passes over those it was not told to trust: {', '.join(waiting)}"
        fix = f"{install_command('codex', one.scope)} --trust-hooks"
        return Finding("hooks", WRONG, f"{found} (or start codex once, and say that you trust them)", fix)
    return Finding("hooks", OK, ", ".join(one.hooks))


def _approval(one: Registration) -> Iterator[Finding]:
    """Tell whether the person let the client use what a project registers, where it asks."""
    if one.scope != "project" or one.client not in _APPROVED:
        return
    directory = os.path.dirname(one.files[-1].path if one.client != "claude" else one.files[1].path)
    directory = directory if one.client == "claude" else os.path.dirname(directory)
    if _APPROVED[one.client](directory):
        yield Finding("approved", OK, directory)
    else:
        found = f"{one.client} asks once, in {directory}, whether it may use what the project registers"
        yield Finding("approved", NOTE, found, f"cd {directory} && {one.client}")


def _claude_approved(directory: str) -> bool:
    """Source: Claude Code notes it in its own file, or is told by settings that all are approved."""
    base = os.environ.get("CLAUDE_CONFIG_DIR") or os.path.expanduser("~")
    own = read(os.path.join(base, ".claude.json")).get("projects")
    entry = own.get(directory) if isinstance(own, dict) else None
    named = entry.get("enabledMcpjsonServers") if isinstance(entry, dict) else None
    settings = [read(os.path.join(directory, ".claude", name)) for name in ("settings.json", "settings.local.json")]
    told = [named, *(found.get("enabledMcpjsonServers") for found in settings)]
    everything = any(found.get("enableAllProjectMcpServers") is True for found in settings)
    return everything or any(isinstance(names, list) and "ai-bridge" in names for names in told)


def _gemini_trusts(directory: str) -> bool:
    """Source: Gemini CLI notes trusted folders, which count for all that is in them."""
    base = os.environ.get("GEMINI_CLI_HOME") or os.path.expanduser("~")
    for folder, trust in read(os.path.join(base, ".gemini", "trustedFolders.json")).items():
        root = os.path.dirname(folder) if trust == "TRUST_PARENT" else folder
        if trust in ("TRUST_FOLDER", "TRUST_PARENT") and os.path.commonpath([root, directory]) == root:
            return True
    return False


_APPROVED = {"claude": _claude_approved, "gemini": _gemini_trusts}
