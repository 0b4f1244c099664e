"""Late mail: messages that wait although a router is at work, how many, and for how long nobody has moved them."""

import os
import time

from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import coming
from ai_bridge.message.address import is_address
from ai_bridge.router.at_work import mover_of
from ai_bridge.system import state_files, times
from ai_bridge.system.locks import Holder
from ai_bridge.text import counted, on_its_way

_ON_ITS_WAY = (DROPPED, PROCESSING)
# In seconds. A message that came later than this is not late, even if the machine is busy.
_LEAST_S = 1.0


class Delay:
    """`count` late messages. `holder` has the router lock, and has not moved the oldest for `seconds` seconds."""

    __slots__ = ("count", "holder", "seconds")

    def __init__(self, count: int, holder: Holder, seconds: float) -> None:
        self.count = count
        self.holder = holder
        self.seconds = seconds

    @property
    def unmoved(self) -> str:
        """Says which process has not moved them, and for how long."""
        it = "it" if self.count == 1 else "the oldest"
        return f"the {self.holder.role} (pid {self.holder.pid}) has not moved {it} for {times.age(self.seconds)}"

    def __str__(self) -> str:
        return f"{counted(self.count, 'message')} {on_its_way(self.count)}; {self.unmoved}"

    def as_json(self) -> dict[str, object]:
        return {"count": self.count, "oldest_s": round(self.seconds, 1), "router": self.holder.pid}


def delay(mailboxes: Tree, agent: str, sender: str | None = None) -> Delay | None:
    """Return how late the agent's mail is; None if no mail is late, or if no router and no reader is at work.

    If `sender` is given, only its mail counts. Raises `NotMailboxes` if the tree is gone.
    """
    if (at_work := mover_of(mailboxes, agent)) is None:
        return None
    boxes = mailboxes.outboxes() if sender is None else [mailboxes.outbox(sender)]
    paths = [box.file(state, name) for box in boxes for state in _ON_ITS_WAY for name in box.visible(state, agent)]
    return _late(paths, at_work)


def delays(mailboxes: Tree) -> dict[str, Delay]:
    """Return the delay of each recipient whose mail is late; lists every outbox once, raises `NotMailboxes`."""
    paths = coming(mailboxes)
    found: dict[str, Delay] = {}
    for agent in filter(is_address, paths):
        if (at_work := mover_of(mailboxes, agent)) and (late := _late(paths[agent], at_work)):
            found[agent] = late
    return found


def delay_of(path: str, at_work: Holder) -> Delay | None:
    """Return the delay of the one message at `path`; None if it is not late."""
    return _late([path], at_work)


def idle_s(mailboxes: Tree) -> float:
    """Return the seconds since the last claim or delivery: each changes the time of a `.processing` directory."""
    moved = [state_files.written_s(box.directory(PROCESSING)) for box in mailboxes.outboxes()]
    return max(0.0, time.time() - max(moved, default=0.0))


def _late(paths: list[str], at_work: Holder) -> Delay | None:
    now = time.time()
    ages = [seconds for path in paths if (seconds := age_of(path, now)) >= _LEAST_S]
    return Delay(len(ages), at_work, max(ages)) if ages else None


def age_of(path: str, now: float) -> float:
    """Return the seconds since the file came where it is (its ctime), 0.0 if it is gone."""
    try:
        return max(0.0, now - os.lstat(path).st_ctime)
    except OSError:
        return 0.0
