"""All agents as one list, each with its card, its presence, and its number of unread messages."""

from __future__ import annotations

from ai_bridge.agents import address_book, presence
from ai_bridge.agents.cards import Card
from ai_bridge.agents.other_teams import GONE
from ai_bridge.agents.presence import Presence
from ai_bridge.agents.retired import RETIRED
from ai_bridge.agents.several import groups
from ai_bridge.agents.work import work_of
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import coming, inboxes
from ai_bridge.system import times
from ai_bridge.text import on_its_way


class Peer:
    """One agent: its `card`, its `presence` (None if it never had a session), its number of `unread` messages.

    `coming` is the number of messages for it that are not delivered yet.
    """

    __slots__ = ("address", "card", "coming", "presence", "unread")

    def __init__(self, address: str, card: Card, presence: Presence | None, unread: int, coming: int) -> None:
        self.address = address
        self.card = card
        self.presence = presence
        self.unread = unread
        self.coming = coming

    @property
    def waiting(self) -> str:
        """Says how much mail awaits it: what is unread, and what is on its way to it."""
        return f"{self.unread} unread" + (f", {self.coming} {on_its_way(self.coming)}" if self.coming else "")

    @property
    def is_online(self) -> bool:
        """Whether the agent has a live session."""
        return self.presence is not None and self.presence.online

    @property
    def client(self) -> str:
        """The client of its session, else the one its card names."""
        return (self.presence.client if self.presence else "") or self.card.get("client")

    @property
    def home(self) -> str:
        """The machine of its session, else the one its card names."""
        return (self.presence.home if self.presence and self.is_online else "") or self.card.get("home")

    @property
    def retired(self) -> str:
        """When it was removed (RFC 3339), '' if it was not."""
        return self.card.get(RETIRED)

    @property
    def groups(self) -> list[str]:
        """The groups that its card names, each as `#backend`."""
        return groups.said_by(self.card.fields)

    def as_json(self) -> dict[str, object]:
        """Return the agent as programs read it; times are RFC 3339, None if they are not known."""
        here = self.presence
        return {
            "address": self.address,
            "display": self.card.display,
            "client": self.client or None,
            "project": self.card.get("project") or None,
            "home": self.home or None,
            "description": self.card.get("description") or None,
            "working_on": work_of(self.card) or None,
            "online": self.is_online,
            "since": times.format_utc(here.since) if here and here.online and here.since else None,
            "last_seen": times.format_utc(here.seen) if here and here.seen else None,
            "unread": self.unread,
            "coming": self.coming,
            **({"groups": self.groups} if self.groups else {}),
            **({"retired": self.retired} if self.retired else {}),
        }


def when(peer: Peer) -> str:
    """Return in words whether the agent is online, or when it was last seen."""
    here = peer.presence
    if here is not None and here.online:
        return f"online since {times.format_utc(here.since)}" if here.since else "online"
    return f"last seen {times.format_utc(here.seen)}" if here is not None and here.seen else "never seen"


def all_peers(mailboxes: Tree, with_retired: bool = False) -> list[Peer]:
    """Return all known agents: those online first, then those with unread mail, each group by address.

    Agents that were removed are among them only `with_retired`.
    """
    known, here = address_book.load_all(mailboxes), presence.all_presences(mailboxes)
    counts = {agent: len(found) for agent, found in inboxes(mailboxes).items()}
    on_their_way = {agent: len(found) for agent, found in coming(mailboxes).items()}
    found = [
        Peer(
            agent,
            known.get(agent) or Card(agent, {}),
            here.get(agent),
            counts.get(agent, 0),
            on_their_way.get(agent, 0),
        )
        for agent in mailboxes.agents()
        if agent not in known or not (known[agent].get(GONE) or (known[agent].get(RETIRED) and not with_retired))
    ]
    return sorted(found, key=lambda peer: (not peer.is_online, not (peer.unread or peer.coming), peer.address))
