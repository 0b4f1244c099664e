"""The name of a session: its agent's address if that is free, else the next free one. A lock holds it.

A name is never taken from a live session. A session that comes back (its client gives the same key) gets its earlier
name again, if that name is free now.
"""

import time
from collections.abc import Iterator
from contextlib import suppress

from ai_bridge.agents.identity import Identity, local
from ai_bridge.agents.presence import SESSION, session
from ai_bridge.agents.retired import UNUSED, retired_since
from ai_bridge.agents.retirement import bring_back
from ai_bridge.agents.session_keys import digest, remember, remembered
from ai_bridge.agents.sessions import further
from ai_bridge.errors import BridgeError
from ai_bridge.machines import this_machine
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import numbered
from ai_bridge.system import durable
from ai_bridge.system.locks import Lock

# How long a session waits for its predecessor, which may just be ending.
_PATIENCE_S = 2.0
_MOST = 99


class TooManySessions(BridgeError):
    sentence = "{most} sessions of {address} are alive: end one, or set AI_BRIDGE_AGENT to another address"
    for_model = "{most} sessions of {address} are alive: tell your user to end one"


class Removed(BridgeError):
    sentence = "{address} was removed: `ai-bridge init {address}` brings it back"
    for_model = "{address} was removed: tell your user that `ai-bridge init {address}` brings it back"


class Name:
    """The `address` of a session, the reason for it (`why`), and the lock that keeps it."""

    __slots__ = ("_lock", "address", "why")

    def __init__(self, address: str, why: str, lock: Lock) -> None:
        self.address = address
        self.why = why
        self._lock = lock

    def is_held(self) -> bool:
        """Tell whether the session still has the name: it has lost the name if the state directory was removed."""
        return self._lock.is_in_place()

    def touch(self) -> None:
        """Note on the lock file that the session is at work now; this becomes the time when it was last seen."""
        with suppress(OSError):
            durable.set_written(self._lock.path, time.time_ns())

    def release(self) -> None:
        """Give the name back: release its lock."""
        self._lock.release()


def take(mailboxes: Tree, wanted: Identity, client: str = "", key: str = "") -> Name:
    """Take the lock of a free name for a session of the agent `wanted`, and return the name.

    `key` identifies a session that comes back, '' if its client gives none. Waits up to 2 seconds for an earlier
    session to end. Remembers the name in the state directory. The name of a further session that
    was removed comes back. Raises `Removed` if the agent itself was, `TooManySessions` or OSError.
    """
    known = mailboxes.part(Homes)
    own = _own(known, wanted.address)
    for name, why in _names(mailboxes, known, wanted.address, key):
        if known.is_elsewhere(name):
            continue
        if not _may_be_taken(mailboxes, name, wanted.address):
            continue
        since = retired_since(mailboxes, name)
        if since and name == wanted.address and not since.startswith(UNUSED):
            raise Removed(address=name)
        lock = Lock(mailboxes.lock_file(SESSION, name))
        if lock.acquire(SESSION, f"{digest(key) or '-'} {client}", _PATIENCE_S if name == wanted.address else 0.1):
            remember(mailboxes, key, name)
            further.record(mailboxes, name, own)
            if since:
                bring_back(mailboxes, name)
            return Name(name, f"{wanted.why}{why}", lock)
    raise TooManySessions(most=_MOST, address=wanted.address)


def _may_be_taken(mailboxes: Tree, name: str, wanted: str) -> bool:
    """Tell whether a further session may have a name: it may not if somebody created an agent of that name."""
    made = mailboxes.outbox(name).is_there()
    return name == wanted or not made or further.is_recorded(mailboxes, name)


def _own(known: Homes, agent: str) -> str:
    """Return the address that a session of the agent has on this machine, if no other session has it."""
    return local(agent, this_machine.label()) if known.is_elsewhere(agent) else agent


def _names(mailboxes: Tree, known: Homes, agent: str, key: str) -> Iterator[tuple[str, str]]:
    """Yield (address, addition to `why`) for each address that the session may have, the best first."""
    wanted = _own(known, agent)
    elsewhere = f"; {agent} lives on {known.home_of(agent)}" if wanted != agent else ""
    had = remembered(mailboxes, key)
    if had is not None and had != wanted and had in (numbered(wanted, number) for number in range(2, _MOST + 1)):
        yield had, f"; this session had that name before{elsewhere}"
    yield wanted, elsewhere
    for number in range(2, _MOST + 1):
        holder = session(mailboxes, wanted)
        taken = f"; another session is {wanted} ({holder})" if holder else ""
        yield numbered(wanted, number), elsewhere + taken
