"""Takes mail from other teams: drops it durably into the sender's outbox here, and only then acknowledges it.

From there this machine's routers handle it like any mail. Mail that can never be dropped is kept with its reason.
"""

import os

from ai_bridge.agents.cards import CardBusy
from ai_bridge.agents.other_teams import REMOTE
from ai_bridge.errors import BridgeError, DiskError, IdReused, Malformed
from ai_bridge.history import threads
from ai_bridge.link import wire
from ai_bridge.link.owed_receipts import Debt, Journal
from ai_bridge.link.refused import Refused
from ai_bridge.link.remote_agents import Book, NameTakenHere, TooManyAgents
from ai_bridge.mailboxes.drop import drop_all
from ai_bridge.mailboxes.file_names import file_name, label
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, PROCESSING, STATES, UNREAD, Outbox
from ai_bridge.message import address, message
from ai_bridge.message.message import Message
from ai_bridge.system import untrusted


class TooMuchSetAside(Malformed):
    sentence = "{count} messages of the team {team} are held or malformed here already (setting team_set_aside)"


DROP, HAVE, TERMINATE = "drop", "have", "terminate"
_REASON_LENGTH = 2000
_ON_ITS_WAY = (DROPPED, PROCESSING, UNREAD, HELD)


class Arrival:
    """One message as the stream gave it; `verdict` is `DROP`, `HAVE` or `TERMINATE`, and `why` the reason.

    `sender` is the address in its own `team`, `called` the sender's address here. `attempt` is how often the message
    came back before. A field is '' until it is known.
    """

    __slots__ = ("attempt", "called", "headers", "raw", "recipient", "sender", "subject", "team", "verdict", "why")

    def __init__(self, subject: str, headers: dict[str, str], raw: bytes) -> None:
        self.subject = subject
        self.headers = headers
        self.raw = raw
        self.sender = headers.get(wire.SENDER, "")
        told = headers.get(wire.ATTEMPT, "0")
        self.attempt = int(told) if told.isascii() and told.isdigit() and len(told) < 7 else 0
        self.team = ""
        self.called = ""
        self.recipient = ""
        self.verdict = ""
        self.why = ""


class Incoming:
    """Takes batches of arrivals; first writes the receipts that it then owes into the journal."""

    def __init__(self, book: Book, journal: Journal, refused: Refused, most_set_aside: int) -> None:
        self.book = book
        self.journal = journal
        self.refused = refused
        # The teams whose mail was refused because too much of it is held or malformed.
        self.overfull: set[str] = set()
        self._most = most_set_aside
        self._set_aside: dict[str, int] = {}
        self.mailboxes = book.mailboxes

    def adopt(self) -> None:
        """Add to the journal a receipt for each message that came and has not ended; raises OSError."""
        debts = []
        for called, card in self.book.others.items():
            outbox = self.mailboxes.outbox(called)
            names = {name for state in _ON_ITS_WAY for name in outbox.visible(state) if label(name)[1]}
            debts += [Debt(called, name, card.get(REMOTE)) for name in names if not self.journal.has(called, name)]
        self.journal.add(debts)

    def take(self, batch: list[Arrival]) -> None:
        """Drop a batch into the outboxes, and set the verdict of each arrival; also writes new agents' cards.

        Raises OSError, `DiskError` or `CardBusy`: the caller then lets the batch come again.
        """
        drops: dict[str, dict[str, bytes]] = {}
        debts = []
        self._set_aside.clear()
        for arrival in batch:
            try:
                debts.append(self._judge(arrival, drops))
            except (DiskError, CardBusy):
                raise
            except BridgeError as refusal:
                self._keep_aside(arrival, str(refusal))
        self.journal.add([debt for debt in debts if debt is not None])
        for called, files in filter(lambda entry: entry[1], drops.items()):
            self._drop(self.mailboxes.outbox(called), files)

    def _judge(self, arrival: Arrival, drops: dict[str, dict[str, bytes]]) -> Debt | None:
        """Set the verdict of an arrival, and add its drop to `drops`; returns the receipt owed, None if refused."""
        parsed, recipient = self._checked(arrival)
        raw = threads.as_claimed(parsed) or arrival.raw
        name = file_name(parsed.id, recipient)
        try:
            outbox = self.book.meet(arrival.called, arrival.sender)
        except (NameTakenHere, TooManyAgents) as refusal:
            raise wire.BadWire(why=str(refusal)) from None
        waiting = drops.setdefault(arrival.called, {})
        present = waiting.get(name) or self._present(outbox, name, arrival.attempt)
        if present is None:
            self._check_room(arrival.team)
            waiting[name] = raw
        elif present != raw:
            self._keep_aside(arrival, str(IdReused(id=parsed.id, recipient=recipient)))
            return None
        arrival.verdict = HAVE if present else DROP
        return Debt(arrival.called, name, arrival.sender, arrival.attempt)

    def _check_room(self, team: str) -> None:
        """Raise `TooMuchSetAside` if the most that the team may have is held or malformed here."""
        if team not in self._set_aside:
            outboxes = [self.mailboxes.outbox(called) for called in self.book.others if wire.team_of(called) == team]
            directories = [one.directory(state) for one in outboxes for state in (HELD, MALFORMED)]
            self._set_aside[team] = sum(
                name.endswith(".txt") for one in directories for name in untrusted.listed(one)
            )
        if self._set_aside[team] >= self._most:
            self.overfull.add(team)
            raise TooMuchSetAside(count=self._set_aside[team], team=team)

    def _checked(self, arrival: Arrival) -> tuple[Message, str]:
        """Return the message and its recipient here; raises `Malformed` if it does not agree with its subject."""
        ours, arrival.team, recipient = wire.parse_subject(arrival.subject)
        arrival.recipient = recipient
        if arrival.team == ours:
            raise wire.BadWire(why=f"it comes from another team that calls itself {ours}")
        parsed = message.parse(arrival.raw)
        arrival.called = wire.foreign(arrival.sender, arrival.team)
        if not arrival.called or parsed.sender != arrival.called:
            raise wire.BadWire(why=f"From is {parsed.sender}, but {arrival.sender!r} of {arrival.team} sent it")
        if parsed.recipients != [recipient]:
            raise wire.BadWire(why=f"To is {', '.join(parsed.recipients)}, but it was sent to {recipient}")
        return parsed, recipient

    def _present(self, outbox: Outbox, name: str, attempt: int) -> bytes | None:
        """Return the content of the file of that name in any state, b'' if it cannot be read; None if there is none.

        If the message is sent again on purpose (`attempt` is not 0), a rejected file does not count.
        """
        for state in STATES:
            if state == MALFORMED and attempt:
                continue
            path = outbox.file(state, name)
            if not os.path.lexists(path):
                continue
            try:
                return untrusted.read_delivered(path)
            except FileNotFoundError:
                continue
            except Malformed:
                return b""
        return None

    def _drop(self, outbox: Outbox, files: dict[str, bytes]) -> None:
        """Drop all files with one flush; if one of them is there by now, drop the others one by one."""
        try:
            drop_all(outbox, list(files.items()))
        except FileExistsError:
            for name, raw in files.items():
                if not os.path.lexists(outbox.file(DROPPED, name)):
                    drop_all(outbox, [(name, raw)])

    def _keep_aside(self, arrival: Arrival, why: str) -> None:
        """Keep a refused message with its reason in the state directory; raises OSError."""
        arrival.verdict, arrival.why = TERMINATE, why[:_REASON_LENGTH]
        self.refused.keep(wire.writer_of(arrival.subject), arrival.raw, f"{arrival.subject}: {arrival.why}")

    def refusal(self, arrival: Arrival) -> tuple[str, bytes] | None:
        """Return the subject and the content of the receipt for a refusal, None if there is nobody to send it to."""
        id_, recipient = label(arrival.headers.get(wire.NAME, ""))
        if arrival.verdict != TERMINATE or not (arrival.called and id_ and address.is_address(recipient)):
            return None
        receipt = wire.Receipt(id_, recipient, wire.MALFORMED, arrival.why).as_bytes()
        return wire.receipt_to(arrival.sender, arrival.team, self.book.link.team, receipt, arrival.attempt), receipt

    def arrived(self, batch: list[Arrival]) -> list[tuple[str, bytes]]:
        """Return (subject, content) of the receipts that say which messages of a batch have arrived."""
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for arrival in batch:
            id_, recipient = label(arrival.headers.get(wire.NAME, ""))
            if arrival.verdict != TERMINATE and id_ and address.is_address(recipient):
                found.setdefault((arrival.sender, arrival.team), []).append((id_, recipient))
        said = [(*to, wire.arrived_bytes(messages)) for to, messages in found.items()]
        return [(wire.receipt_to(sender, team, self.book.link.team, raw), raw) for sender, team, raw in said]
