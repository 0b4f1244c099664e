"""Which router is at work for an agent, as the lock that it holds tells."""

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.locks import Holder, holder


def router_of(mailboxes: Tree, agent: str) -> Holder | None:
    """Return the router at work for the agent, None if there is none; a reader that makes a pass does not count."""
    found = holder(mailboxes.lock_file("router", agent))
    return found if found and found.role == "router" else None
