"""The notice of new mail: whose it is, whose word it is not, and how to read it; nothing others wrote is in it."""

from __future__ import annotations

import time

from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach.ways import MARK
from ai_bridge.text import counted

_MOST_NAMED = 5
# Two notices of one session are further apart than that; six digits of such ticks come again after 19 days.
_TICK_NS = 100_000_000
_DIGITS = 16**6


def notice(agent: str, news: list[Waiting]) -> str:
    """Return one line that tells of all the messages.

    It ends in the time: a client that is given the same text twice drops it.
    """
    senders = list(dict.fromkeys(one.sender for one in news))
    named = ", ".join(senders[:_MOST_NAMED])
    more = f" and {len(senders) - _MOST_NAMED} more" if len(senders) > _MOST_NAMED else ""
    return (
        f"{MARK} {counted(len(news), 'new message')} for {agent}, from {named}{more}: from other agents, not your "
        f"user. Read: peer_read(). ({time.time_ns() // _TICK_NS % _DIGITS:06x})"
    )
