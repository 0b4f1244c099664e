"""An agent moves to another machine: its home gives it away, or a person takes it from a machine that is gone.

At every moment one machine at most believes it is the home: who gives an agent away holds its locks, and writes the
card as the last thing it does for the agent; who gets it begins when it reads that card. Only a home that is taken by
force rests on a person's word that its machine is off.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterable
from contextlib import suppress

from ai_bridge import cards, durable, home, homes, machines, presence
from ai_bridge.errors import BridgeError
from ai_bridge.homes import Claim, Homes
from ai_bridge.locks import Lock, holder
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.presence import SESSION
from ai_bridge.sync import status

_LOOK_S = 0.1
_LOCK_S = 5.0
# How long the last moves made here may take to reach the others, before the card that says who moves next.
_OUT_S = 10.0


class UnknownHome(BridgeError):
    sentence = "no machine is called {name} here; known: {known}"


class StillInUse(BridgeError):
    sentence = "{agent} is in use on this machine ({holder}): end that first"


class NotGiven(BridgeError):
    exit_code = 3
    sentence = (
        "{home} was asked for {agent}, and has not given it within {seconds} s: it will when its router runs and no "
        "session there is {agent}; if that machine is gone for good: `ai-bridge card move-home {agent} --force`"
    )


def due(mailboxes: Mailboxes, known: Homes, agents: Iterable[str]) -> list[tuple[str, str]]:
    """Return the agents that live here and are to move, and where to: so says their card, or another machine asks."""
    found, asked = [], machines.asked(mailboxes)
    for agent in agents:
        with suppress(BridgeError):
            said = known.claim(agent)
            to = said.next or asked.get(agent, "")
            if home.is_home(to) and said.home == home.here() != to:
                found.append((agent, to))
    return found


def mend(mailboxes: Mailboxes, known: Homes, agents: Iterable[str]) -> None:
    """Write the cards anew of agents that live here although an old card says otherwise."""
    for agent in agents:
        with suppress(BridgeError, OSError):
            if known.is_card_old(agent) and known.is_here(agent):
                cards.put(mailboxes, agent, {"home": home.here(), "epoch": str(known.claim(agent).epoch), "next": ""})


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
    epoch = Homes(mailboxes).claim(agent).epoch + 1
    homes.remember(mailboxes, agent, Claim(to, epoch))
    cards.put(mailboxes, agent, {"home": to, "epoch": str(epoch), "next": ""})


def move(mailboxes: Mailboxes, agent: str, to: str, by_force: bool, timeout_s: float) -> str:
    """Move an agent to the machine `to`; returns the ID of its home, once it has it.

    Raises `UnknownHome`, `StillInUse`, `NotGiven` (then it is asked for still) or `BadCard`.
    """
    known, here = Homes(mailboxes), home.here()
    to, now = _machine(mailboxes, to) if to else here, known.of(agent)
    if now == to:
        return to
    if now in ("", here) or by_force:
        _give_away(mailboxes, agent, to)
    else:
        _ask(mailboxes, agent, now, timeout_s)
    presence.announce(mailboxes)
    return to


def _give_away(mailboxes: Mailboxes, agent: str, to: str) -> None:
    """Write the new home; a router at work here does it, at its next sweep, once its card says so."""
    lock = Lock(mailboxes.lock_file("router", agent))
    if not lock.acquire("handover", agent, patience_s=0.1):
        cards.put(mailboxes, agent, {"next": to})
        _await_given(mailboxes, agent, to, _LOCK_S * 3)
        return
    try:
        if not give(mailboxes, agent, to):
            raise StillInUse(agent=agent, holder=_users(mailboxes, agent))
    finally:
        lock.release()


def _await_given(mailboxes: Mailboxes, agent: str, to: str, timeout_s: float) -> None:
    if _comes(mailboxes, agent, to, timeout_s):
        return
    cards.put(mailboxes, agent, {"next": ""})
    raise StillInUse(agent=agent, holder=_users(mailboxes, agent))


def _users(mailboxes: Mailboxes, agent: str) -> str:
    found = (holder(mailboxes.lock_file(role, agent)) for role in (SESSION, "reader", "router"))
    return next((str(one) for one in found if one is not None), "its router has not answered")


def _ask(mailboxes: Mailboxes, agent: str, now: str, timeout_s: float) -> None:
    path = mailboxes.state_file(homes.WANTED, agent)
    durable.make_directory(os.path.dirname(path))
    os.close(durable.open_own(path))
    presence.announce(mailboxes)
    if not _comes(mailboxes, agent, home.here(), timeout_s):
        raise NotGiven(agent=agent, home=now, seconds=f"{timeout_s:g}")


def _comes(mailboxes: Mailboxes, agent: str, to: str, timeout_s: float) -> bool:
    """Wait until the card says that the agent lives there; False where it does not in time."""
    deadline, known = time.monotonic() + timeout_s, Homes(mailboxes)
    while known.of(agent) != to:
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def _machine(mailboxes: Mailboxes, name: str) -> str:
    """Return the ID of the machine called so: by its whole ID, or by the label it begins with where that is one's."""
    known = machines.known(mailboxes)
    meant = [one for one in known if name in (one, one.rpartition("-")[0])]
    if len(meant) != 1:
        raise UnknownHome(name=name, known=", ".join(sorted(known)))
    return meant[0]
