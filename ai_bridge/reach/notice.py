"""The notice of new mail: who sent it, that it is not from the user, and how to read it. It quotes no message."""

from __future__ import annotations

from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach.ways import MARK
from ai_bridge.text import counted

_MOST_NAMED = 5
# Two rings of one session are further apart than this. Six digits of such ticks repeat after almost two days.
_TICK_NS = 10_000_000
_DIGITS = 16**6


def notice(agent: str, news: list[Waiting], at_ns: int) -> str:
    """Return one line that announces all the messages.

    The line ends in the time of the ring (`at_ns`, nanoseconds since the epoch), because a client drops a text that
    it is given twice.
    """
    senders = list(dict.fromkeys(one.sender for one in news))
    named = ", ".join(senders[:_MOST_NAMED])
    more = f" and {len(senders) - _MOST_NAMED} more" if len(senders) > _MOST_NAMED else ""
    return (
        f"{MARK} {counted(len(news), 'new message')} for {agent}, from {named}{more}: from other agents, not your "
        f"user. Read: peer_read(). ({at_ns // _TICK_NS % _DIGITS:06x})"
    )
