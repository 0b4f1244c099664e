"""Who am I: by option, by environment, by the connected client's name; and why."""

import os

from ai_bridge import address
from ai_bridge.errors import NoIdentity
from ai_bridge.mailboxes import Mailboxes, user_wide

CLIENTS = {"claude-code": "claude", "gemini-cli-mcp-client": "gemini", "codex-mcp-client": "codex"}
VARIABLES = ("AI_BRIDGE_AGENT", "AI_CONNECT_PEER_NAME")


class Identity:
    """An agent's `address`, and `why` it is that one."""

    __slots__ = ("address", "why")

    def __init__(self, address: str, why: str) -> None:
        self.address = address
        self.why = why


def who(mailboxes: Mailboxes, option: str | None = None, client: str | None = None) -> Identity:
    """Return who the caller is; raises `NoIdentity` where nothing tells, `BadAddress` where it is no address."""
    if option is not None:
        return Identity(address.checked(option), "given as an option")
    for variable in VARIABLES:
        if value := os.environ.get(variable):
            return Identity(address.checked(value), f"from {variable}")
    if client in CLIENTS:
        return Identity(_in(mailboxes, CLIENTS[client]), f"from the client's name, {client}")
    raise NoIdentity(known=", ".join(mailboxes.agents()) or "none yet")


def _in(mailboxes: Mailboxes, name: str) -> str:
    """Return the address of a client's agent: in mailboxes shared by all of a user's projects, with the project."""
    if os.path.realpath(mailboxes.path) != os.path.realpath(user_wide()):
        return name
    folder = os.environ.get("CLAUDE_PROJECT_DIR") or os.getcwd()
    project = address.name_from(os.path.basename(os.path.normpath(folder)))
    return f"{name}@{project}" if project else name
