"""Moves an agent to another machine: its home gives it away, or a person takes it from a machine that is gone.

At every moment at most one machine believes that it is the home. The old home holds the agent's locks, and writes the
card as the last thing it does for the agent. The new home begins when it reads that card. A home taken by force is
the exception: there a person states that the old machine is off.
"""

from __future__ import annotations

import time
from collections.abc import Iterable
from contextlib import suppress

from ai_bridge.agents import cards, presence
from ai_bridge.agents.presence import SESSION
from ai_bridge.errors import BridgeError
from ai_bridge.machines import home_lines, homes, presence_pages, this_machine
from ai_bridge.machines.home_lines import Residence
from ai_bridge.machines.homes import Homes
from ai_bridge.machines.syncthing import status
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable, state_files
from ai_bridge.system.locks import Lock, holder

_LOOK_S = 0.1
# How long a router may take to notice the move and make it: one sweep, and the work after it.
_ROUTER_S = 20.0
# How long the last moves made here may take to reach other machines, before the card names the next home.
_OUT_S = 10.0


class UnknownHome(BridgeError):
    sentence = "no machine is called {name} here; known: {known}"


class StillInUse(BridgeError):
    sentence = "{agent} is in use on this machine ({holder}): end that first"


class NotInStep(BridgeError):
    exit_code = 3
    sentence = (
        "{agent} stays here for now: the latest changes on this machine have not reached another one; "
        "`ai-bridge sync` says how the link stands"
    )


class NotGiven(BridgeError):
    exit_code = 3
    sentence = (
        "{home} was asked for {agent}, and has not given it within {seconds} s: it does so once its router runs and "
        "{agent} has no session there, as long as a router or a session runs here; "
        "if that machine is gone for good: `ai-bridge card move-home {agent} --force`"
    )


def due(mailboxes: Tree, known: Homes, agents: Iterable[str]) -> list[tuple[str, str]]:
    """Return (agent, new home) for each agent that lives here and is to move.

    The field `next` of its card names the new home, or another machine asks for the agent.
    """
    found, asked = [], presence_pages.asked(mailboxes)
    for agent in agents:
        with suppress(BridgeError):
            said = known.residence_of(agent)
            to = said.next or asked.get(agent, "")
            if this_machine.is_home(to) and to != said.home and said.home in ("", this_machine.here()):
                found.append((agent, to))
    return found


def give(mailboxes: Tree, agent: str, to: str) -> bool:
    """Make the machine `to` the agent's home; False if the agent is in use here, or if changes are not out yet.

    The caller holds the agent's router lock. Takes its session and reader locks meanwhile, waits up to 10 seconds
    for Syncthing, and writes the card. Raises `BadCard`, `BadField` or OSError.
    """
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


def _write(mailboxes: Tree, agent: str, to: str) -> None:
    """Remember the new home, then write it into the card; after a crash between the two the router writes it."""
    cards.load(mailboxes, agent)  # a card that cannot be changed is refused before anything is changed
    epoch = Homes(mailboxes).residence_of(agent).epoch + 1
    homes.remember(mailboxes, agent, Residence(to, epoch))
    cards.put(mailboxes, agent, {"home": to, "epoch": str(epoch), "next": ""})
    durable.remove(mailboxes.state_file(homes.WANTED, agent), flush=True)  # else this machine would ask for it again


def restore_homes(mailboxes: Tree, known: Homes) -> None:
    """Write the known home into cards that name an older one: a move was cut short, or an old card came back.

    Raises `BadCard`, `BadField` or OSError.
    """
    for agent in sorted(known.stale):
        known.residence_of(agent)
        if agent in known.stale:
            cards.put(mailboxes, agent, home_lines.fields(homes.remembered(mailboxes, agent)))
            known.residence_of(agent)


def move(mailboxes: Tree, agent: str, to: str, by_force: bool, timeout_s: float) -> str:
    """Move an agent to the machine `to` ('': this one), and return the ID of its home once the move is done.

    If the agent lives on another machine, asks that machine and waits up to `timeout_s` seconds; with `by_force`
    takes the agent without asking. Takes locks, writes the card and this machine's page. Raises `UnknownHome`,
    `StillInUse`, `NotInStep`, `NotGiven` (this machine then goes on asking) or `BadCard`.
    """
    known, here = Homes(mailboxes), this_machine.here()
    to, now = _machine(mailboxes, to) if to else here, known.home_of(agent)
    restore_homes(mailboxes, known)
    if now == to:
        return to
    if now not in ("", here) and not by_force:
        _ask(mailboxes, agent, now, timeout_s)
        now = here
    if now != to:
        _give_away(mailboxes, agent, to)
    presence.announce(mailboxes)
    return to


def _give_away(mailboxes: Tree, agent: str, to: str) -> None:
    """Write the new home; if a router works here, name it as `next` in the card, and the router does the rest."""
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


def _await_given(mailboxes: Tree, agent: str, to: str) -> None:
    if _comes(mailboxes, agent, to, _ROUTER_S):
        return
    cards.put(mailboxes, agent, {"next": ""})
    if Homes(mailboxes).home_of(agent) != to:  # the router may have done it in the last instant
        _refuse(mailboxes, agent)


def _refuse(mailboxes: Tree, agent: str) -> None:
    for role in (SESSION, "reader"):
        if (found := holder(mailboxes.lock_file(role, agent))) is not None:
            raise StillInUse(agent=agent, holder=str(found))
    raise NotInStep(agent=agent)


def _ask(mailboxes: Tree, agent: str, now: str, timeout_s: float) -> None:
    path = mailboxes.state_file(homes.WANTED, agent)
    state_files.remember(path, b"")
    if not _comes(mailboxes, agent, this_machine.here(), timeout_s, is_asked=True):
        raise NotGiven(agent=agent, home=now, seconds=f"{timeout_s:g}")
    durable.remove(path, flush=True)
    presence.announce(mailboxes)


def _comes(mailboxes: Tree, agent: str, to: str, timeout_s: float, is_asked: bool = False) -> bool:
    """Wait until the card says that the agent lives on `to`; False if it does not within `timeout_s` seconds.

    If `is_asked`, this machine keeps asking for the agent: it renews its page, because an old page does not count.
    """
    deadline, known = time.monotonic() + timeout_s, Homes(mailboxes)
    while known.home_of(agent) != to:
        if is_asked:
            presence.announce(mailboxes, is_up=True)
        if time.monotonic() >= deadline:
            return False
        time.sleep(_LOOK_S)
    return True


def _machine(mailboxes: Tree, name: str) -> str:
    """Return the ID of the machine that `name` means: a whole ID, or a label with which only one ID begins."""
    known = presence.known_machines(mailboxes)
    meant = [one for one in known if name in (one, one.rpartition("-")[0])]
    if len(meant) != 1:
        raise UnknownHome(name=name, known=", ".join(sorted(known)))
    return meant[0]
