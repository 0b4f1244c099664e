"""Tells from names alone that no mail can be there for an agent, for hooks that must start fast."""

from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD
from ai_bridge.mailboxes.tree import Tree


def is_empty(mailboxes: Tree, agent: str) -> bool:
    """Tell whether no outbox holds a file that is on its way, or that is unread for the agent or its other sessions.

    If it is not empty, there may still be no mail for the agent. Lists each outbox, and reads no file.
    """
    own = _name(agent)
    return not any(
        outbox.listed(DROPPED)
        or outbox.listed(PROCESSING)
        or any(_name(label(name)[1]) == own for name in outbox.listed(UNREAD))
        for outbox in mailboxes.outboxes()
    )


def _name(address: str) -> str:
    """Return the name in an address, without the number of a further session and without the project."""
    name, _, number = address.partition("@")[0].rpartition("-")
    return name if name and number.isdigit() else address.partition("@")[0]
