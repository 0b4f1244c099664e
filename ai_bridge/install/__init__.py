"""Registration with the AI clients: skill, server and hooks in each client's own files, and out of them again."""

from __future__ import annotations

from ai_bridge.install.entries import Choice
from ai_bridge.install.hook_trust import trust_pieces
from ai_bridge.install.pieces import TRUST, pieces
from ai_bridge.install.places import CLIENTS, SCOPES, folder, is_there
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
from ai_bridge.install.registered import File, Registration, Server, codex_trust, registered

__all__ = [
    "CLIENTS",
    "SCOPES",
    "TRUST",
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
    "codex_trust",
    "folder",
    "is_there",
    "pieces",
    "plan",
    "planned",
    "plugin_pieces",
    "registered",
    "trust_pieces",
]


def plan(verb: str, clients: list[str], scope: str, choice: Choice | None = None) -> list[Step]:
    """Return the steps that "install" or "uninstall" the clients' pieces; changes nothing.

    Raises `CannotChange`, and `NotPlain` for a file that only a person can change: then nothing is begun.
    """
    chosen = choice or Choice()
    return [step for client in clients for step in planned(verb, pieces(client, scope, chosen))]
