"""All we have for each client, and which of its own files each part belongs in."""

from __future__ import annotations

import os
from collections.abc import Callable

from ai_bridge.install.content import Whole
from ai_bridge.install.entries import SERVER, Choice, Entry, command_hooks, places, server, tool_hooks
from ai_bridge.install.json_edit import Path
from ai_bridge.install.json_file import JsonFile
from ai_bridge.install.places import CLIENTS, folder
from ai_bridge.install.plan import Piece
from ai_bridge.install.toml_file import TomlFile

# Source: Claude Code 2.1 refuses a hook that calls a server's tool on SessionStart, and shows an error at each start.
CLAUDE_EVENTS = ("UserPromptSubmit", "PostToolUse", "Stop")
CODEX_EVENTS = ("SessionStart", *CLAUDE_EVENTS)
GEMINI_EVENTS = ("SessionStart", "BeforeAgent", "AfterTool", "AfterAgent")
# A question before each tool would keep mail from a session that nobody watches; a server is a rule of its own.
_CLAUDE_ALLOWS: dict[Path, str] = {("permissions", "allow"): f"mcp__{SERVER}"}
# The client's own files that hold more than settings are nobody else's to read.
_PRIVATE = 0o600
# Without both, the end of a background command does not wake an idle session of Gemini CLI.
_GEMINI_DEFAULTS: dict[Path, object] = {
    ("tools", "shell", "backgroundCompletionBehavior"): "inject",
    ("experimental", "modelSteering"): True,
}
# Codex CLI asks its person, and notes the answer in its own settings: it is theirs to give, not ours to write.
TRUST = "Codex CLI runs these hooks only once you trust them: start `codex` in a terminal, and say so when it asks"


def pieces(client: str, scope: str, choice: Choice) -> list[Piece]:
    """Return what a client gets, in the order in which it is of use: skill, server, hooks; raises `CannotChange`."""
    base, inside = folder(client, scope)
    skill = Piece(client, "skill", base, os.path.join(inside, "skills", "advisor", "SKILL.md"), skill_content())
    return [skill, *_PIECES[client](scope, base, inside, choice)]


def skill_content() -> Whole:
    """Return the skill as it is shipped."""
    with open(os.path.join(os.path.dirname(__file__), "skills", "advisor", "SKILL.md"), "rb") as file:
        return Whole(file.read())


def _claude(scope: str, base: str, inside: str, choice: Choice) -> list[Piece]:
    """In a home the server is in a file beside the folder, unless that was moved; then it is in it."""
    path = os.path.join(base, ".mcp.json" if scope == "project" else ".claude.json")
    mode = 0o644 if scope == "project" else _PRIVATE
    entry, hooks = server(choice.environment), tool_hooks(CLAUDE_EVENTS)
    return [
        Piece("claude", "server", base, path, JsonFile(server=entry), mode),
        Piece(
            "claude",
            "hooks",
            base,
            os.path.join(inside, "settings.json"),
            JsonFile(hooks=hooks, members=_CLAUDE_ALLOWS),
        ),
    ]


def _gemini(scope: str, base: str, inside: str, choice: Choice) -> list[Piece]:
    path = os.path.join(inside, "settings.json")
    content = JsonFile(gemini_server(choice), command_hooks(GEMINI_EVENTS, "gemini", choice), _GEMINI_DEFAULTS)
    return [Piece("gemini", "server and hooks", base, path, content)]


def gemini_server(choice: Choice) -> Entry:
    """Return Gemini CLI's entry; trusted, for a question before each tool would keep mail from who sleeps."""
    return {**server(choice.environment), "timeout": 600_000, "trust": True}


def _codex(scope: str, base: str, inside: str, choice: Choice) -> list[Piece]:
    """Codex CLI waits for no server that is not required, and for no tool longer than it is told to."""
    entry = {**server({**choice.environment, **places()}), "required": True, "tool_timeout_sec": 3600}
    hooks = JsonFile(hooks=tool_hooks(CODEX_EVENTS), advice=TRUST)
    return [
        Piece("codex", "server", base, os.path.join(inside, "config.toml"), TomlFile(entry), _PRIVATE),
        Piece("codex", "hooks", base, os.path.join(inside, "hooks.json"), hooks),
    ]


_PIECES: dict[str, Callable[[str, str, str, Choice], list[Piece]]] = dict(
    zip(CLIENTS, (_claude, _gemini, _codex), strict=True)
)
