"""The process that moves an agent's mail just now, as the router lock that it holds tells."""

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.locks import Holder, holder

# Both roles hold an agent's router lock and move its mail. A reader does so if no router is at work.
_MOVERS = ("router", "reader")


def router_of(mailboxes: Tree, agent: str) -> Holder | None:
    """Return the router at work for the agent, None if there is none; a reader that makes a pass does not count."""
    found = mover_of(mailboxes, agent)
    return found if found and found.role == "router" else None


def mover_of(mailboxes: Tree, agent: str) -> Holder | None:
    """Return the router that moves the agent's mail, or the reader that does so in its place; None if none does."""
    found = holder(mailboxes.lock_file("router", agent))
    return found if found and found.role in _MOVERS else None
