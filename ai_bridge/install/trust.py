"""Whether a client trusts the hooks that install writes, and the pieces that give or remove that trust."""

from ai_bridge import clients
from ai_bridge.install.entries import Choice
from ai_bridge.install.plan import Piece


def trust_states(client: str, scope: str) -> dict[str, str]:
    """Return, for each event our hook is on, whether the client trusts it: "trusted", or another word.

    Returns {} if the client runs hooks without asking its user. Raises `CannotChange` if the directory is gone.
    """
    module = clients.by_name(client).hooks.trust
    states: dict[str, str] = clients.code(module).trust_states(scope) if module else {}
    return states


def trust_pieces(client: str, scope: str, choice: Choice) -> list[Piece]:
    """Return the pieces that trust the hooks that install writes or has written, [] if the client does not ask.

    Raises `CannotChange`.
    """
    module = clients.by_name(client).hooks.trust
    found: list[Piece] = clients.code(module).trust_pieces(scope, choice) if module else []
    return found
