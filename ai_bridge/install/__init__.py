"""Registration with the AI clients: skill, server and hooks in each client's own files, and out of them again."""

from __future__ import annotations

from ai_bridge import clients
from ai_bridge.install.entries import Choice
from ai_bridge.install.pieces import pieces
from ai_bridge.install.places import SCOPES, folder, is_there
from ai_bridge.install.plan import (
    CannotChange,
    ChangedMeanwhile,
    Differs,
    NotPlain,
    Piece,
    Step,
    agree,
    carry_out,
    planned,
)
from ai_bridge.install.plugin import plugin_pieces
from ai_bridge.install.registered import File, Registration, Server, registered

__all__ = [
    "SCOPES",
    "CannotChange",
    "ChangedMeanwhile",
    "Choice",
    "Differs",
    "File",
    "NotPlain",
    "Piece",
    "Registration",
    "Server",
    "Step",
    "agree",
    "carry_out",
    "folder",
    "is_there",
    "pieces",
    "plan",
    "planned",
    "plugin_pieces",
    "registered",
    "trust_pieces",
    "trust_states",
]


def plan(verb: str, clients: list[str], scope: str, choice: Choice | None = None) -> list[Step]:
    """Return the steps that "install" or "uninstall" the clients' pieces; changes nothing.

    Raises `CannotChange`, and `NotPlain` for a file that only a person can change: then nothing is begun.
    """
    chosen = choice or Choice()
    return [step for client in clients for step in planned(verb, pieces(client, scope, chosen))]


def trust_states(client: str, scope: str) -> dict[str, str]:
    """Return, for each event our hook is on, whether the client trusts it: "trusted", or another word.

    Nothing if the client runs hooks without asking its person. Raises `CannotChange` if the directory is gone.
    """
    module = clients.by_name(client).hooks.trust
    states: dict[str, str] = clients.code(module).trust_states(scope) if module else {}
    return states


def trust_pieces(client: str, scope: str, choice: Choice) -> list[Piece]:
    """Return what trusts the hooks that install writes, or has written; raises `CannotChange`."""
    module = clients.by_name(client).hooks.trust
    found: list[Piece] = clients.code(module).trust_pieces(scope, choice) if module else []
    return found
