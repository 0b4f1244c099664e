"""Fulfils the wishes of other machines, as far as this machine is the one that moves the message."""

import os
from collections.abc import Iterator

from ai_bridge.agents.person import is_persons
from ai_bridge.archive import discard, removal, wishes, withdraw
from ai_bridge.archive.movers import Movers
from ai_bridge.archive.removal import InUse
from ai_bridge.archive.wishes import DISCARD, REMOVE, WITHDRAW, Wish
from ai_bridge.errors import BridgeError
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import HELD, MALFORMED, STATES
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import ReaderBusy
from ai_bridge.message import address
from ai_bridge.system import durable
from ai_bridge.text import counted


def fulfil(mailboxes: Tree, reader: str = "") -> Iterator[str]:
    """Fulfil what this machine is asked for, and remove those wishes; yields a sentence for each, for the log.

    A wish that cannot be fulfilled just now, because a session reads the mail, stays. `reader` is the agent
    whose mail the caller is about to read, and whose reader lock is not asked for. Raises OSError.
    """
    movers = Movers(mailboxes)
    for wish in wishes.asked(mailboxes):
        said = ""
        if wish.what in (WITHDRAW, DISCARD):
            said = _moved(mailboxes, movers, wish, reader)
        elif wish.what == REMOVE:
            said = _removed(mailboxes, wish.of)
        if said:
            durable.remove(wish.path, flush=True)
            yield f"{wish.by} asked to {wish.what} {wish.of.rpartition('/')[2]}: {said}"


def _moved(mailboxes: Tree, movers: Movers, wish: Wish, reader: str) -> str:
    """Do what a wish says of a file that this machine moves; '' if it does not, or if it is to be tried again."""
    owner, name = wish.file
    if not _is_file(mailboxes, owner, name) or not movers.is_here(owner, name):
        return ""
    return _done(mailboxes, wish, owner, name, reader)


def _removed(mailboxes: Tree, agent: str) -> str:
    """Remove an agent that lives here; '' if it does not, or if a session has its address just now.

    A person's address is removed only by the command, in the person's own terminal.
    """
    if not (address.is_address(agent) and mailboxes.has_outbox(agent) and Homes(mailboxes).is_here(agent)):
        return ""
    if is_persons(mailboxes, agent):
        return "refused: it is a person's address"
    try:
        return f"{counted(removal.remove(mailboxes, agent).archived, 'message')} archived"
    except (InUse, ReaderBusy):
        return ""
    except BridgeError as refusal:  # a damaged card, say: no wish keeps the others from being fulfilled
        return f"not done: {refusal}"


def _is_file(mailboxes: Tree, owner: str, name: str) -> bool:
    """Tell whether a wish names an agent and a plain file name."""
    is_plain = name == os.path.basename(name) and name.endswith(".txt") and not name.startswith(".")
    return address.is_address(owner) and is_plain and mailboxes.has_outbox(owner)


def _done(mailboxes: Tree, wish: Wish, owner: str, name: str, reader: str) -> str:
    """Do what a wish says, if its maker may; returns what happened, '' if it is to be tried again."""
    place = _place(mailboxes, owner, name)
    if place is None:
        return "there is no such message any more"
    if wish.what == WITHDRAW and wish.by == owner:
        end = withdraw.take_back(mailboxes, place, f"{owner} withdrew it before it was read", 0.0, reader)
        return "" if end.is_busy else end.what
    if wish.what == DISCARD and place.state in (HELD, MALFORMED) and discard.may_discard(place, wish.by):
        return discard.put_aside(place, wish.by).what
    return "refused"


def _place(mailboxes: Tree, owner: str, name: str) -> Place | None:
    outbox = mailboxes.outbox(owner)
    found = [state for state in STATES if outbox.has_file(state, name)]
    return Place(outbox, found[0], name, label(name)[1]) if found else None
