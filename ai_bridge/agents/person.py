"""Tells whether an agent's client runs this command. It guards against loops, not against a forger."""

from ai_bridge import clients
from ai_bridge.errors import BridgeError


class ForPersons(BridgeError):
    sentence = (
        "{what} is for a person, in a terminal of their own: "
        "{variable} says that an agent's client started this shell"
    )


def refuse_clients(what: str) -> None:
    """Raise `ForPersons` if a client started this shell."""
    if variable := clients.variable_set():
        raise ForPersons(what=what, variable=variable)
