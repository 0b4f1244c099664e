"""An agent moves to another machine: its home gives it away, or a person takes it from a machine that is gone.

At every moment one machine at most believes it is the home: who gives an agent away holds its locks, and writes the
card as the last thing it does for the agent; who gets it begins when it reads that card. Only a home that is taken by
force rests on a person's word that its machine is off.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

from ai_bridge.agents import cards, presence
from ai_bridge.agents.presence import SESSION
from ai_bridge.errors import BridgeError
from ai_bridge.machines import home_lines, homes, presence_pages, this_machine
from ai_bridge.machines.home_lines import Claim
from ai_bridge.machines.homes import Homes
from ai_bridge.machines.syncthing import status
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.system import durable, state_files
from ai_bridge.system.locks import Lock, holder

_LOOK_S = 0.1
# How long a router may take to come round to it: a sweep, and what follows.
_ROUTER_S = 20.0
# How long the last moves made here may take to reach the others, before the card that says who moves next.
_OUT_S = 10.0


class UnknownHome(BridgeError):
    sentence = "no machine is called {name} here; known: {known}"


class StillInUse(BridgeError):
    sentence = "{agent} is in use on this machine ({holder}): end that first"


class NotInStep(BridgeError):
    exit_code = 3
    sentence = (
        "{agent} stays here for now: what was done last on this machine has not reached another one; "
        "`ai-bridge sync` says how the link stands"
    )


class NotGiven(BridgeError):
    exit_code = 3
    sentence = (
        "{home} was asked for {agent}, and has not given it within {seconds} s: it will when its router runs and no "
        "session there is {agent}, while a router or a session runs here; "
        "if that machine is gone for good: `ai-bridge card move-home {agent} --force`"
    )


def due(mailboxes: Mailboxes, known: Homes, agents: Iterable[str]) -> list[tuple[str, str]]:
    """Return the agents that live here and are to move, and where to: so says their card, or another machine asks."""
    found, asked = [], presence_pages.asked(mailboxes)
    for agent in agents:
        with suppress(BridgeError):
            said = known.claim(agent)
            to = said.next or asked.get(agent, "")
            if this_machine.is_home(to) and to != said.home and said.home in ("", this_machine.here()):
                found.append((agent, to))
    return found


def give(mailboxes: Mailboxes, agent: str, to: str) -> bool:
    """Make another machine the agent's home; False while it is in use here. The caller holds its router lock."""
    locks = [Lock(mailboxes.lock_file(role, agent)) for role in (SESSION, "reader")]
    try:
        free = all(lock.acquire("handover", agent, patience_s=0.1) for lock in locks)
        if not free or not status.is_all_out(mailboxes, _OUT_S):
            return False
        _write(mailboxes, agent, to)
        return True
    finally:
        for lock in locks:
            lock.release()


def _write(mailboxes: Mailboxes, agent: str, to: str) -> None:
    """Remember the new home, then write it; what comes between the two, `mend` mends."""
    cards.load(mailboxes, agent)  # a card that cannot be changed is refused before anything is
    epoch = Homes(mailboxes).claim(agent).epoch + 1
    homes.remember(mailboxes, agent, Claim(to, epoch))
    cards.put(mailboxes, agent, {"home": to, "epoch": str(epoch), "next": ""})
    durable.remove(mailboxes.state_file(homes.WANTED, agent), flush=True)  # else it is asked for again


def mend(mailboxes: Mailboxes, known: Homes) -> None:
    """Write what this machine knows into cards that say less: a move was cut short, or an old card came back.

    Raises `BadCard`, `BadField` or OSError.
    """
    for agent in sorted(known.stale):
        known.claim(agent)
        if agent in known.stale:
            cards.put(mailboxes, agent, home_lines.fields(homes.remembered(mailboxes, agent)))
            known.claim(agent)


def move(mailboxes: Mailboxes, agent: str, to: str, by_force: bool, timeout_s: float) -> str:
    """Move an agent to the machine `to`; returns the ID of its home, once it has it.

    Raises `UnknownHome`, `StillInUse`, `NotInStep`, `NotGiven` (then it is asked for still) or `BadCard`.
    """
    known, here = Homes(mailboxes), this_machine.here()
    to, now = _machine(mailboxes, to) if to else here, known.of(agent)
    mend(mailboxes, known)
    if now == to:
        return to
    if now not in ("", here) and not by_force:
        _ask(mailboxes, agent, now, timeout_s)
        now = here
    if now != to:
        _give_away(mailboxes, agent, to)
    presence.announce(mailboxes)
    return to


def _give_away(mailboxes: Mailboxes, agent: str, to: str) -> None:
    """Write the new home; a router at work here does it, at its next sweep, once its card says so."""
    lock = Lock(mailboxes.lock_file("router", agent))
    if not lock.acquire("handover", agent, patience_s=0.1):
        cards.put(mailboxes, agent, {"next": to})
        _await_given(mailboxes, agent, to)
        return
    try:
        if not give(mailboxes, agent, to):
            _refuse(mailboxes, agent)
    finally:
        lock.release()


def _await_given(mailboxes: Mailboxes, agent: str, to: str) -> None:
    if _comes(mailboxes, agent, to, _ROUTER_S):
        return
    cards.put(mailboxes, agent, {"next": ""})
    if Homes(mailboxes).of(agent) != to:  # nor in the last instant
        _refuse(mailboxes, agent)


def _refuse(mailboxes: Mailboxes, agent: str) -> None:
    for role in (SESSION, "reader"):
        if (found := holder(mailboxes.lock_file(role, agent))) is not None:
            raise StillInUse(agent=agent, holder=str(found))
    raise NotInStep(agent=agent)


def _ask(mailboxes: Mailboxes, agent: str, now: str, timeout_s: float) -> None:
    path = mailboxes.state_file(homes.WANTED, agent)
    state_files.remember(path, b"")
    if not _comes(mailboxes, agent, this_machine.here(), timeout_s, is_asked=True):
        raise NotGiven(agent=agent, home=now, seconds=f"{timeout_s:g}")
    durable.remove(path, flush=True)
    presence.announce(mailboxes)


def _comes(mailboxes: Mailboxes, agent: str, to: str, timeout_s: float, is_asked: bool = False) -> bool:
    """Wait until the card says that the agent lives there; False where it does not in time.

    Where it `is_asked` for, this machine says again and again that it still does: a page that is old counts no more.
    """
    deadline, known = time.monotonic() + timeout_s, Homes(mailboxes)
    while known.of(agent) != to:
        if is_asked:
            presence.announce(mailboxes, is_up=True)
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def _machine(mailboxes: Mailboxes, name: str) -> str:
    """Return the ID of the machine called so: by its whole ID, or by the label it begins with where that is one's."""
    known = presence.known_machines(mailboxes)
    meant = [one for one in known if name in (one, one.rpartition("-")[0])]
    if len(meant) != 1:
        raise UnknownHome(name=name, known=", ".join(sorted(known)))
    return meant[0]
