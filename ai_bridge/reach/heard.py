"""Reports which mail the sessions were rung for, and what a live session has not heard of. It only reads."""

from __future__ import annotations

import time

from ai_bridge.agents.presence import session
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.message.urgency import QUIET
from ai_bridge.reach.due import came_ns, name_of, said_urgency
from ai_bridge.reach.memory import HEARD, LOST, NS, READ, RUNG, SHOWN, Entry, Memory
from ai_bridge.reach.memory_file import memories, memory_of
from ai_bridge.reach.pace import pace_of
from ai_bridge.settings import OFF, Settings
from ai_bridge.system import times
from ai_bridge.text import counted

# A ring needs some time to be heard, and a session to begin.
_PATIENCE_S = 60.0
_HEARD = {RUNG: "not heard", LOST: "it did not arrive", HEARD: "heard", SHOWN: "shown", READ: "heard and read"}
# So many messages are read to see how urgent they are; the others count as ordinary.
_READ_MOST = 20


def account(mailboxes: Tree, place: Place) -> str:
    """Return how the recipient's session was rung for a message, and whether it heard; '' if it was not rung."""
    name = f"{place.outbox.owner}/{place.name}"
    found = [one.entries[name] for one in memories(mailboxes, place.recipient) if name in one.entries]
    rung = max(found, key=lambda one: one.rung_ns, default=None)
    return "" if rung is None or not rung.times else f"{_rings(rung)}: {_HEARD.get(rung.how, rung.how)}"


def unheard(mailboxes: Tree, agent: str, unread: list[Waiting], loaded: Settings) -> str:
    """Return a sentence about unread mail of which the agent's live session has not heard for long; '' if it has."""
    live = session(mailboxes, agent) if unread and loaded.reach != OFF else None
    if live is None:
        return ""
    memory, since_ns = memory_of(mailboxes, agent, live.serves.partition(" ")[0]), time.time_ns() - _PATIENCE_S * NS
    late = [one for one in unread if came_ns(one) < since_ns and not _is_heard(memory, one)]
    late = [one for number, one in enumerate(late) if number >= _READ_MOST or said_urgency(one) != QUIET]
    if not late:
        return ""
    age = times.age((time.time_ns() - min(map(came_ns, late))) / NS)
    return f"{agent} has not heard of {counted(len(late), 'message')} for {age}: {_why(memory, late, loaded)}"


def _is_heard(memory: Memory, one: Waiting) -> bool:
    entry = memory.entries.get(name_of(one))
    return entry is not None and entry.came_ns == came_ns(one) and entry.how in (HEARD, SHOWN, READ)


def _why(memory: Memory, late: list[Waiting], loaded: Settings) -> str:
    if pace_of(loaded).turn_ns(memory, time.time_ns()):
        turns = counted(len(memory.wakes_ns), "turn")
        return f"mail began {turns} within an hour (wakes_per_hour), and waits for the next"
    rung = [memory.entries[name_of(one)] for one in late if name_of(one) in memory.entries]
    last = max(rung, key=lambda one: one.rung_ns, default=None)
    return f"{_rings(last)}, and not heard" if last else "nothing has rung it: it may be at work, or out of reach"


def _rings(one: Entry) -> str:
    """Return how often the session was rung, when last, and by what."""
    often = "" if one.times == 1 else f" {one.times} times, last"
    return f"rung{often} {times.age(max(time.time_ns() - one.rung_ns, 0) / NS)} ago by {one.by}"
