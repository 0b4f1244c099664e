"""The state of a link: the process that carries it writes the state into a file, and other commands read it."""

import json
from contextlib import suppress

from ai_bridge.agents import cards, other_teams
from ai_bridge.errors import BridgeError
from ai_bridge.link import arrived, config
from ai_bridge.link.config import Link
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.system import state_files
from ai_bridge.system.locks import Holder, holder

LOCK = "link"
_ENDING = ".state"
_BYTES = 65_536


class LinkState:
    """The state of one link. `holder` is the process that carries the link, None if there is none.

    `since` is when it connected (RFC 3339), '' if it is not connected; then `trouble` is the reason. `agents` counts
    the agents that it reaches. `notes` are sentences for a person. The other fields count messages, None if unknown.
    `to_send` wait here; `sent` are in the stream and no team has them; `to_receive` wait in the stream for this team;
    `owed` came from other teams and have not ended here.
    """

    __slots__ = ("agents", "holder", "link", "notes", "owed", "sent", "since", "to_receive", "to_send", "trouble")

    def __init__(self, link: Link, holder: Holder | None) -> None:
        self.link = link
        self.holder = holder
        self.since = ""
        self.trouble = ""
        self.notes: list[str] = []
        self.agents = 0
        self.to_send = 0
        self.sent: int | None = None
        self.to_receive: int | None = None
        self.owed: int | None = None

    @property
    def connected(self) -> bool:
        """Whether the link is connected to its server."""
        return bool(self.since)

    def as_json(self) -> dict[str, object]:
        return {
            "link": self.link.team,
            "url": self.link.shown_url,
            "connected": self.connected,
            "since": self.since or None,
            "pid": self.holder.pid if self.holder else None,
            "trouble": self.trouble or None,
            "agents": self.agents,
            "to_send": self.to_send,
            "sent": self.sent,
            "to_receive": self.to_receive,
            "owed": self.owed,
            "notes": self.notes,
        }


def state(mailboxes: Mailboxes) -> list[LinkState]:
    """Return the state of the link of these mailboxes, [] if there is none; raises `BadLink` if it is damaged."""
    link = config.load(mailboxes)
    return [_state(mailboxes, link)] if link is not None else []


def _state(mailboxes: Mailboxes, link: Link) -> LinkState:
    found = LinkState(link, holder(mailboxes.lock_file(LOCK, link.team)))
    others = {name for name, card in other_teams.linked(mailboxes).items() if card.get(other_teams.LINK) == link.team}
    found.agents = len(others)
    found.to_send = _waiting(mailboxes, others)
    if found.holder is None:
        found.trouble = "no router of all agents runs: `ai-bridge start`"
        return found
    said = _said(link.file(mailboxes, _ENDING))
    found.since, found.trouble = (value if isinstance(value := said.get(name), str) else "" for name in _TEXTS)
    found.sent, found.to_receive, found.owed = (
        value if isinstance(value := said.get(name), int) else None for name in _NUMBERS
    )
    notes = said.get("notes")
    found.notes = [str(note) for note in notes] if isinstance(notes, list) else []
    return found


_TEXTS = ("since", "trouble")
_NUMBERS = ("sent", "to_receive", "owed")


def whereabouts(mailboxes: Mailboxes, place: Place) -> str | None:
    """Return in words where a message is that another team's agent has not read; None for any other message."""
    if place.state != UNREAD or "@" not in place.recipient:
        return None
    with suppress(BridgeError):
        link = config.load(mailboxes)
        if link is not None and cards.load(mailboxes, place.recipient).get(other_teams.LINK) == link.team:
            return _whereabouts(mailboxes, link, place)
    return None


def _whereabouts(mailboxes: Mailboxes, link: Link, place: Place) -> str:
    key, team = arrived.key_of(place.outbox.owner, place.name), place.recipient.partition("@")[2]
    if key in arrived.load(link.file(mailboxes, ".arrived")):
        return f"the team {team} has it, and {place.recipient} has not read it"
    lost = _said(link.file(mailboxes, _ENDING)).get("lost")
    if isinstance(lost, dict) and key in lost:
        return f"the server had lost it before the team {team} took it: {lost[key]}"
    return f"the server has it, and the team {team} has not taken it"


def _waiting(mailboxes: Mailboxes, others: set[str]) -> int:
    """Return how many messages to other teams' agents are dropped or claimed; 0 if nobody can count them."""
    with suppress(BridgeError, OSError):
        return sum(
            label(name)[1] in others
            for outbox in mailboxes.outboxes()
            for state in (DROPPED, PROCESSING)
            for name in outbox.visible(state)
        )
    return 0


def _said(path: str) -> dict[str, object]:
    with suppress(ValueError, RecursionError):
        found = json.loads(state_files.recall(path, _BYTES))
        if isinstance(found, dict):
            return found
    return {}


class Report:
    """The report of the process that carries the link; its file is written only if a fact changed."""

    def __init__(self, mailboxes: Mailboxes, link: Link) -> None:
        self._path = link.file(mailboxes, _ENDING)
        self._said: dict[str, object] = {}

    def say(self, **facts: object) -> None:
        """Write these facts into the file, and keep all others; raises OSError."""
        said = self._said | facts
        if said == self._said:
            return
        self._said = said
        state_files.remember(self._path, json.dumps(said).encode(), flush=False)
