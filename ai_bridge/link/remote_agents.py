"""The agents on both sides of a link: our agents' names in other teams; their agents' outboxes and cards here."""

import os
from contextlib import suppress

from ai_bridge.agents import address_book, cards, other_teams
from ai_bridge.agents.cards import Card
from ai_bridge.agents.other_teams import GONE, LINK, REMOTE
from ai_bridge.errors import BridgeError
from ai_bridge.link import wire
from ai_bridge.link.config import Link
from ai_bridge.machines import this_machine
from ai_bridge.mailboxes.outbox import DROPPED, INSIDE, STATES, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable


class NameTakenHere(BridgeError):
    sentence = "{called} of the team {team} is left out: an agent of these mailboxes has that address"


class TooManyAgents(BridgeError):
    sentence = "{called} is left out: the team {team} has {limit} agents here already (setting team_agents)"


class RemoteAgents:
    """The agents of a link: our agents' `names` in other teams, and the cards of `others` by their addresses here.

    A team has at most `limit` agents here. `crowded` are the teams of which further agents were left out. `unnamed`
    are our agents that other teams have no name for.
    """

    def __init__(self, mailboxes: Tree, link: Link, limit: int) -> None:
        self.mailboxes = mailboxes
        self.link = link
        self.limit = limit
        self.crowded: set[str] = set()
        self.names: dict[str, str] = {}
        self.unnamed: list[str] = []
        self.others: dict[str, Card] = {}

    def refresh(self) -> None:
        """Update the names and the cards to the agents that there are now."""
        self.others = other_teams.linked_agents(self.mailboxes)
        ours = [agent for agent in self.mailboxes.agents() if agent not in self.others]
        self.names, self.unnamed = names_of(ours, self.link.team)

    # --- ours -------------------------------------------------------------------------------------------

    def name_of(self, agent: str) -> str:
        """Return the name of one of our agents in other teams, '' if it has none."""
        if agent not in self.names:
            self.refresh()
        return self.names.get(agent, "")

    def names_in(self, team: str) -> dict[str, str]:
        """Return the names that `team` uses for the agents known here; its own agents have their addresses there."""
        theirs = {name: card.get(REMOTE) for name, card in self.others.items() if wire.team_of(name) == team}
        return self.names | theirs

    def cards(self) -> dict[str, bytes]:
        """Return the cards of our agents to publish, by subject."""
        self.refresh()
        known = address_book.load_all(self.mailboxes)
        return {
            wire.card_of(agent, self.link.team): wire.card_bytes(
                called, known[agent].fields if agent in known else {}
            )
            for agent, called in self.names.items()
        }

    # --- theirs -----------------------------------------------------------------------------------------

    def learn(self, team: str, agent: str, raw: bytes) -> str:
        """Write the card of another team's agent and its outbox, or remove the agent if `raw` is empty.

        Returns its address here, '' if nothing changed. Raises `BadWire`, `NameTakenHere` or `TooManyAgents`.
        """
        if not raw:
            return self.forget(self._called(team, agent))
        called, fields = wire.parse_card(raw, team)
        return called if self._write(called, agent, fields) else ""

    def meet(self, called: str, agent: str) -> Outbox:
        """Return the outbox of another team's agent; makes it, and a card, if the agent's card has not come yet.

        Raises `NameTakenHere` or `TooManyAgents`.
        """
        if called not in self.others or not self.mailboxes.outbox(called).is_there():
            self._write(called, agent, {})
        return self.mailboxes.outbox(called)

    def _write(self, called: str, agent: str, fields: dict[str, str]) -> bool:
        """Write the card, and then the outbox, which without a card would be one of our agents; True if changed."""
        outbox = self.mailboxes.outbox(called)
        if called not in self.others and outbox.is_there():
            self.refresh()
            if called not in self.others:
                raise NameTakenHere(called=called, team=wire.team_of(called))
        self._check_room(called)
        own = {LINK: self.link.team, REMOTE: agent, GONE: "", "home": this_machine.here()}
        changed = self._put(called, fields | own)
        made = outbox.make()
        if changed or made or called not in self.others:
            self.refresh()
        return changed or made

    def _check_room(self, called: str) -> None:
        """Raise `TooManyAgents` if the team has its most agents here; agents that left, but left mail here, count."""
        team = wire.team_of(called)
        if called not in self.others and sum(wire.team_of(name) == team for name in self.others) >= self.limit:
            self.crowded.add(team)
            raise TooManyAgents(called=called, team=team, limit=self.limit)

    def _put(self, called: str, fields: dict[str, str]) -> bool:
        """Write a card, of which this link is the only writer; False if it has these fields already."""
        try:
            present = cards.load(self.mailboxes, called)
        except cards.BadCard:
            durable.remove(cards.card_path(self.mailboxes, called))
            present = Card(called, {})
        if present.fields and all(present.get(name) == value for name, value in fields.items()):
            return False
        cards.put(self.mailboxes, called, fields)
        return True

    def forget(self, called: str) -> str:
        """Remove an agent that has left its team, and return its address; '' if it is unknown or has left before.

        If it sent mail that is still here, the outbox and the card stay, and the card says that the agent is gone.
        """
        if not called:
            return ""
        outbox = self.mailboxes.outbox(called)
        if _remove_empty(outbox):
            durable.remove(cards.card_path(self.mailboxes, called))
        elif not self._put(called, {GONE: "yes"}):
            return ""
        self.refresh()
        return called

    def _called(self, team: str, agent: str) -> str:
        found = (
            name
            for name, card in self.others.items()
            if wire.team_of(name) == team and card.get(REMOTE) == agent and not card.get(GONE)
        )
        return next(found, "")


def names_of(agents: list[str], team: str) -> tuple[dict[str, str], list[str]]:
    """Return the name of each agent in other teams, and the agents without one; plain names have precedence."""
    names: dict[str, str] = {}
    taken = {""}
    for agent in sorted(agents, key=lambda agent: ("@" in agent, agent)):
        called = wire.foreign(agent, team)
        if called not in taken:
            names[agent] = called
            taken.add(called)
    return names, [agent for agent in agents if agent not in names]


def _remove_empty(outbox: Outbox) -> bool:
    """Remove an outbox without messages; False if there is a message."""
    if any(outbox.visible(state) for state in STATES):
        return False
    with suppress(OSError):
        for directory in INSIDE:
            durable.remove(os.path.join(outbox.path, directory))
        return durable.remove(outbox.directory(DROPPED)) or True
    outbox.complete()
    return False
