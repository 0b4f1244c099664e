"""Removes agents, and brings them back. A removed agent's mail is kept, and it gets no new mail.

A person removes an agent. The name of a further session (`claude-2`) also retires by itself, once no session had it
for a week and no mail waits for it. The next session that takes the name brings it back.
"""

from __future__ import annotations

import os
import time

from ai_bridge.agents import address_book, cards, presence
from ai_bridge.agents.retired import RETIRED, UNUSED, retired_since
from ai_bridge.agents.sessions import further
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.tree import AGENTS, Tree
from ai_bridge.mailboxes.unread import coming, inboxes
from ai_bridge.message.address import is_numbered
from ai_bridge.system import state_files, times
from ai_bridge.system.state_files import Mark

AWAY_S = 7 * 86_400


def retire(mailboxes: Tree, address: str, by_itself: bool = False) -> None:
    """Write into an agent's card that it was removed; takes the card's lock. Raises what `cards.put` raises."""
    cards.put(mailboxes, address, {RETIRED: (UNUSED if by_itself else "") + times.format_utc(time.time())})


def bring_back(mailboxes: Tree, address: str) -> bool:
    """Let an agent that was removed take mail again; changes its card. False if it was not removed.

    Raises what `cards.put` raises.
    """
    if not retired_since(mailboxes, address):
        return False
    cards.put(mailboxes, address, {RETIRED: ""})
    return True


def retire_unused(mailboxes: Tree) -> list[str]:
    """Retire the names of further sessions that no session had for a week, and that no mail waits for.

    Returns them. Changes their cards. Raises what `cards.put` raises, or OSError.
    """
    names = further.recorded(mailboxes)
    homes = Homes(mailboxes)
    unused = [
        name
        for name in names
        if is_numbered(name) and not retired_since(mailboxes, name) and not homes.is_elsewhere(name)
    ]
    if not unused:
        return []
    here, now = presence.all_presences(mailboxes), time.time()
    waiting = {**inboxes(mailboxes), **coming(mailboxes)}
    found = [
        name
        for name in unused
        if name not in waiting and (one := here.get(name)) and not one.online and 0 < one.seen < now - AWAY_S
    ]
    for name in found:
        retire(mailboxes, name, by_itself=True)
    return found


class Retirees:
    """The agents that were removed; the cards are looked at again only if one of them has changed."""

    __slots__ = ("_mark", "_names")

    def __init__(self) -> None:
        self._mark: Mark | None = None
        self._names: frozenset[str] = frozenset()

    def names(self, mailboxes: Tree) -> frozenset[str]:
        """Return the addresses of all agents that were removed; raises OSError if the cards cannot be listed."""
        try:
            mark = state_files.mark(os.path.join(mailboxes.path, AGENTS))
        except FileNotFoundError:
            return frozenset()
        if mark != self._mark:
            found = address_book.load_all(mailboxes)
            self._mark, self._names = mark, frozenset(name for name, card in found.items() if card.get(RETIRED))
        return self._names
