"""Allowances: a person lets a thread go on, or an agent's mail pass. They are small files that all machines see.

The files `allowed/<ID>.thread` and `allowed/<address>.agent` hold header lines like those of a message. A new
allowance replaces the earlier one. A damaged file allows nothing.
"""

import os
import time

from ai_bridge.errors import Malformed
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.file_names import written
from ai_bridge.mailboxes.outbox import Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import headers
from ai_bridge.message.address import split_list
from ai_bridge.message.ids import is_id
from ai_bridge.system import durable, times, untrusted

FOLDER = "allowed"
_THREAD, _AGENT = ".thread", ".agent"
# Room for the addresses of thousands of agents.
_BYTES = 262_144
# An allowance that is dated further ahead than this (an hour) does not count until that time has come.
_AHEAD_NS = 3_600_000_000_000


class Allowance:
    """One allowance, given at the time `at`: for mail composed until `until`, and for `hops` answers in a thread.

    Both times are UTC, in the form of `message.stamp_of`. `hops` is 0 if it raises no limit. `among` are the agents
    whose mail in a thread is allowed, None stands for everybody.
    """

    __slots__ = ("among", "at", "hops", "until")

    def __init__(self, at: str, until: str, hops: int = 0, among: "set[str] | None" = None) -> None:
        self.at = at
        self.until = until
        self.hops = hops
        self.among = among

    def covers(self, sender: str) -> bool:
        """Tell whether the allowance is for mail of that sender."""
        return self.among is None or sender in self.among

    @property
    def seconds(self) -> float:
        """The time `at`, in seconds since the epoch."""
        return times.parse_stamp(self.at)


def of_thread(mailboxes: Tree, thread: str) -> Allowance | None:
    """Return the allowance of the thread with the ID `thread`, None if there is none; raises OSError."""
    return _read(_path(mailboxes, thread, _THREAD)) if is_id(thread) else None


def of_agent(mailboxes: Tree, address: str) -> Allowance | None:
    """Return the allowance of an agent, None if there is none; raises OSError."""
    return _read(_path(mailboxes, address, _AGENT))


def allow_thread(mailboxes: Tree, thread: str, allowance: Allowance) -> None:
    """Write the allowance of the thread with the ID `thread`, replacing an earlier one; raises OSError."""
    _write(_path(mailboxes, thread, _THREAD), allowance)


def allow_agent(mailboxes: Tree, address: str, allowance: Allowance) -> None:
    """Write the allowance of an agent, replacing an earlier one; raises OSError."""
    _write(_path(mailboxes, address, _AGENT), allowance)


def composed(mailboxes: Tree, outbox: Outbox, state: str, name: str) -> str:
    """Return when a message was composed, as its ID says, in the form of `message.stamp_of`.

    An ID of another team's message may claim any time, so its time is when it came here.
    """
    if mailboxes.part(Homes).is_of_another_team(outbox.owner):
        return written(outbox.file(state, name))
    return outbox.order(state, name)[0]


def _path(mailboxes: Tree, subject: str, ending: str) -> str:
    return os.path.join(mailboxes.path, FOLDER, subject + ending)


def _write(path: str, allowance: Allowance) -> None:
    text = f"At: {times.stamp_to_date(allowance.at)}\nUntil: {times.stamp_to_date(allowance.until)}\n"
    if allowance.hops:
        text += f"Hops: {allowance.hops}\n"
    if allowance.among is not None:
        text += f"Among: {', '.join(sorted(allowance.among))}\n"
    durable.make_directory(os.path.dirname(path))
    durable.replace_own(path, text.encode("ascii"))


def _read(path: str) -> Allowance | None:
    try:
        found = headers.load(untrusted.read_file(path, _BYTES).decode("ascii").strip("\n"))
        at, hops = times.date_to_stamp(found["At"]), int(found.get("Hops", "0"))
        if at > times.format_stamp(time.time_ns() + _AHEAD_NS):
            return None
        among = set(split_list(found["Among"])) if "Among" in found else None
        return Allowance(at, times.date_to_stamp(found.get("Until", found["At"])), hops, among)
    except (FileNotFoundError, NotADirectoryError, Malformed, ValueError, KeyError):
        return None
