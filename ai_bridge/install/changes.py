"""The changes that install or uninstall would make, for several clients at once."""

from ai_bridge.install.entries import Choice
from ai_bridge.install.pieces import pieces
from ai_bridge.install.plan import Change, planned


def plan_changes(verb: str, clients: list[str], scope: str, choice: Choice | None = None) -> list[Change]:
    """Return the changes that "install" or "uninstall" the clients' pieces. Reads files and changes none.

    Raises `CannotChange`, and `NotPlain` for a file that only a person can change safely.
    """
    chosen = choice or Choice()
    return [change for client in clients for change in planned(verb, pieces(client, scope, chosen))]
