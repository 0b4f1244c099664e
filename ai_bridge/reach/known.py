"""The clients whose ways are known, by what each calls itself and by what people call it."""

from __future__ import annotations

from ai_bridge.reach.claude import CLAUDE
from ai_bridge.reach.client import Client
from ai_bridge.reach.codex import CODEX
from ai_bridge.reach.gemini import GEMINI

CLIENTS: dict[str, Client] = {"claude": CLAUDE, "gemini": GEMINI, "codex": CODEX}
_BY_OWN_NAME = {client.name: client for client in CLIENTS.values()}
_OTHER = Client()


def client_of(name: str) -> Client:
    """Return what is known of the client that calls itself so."""
    return _BY_OWN_NAME.get(name, _OTHER)
