"""Says that an agent has been away for long, as far as this machine knows of its sessions."""

import time

from ai_bridge.agents import presence
from ai_bridge.agents.sessions import ended, further
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import times


def note(mailboxes: Tree, agent: str, long_s: float) -> str:
    """Return a sentence if the agent's further session has ended, or if it was last seen `long_s` seconds ago.

    Returns '' if neither is known.
    """
    if own := further.own_of(mailboxes, agent):
        is_over = ended.has_ended(mailboxes, agent)
        return f"{agent}'s session has ended; the next session of {own} is offered it." if is_over else ""
    found = presence.all_presences(mailboxes).get(agent)
    if found is None or found.online or not found.seen:
        return ""
    away_s = time.time() - found.seen
    return f"{agent} was last seen {times.ago(away_s)}." if away_s >= long_s else ""
