"""Says that an agent has been away for long, as far as this machine knows of its sessions."""

import time

from ai_bridge.agents import presence
from ai_bridge.agents.sessions import ended, further
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection


def note(mailboxes: Tree, agent: str, long_s: float, recipients: "Collection[str]" = ()) -> str:
    """Return a sentence if the agent's further session has ended, or if it was last seen `long_s` seconds ago.

    Returns '' if neither is known, or if the agent of the further session is among the `recipients` itself.
    """
    if own := further.own_of(mailboxes, agent):
        is_over = own not in recipients and ended.has_ended(mailboxes, agent)
        return f"{agent}'s session has ended; the next session of {own} is offered it." if is_over else ""
    found = presence.all_presences(mailboxes).get(agent)
    if found is None or found.online or not found.seen:
        return ""
    away_s = time.time() - found.seen
    return f"{agent} was last seen {times.ago(away_s)}." if away_s >= long_s else ""
