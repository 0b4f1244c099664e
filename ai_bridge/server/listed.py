"""Which agents' mail has a tool of its own in a session's list: those the session's agent exchanges mail with.

A tool in the list costs every request of a model, and a list that changes costs its cache. So an agent that is listed
stays so, and others come only while there is room.
"""

from __future__ import annotations

from collections.abc import Callable

from ai_bridge.clients.record import Client
from ai_bridge.message.address import project_of

# The agents of the clients for which mail was made first. Their tools were always there, so people and scripts name
# them.
FIRST = ("claude", "gemini")


def choose(
    agents: list[str], me: str, client: Client, listed: list[str], exchanged: Callable[[], dict[str, float]]
) -> list[str]:
    """Return those of `agents` that have a reading tool in the list of `me`, in the order of `agents`.

    `listed` are those that have one now. `exchanged` returns when mail was last exchanged with each agent; it is
    asked only if there is room.
    """
    most = client.listing.reading_tools
    first = [next((one for one in (f"{name}@{project_of(me)}", name) if one in agents), "") for name in FIRST]
    chosen = [one for one in dict.fromkeys((*first, *listed)) if one in agents][:most]
    if len(chosen) < min(most, len(agents)):
        times = exchanged()
        latest = sorted((one for one in times if one in agents and one not in chosen), key=lambda one: -times[one])
        chosen += latest[: most - len(chosen)]
    return [agent for agent in agents if agent in chosen]
