"""The changes that install or uninstall would make, for several clients at once."""

from dataclasses import replace

from ai_bridge.clients.files import SERVER
from ai_bridge.install.entries import Choice
from ai_bridge.install.json_edit import get
from ai_bridge.install.pieces import former_pieces, pieces
from ai_bridge.install.plan import Change, planned, present_or_none
from ai_bridge.install.plugin_files import read


def plan_changes(verb: str, clients: list[str], scope: str, choice: Choice | None = None) -> list[Change]:
    """Return the changes that "install" or "uninstall" the clients' pieces. Reads files and changes none.

    Both also take out the entries that an older install wrote in other places. Mailboxes and address that were chosen
    there stay chosen. Raises `CannotChange`, and `NotPlain` for a file that only a person can change safely.
    """
    return [change for client in clients for change in _of_client(verb, client, scope, choice or Choice())]


def _of_client(verb: str, client: str, scope: str, choice: Choice) -> list[Change]:
    older = [step for step in planned("uninstall", former_pieces(client, scope)) if step.does]
    if verb == "install" and older and replace(choice, lets_shell_write=False) == Choice():
        choice = _former_choice(client, scope)
    now = planned(verb, pieces(client, scope, choice))
    return [*older, *now] if verb == "install" else [*now, *older]


def _former_choice(client: str, scope: str) -> Choice:
    """Return the choice that was made when an older install registered the server."""
    found = [read(present_or_none(piece.path)) for piece in former_pieces(client, scope)]
    given = next((env for document in found if (env := get(document, ("mcpServers", SERVER, "env")))), None)
    env = {name: value for name, value in given.items() if isinstance(value, str)} if isinstance(given, dict) else {}
    return Choice(env.get("AI_BRIDGE_MAILBOXES"), env.get("AI_BRIDGE_AGENT"))
