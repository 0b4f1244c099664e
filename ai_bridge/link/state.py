"""How a link stands, for whoever asks: said by the process that carries it, in a file of the state directory."""

import json
from contextlib import suppress

from ai_bridge.agents import cards, other_teams
from ai_bridge.errors import BridgeError
from ai_bridge.link import arrived, config
from ai_bridge.link.config import Link
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD, label
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.system import state_files
from ai_bridge.system.locks import Holder, holder

LOCK = "link"
_ENDING = ".state"
_BYTES = 65_536


class LinkState:
    """One link as it stands: who carries it (`holder`, None: nobody), since when it is connected, and what waits.

    `to_send` is what waits here to be sent, `sent` what the stream took and no team has yet, `to_receive` what waits
    in the stream for this team, `owed` the messages of others that have not ended here, `notes` what a person should
    know, `trouble` why it is not connected.
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
    """Return how the links of these mailboxes stand: none, or one; raises `BadLink` where it cannot be read."""
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
    """Return where a message is that another team's agent has not read; None of any other message."""
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
    """Return how many messages to other teams' agents lie dropped or claimed."""
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
    """What the carrying process says of its link; written only where it changed."""

    def __init__(self, mailboxes: Mailboxes, link: Link) -> None:
        self._path = link.file(mailboxes, _ENDING)
        self._said: dict[str, object] = {}

    def say(self, **facts: object) -> None:
        """Put these facts into the file, beside what was said before."""
        said = self._said | facts
        if said == self._said:
            return
        self._said = said
        state_files.remember(self._path, json.dumps(said).encode(), flush=False)
