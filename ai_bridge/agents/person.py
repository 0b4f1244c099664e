"""Does an agent's client run this command, or may it be a person? A guard against loops, not against a forger."""

import os

from ai_bridge import clients
from ai_bridge.errors import BridgeError


class ForPersons(BridgeError):
    sentence = (
        "{what} is for a person, in a terminal of their own: "
        "{variable} says that an agent's client started this shell"
    )


def refuse_clients(what: str) -> None:
    """Raise `ForPersons` if a client started this shell."""
    if variable := clients_variable():
        raise ForPersons(what=what, variable=variable)


def clients_variable() -> str:
    """Return the variable that says a client started this shell, '' where none does."""
    of_shells = (name for client in clients.ALL for name in client.shell_variables)
    of_sessions = (name for client in clients.ALL for name in client.session_variables)
    return next((name for name in (*of_shells, *of_sessions) if os.environ.get(name)), "")
