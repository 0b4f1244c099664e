"""Sends mail to other teams: claims and checks it as a router does, publishes it, and then delivers our copy.

From then on the message is `unread`: the stream has it, and it waits for its recipient, whose receipt makes it read.
"""

import json
import os
from collections.abc import Iterator

from ai_bridge.agents.other_teams import GONE, LINK, REMOTE
from ai_bridge.errors import Malformed, Undeliverable
from ai_bridge.link import wire
from ai_bridge.link.arrived import Arrived, key_of
from ai_bridge.link.remote_agents import RemoteAgents
from ai_bridge.mailboxes.file_names import file_name, label
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, READ, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address, message
from ai_bridge.message.message import Message
from ai_bridge.router.route import Router
from ai_bridge.router.set_aside import take_back
from ai_bridge.router.step import Step
from ai_bridge.settings import Settings
from ai_bridge.system import state_files, untrusted

# Messages published at once.
_BATCH = 200
# The part of a message's largest size that is left for our headers.
_HEADERS_BYTES = 1024


class TooLargeForServer(Malformed):
    sentence = "the message is {size} bytes, and the server of the link takes {limit} (its setting max_payload)"


class Returned(Malformed):
    sentence = "the team {team} returned it: {why}"


class Parcel:
    """One claimed message on its way: its file `name`, its `final` name, and what to publish."""

    __slots__ = ("final", "headers", "message", "name", "outbox", "raw", "recipient", "subject")

    def __init__(self, outbox: Outbox, name: str, message: Message, recipient: str) -> None:
        self.outbox = outbox
        self.name = name
        self.final = file_name(message.id, recipient)
        self.message = message
        self.recipient = recipient
        self.subject = ""
        self.raw = b""
        self.headers: dict[str, str] = {}


class Outgoing(Router):
    """The router of other teams' agents; the caller holds the link's lock.

    `limit` is the largest message that the server takes, in bytes. `parcels` are those of the present batch.
    """

    __slots__ = ("_returned", "arrived", "book", "limit", "parcels")

    def __init__(self, mailboxes: Tree, settings: Settings, book: RemoteAgents) -> None:
        super().__init__(mailboxes, set(), settings)
        self.book = book
        self.limit = settings.max_message_bytes
        self.parcels: list[Parcel] = []
        self.arrived = Arrived(book.link.file(mailboxes, ".arrived"))
        self._returned = _Returned(book.link.file(mailboxes, ".returned"))

    def refresh(self) -> list[Outbox]:
        """Update the known agents, and serve those that the link reaches; returns all outboxes."""
        self.book.refresh()
        team = self.book.link.team
        self.serves = {called for called, card in self.book.others.items() if card.get(LINK) == team}
        return super().refresh()

    def batches(self, outboxes: list[Outbox] | None) -> Iterator[tuple[list[Parcel], list[Step]]]:
        """Make one pass in batches: yield the claimed messages to publish, and the steps made with other files.

        The caller publishes each batch, or gives it back, before it asks for the next one. Each outbox is listed only
        once, so that ten thousand waiting messages cost no more than ten thousand looks.
        """
        self.parcels, steps = [], []
        try:
            for step in self.one_pass(outboxes):
                if step.verb != "claim":
                    steps.append(step)
                if len(self.parcels) >= _BATCH:
                    yield self.parcels, steps
                    self.parcels, steps = [], []
        except GeneratorExit:
            raise
        except BaseException:
            self.give_back(self.parcels)
            raise
        yield self.parcels, steps

    def accepted(self, parcel: Parcel) -> Step:
        """Deliver our copy of a message that the stream has taken, and count it; raises OSError."""
        try:
            parcel.outbox.move("deliver", parcel.name, parcel.final)
        except FileExistsError:
            return self._collapse(parcel.outbox, parcel.name, parcel.message.id, parcel.recipient, UNREAD)
        self._gate.count(parcel.outbox.owner, parcel.recipient, parcel.message)
        return Step("deliver", parcel.outbox, parcel.final)

    def give_back(self, parcels: list[Parcel]) -> None:
        """Release messages that the stream did not take, the last first: if the disk fails, the oldest stay."""
        for parcel in reversed(parcels):
            parcel.outbox.release(parcel.name)

    def conclude(self, sender: str, team: str, receipt: wire.Receipt) -> bool:
        """Move our copy as the receipt says: acknowledge it, or take it back; False if the receipt came too early.

        Raises `BadWire` if the receipt of `team` is for mail to another team; raises OSError.
        """
        if wire.team_of(receipt.recipient) != team:
            raise wire.BadWire(why=f"a receipt of {team} for mail to {receipt.recipient}")
        outbox, name = self.mailboxes.outbox(sender), file_name(receipt.id, receipt.recipient)
        if receipt.state == wire.ARRIVED:
            if any(os.path.lexists(outbox.file(state, name)) for state in (UNREAD, PROCESSING)):
                self.arrived.add(key_of(sender, name))
            return True
        if os.path.lexists(outbox.file(UNREAD, name)):
            self._conclude(outbox, name, receipt)
            return True
        return not any(os.path.lexists(outbox.file(state, name)) for state in (DROPPED, PROCESSING))

    def _conclude(self, outbox: Outbox, name: str, receipt: wire.Receipt) -> None:
        self.arrived.forget(key_of(outbox.owner, name))
        if receipt.state == wire.READ:
            try:
                outbox.move("acknowledge", name)
            except FileExistsError:  # it was read before, and then restored
                outbox.move_to_free("acknowledge", name)
            return
        self._returned.count(name)
        team = wire.team_of(receipt.recipient)
        take_back(self.mailboxes, outbox, name, Returned(team=team, why=receipt.reason or "no reason was given"))

    def unarrived(self) -> list[tuple[Outbox, str, str]]:
        """Return (outbox, name, subject) of each message that the stream took and no team has."""
        return [
            (outbox, name, self._subject_of(outbox, name))
            for outbox in self.refresh()
            for name in outbox.visible(UNREAD)
            if label(name)[1] in self.serves and key_of(outbox.owner, name) not in self.arrived
        ]

    def _subject_of(self, outbox: Outbox, name: str) -> str:
        recipient, ours = label(name)[1], self.book.link.team
        there, team = self.book.others[recipient].get(REMOTE), wire.team_of(recipient)
        return wire.mail_to(there, team, ours, f"{outbox.owner}/{name}", self._returned.times(name))

    def packed_again(self, outbox: Outbox, name: str) -> Parcel:
        """Return an unread message as it was published; raises `Malformed`, or OSError if the file is gone."""
        parsed, recipient = message.parse(untrusted.read_delivered(outbox.file(UNREAD, name))), label(name)[1]
        if recipient not in self.book.others:
            raise Undeliverable(why=f"{recipient} is no longer an agent of its team")
        return self._packed(Parcel(outbox, name, parsed, recipient))

    # --- a router's steps, where they differ -------------------------------------------------------------

    def is_full(self, recipient: str) -> bool:
        """Return False: the other team's own router keeps its limit."""
        return False

    def _deliver(self, outbox: Outbox, name: str, parsed: Message, recipient: str) -> Step:
        final = file_name(parsed.id, recipient)
        if outbox.owner == address.POSTMASTER:  # a receipt says the same, and their postmaster writes
            outbox.move("deliver", name, final)
            outbox.move("acknowledge", final)
            return Step("deliver", outbox, final)
        for state in (READ, UNREAD):
            if outbox.holds(state, final):
                return self._collapse(outbox, name, parsed.id, recipient, state)
        if (objection := self._gate.objection(outbox, name, parsed, recipient)) is not None:
            return self._keep_back(outbox, name, final, objection)
        try:
            packed = self._packed(Parcel(outbox, name, parsed, recipient))
        except Malformed as refusal:
            return self.reject(outbox, name, refusal)
        self.parcels.append(packed)
        return Step("claim", outbox, name)

    def _packed(self, parcel: Parcel) -> Parcel:
        """Fill in the subject, headers and content of the parcel, and return it; raises `Malformed`."""
        book, owner, recipient = self.book, parcel.outbox.owner, parcel.recipient
        if owner in book.others:
            raise Undeliverable(why=f"{owner} is of another team, and mail between two others is not passed on")
        if book.others[recipient].get(GONE):
            raise Undeliverable(why=f"{recipient} is no longer an agent of its team")
        if not (called := book.name_of(owner)):
            raise Undeliverable(
                why=f"other teams have no name for {owner}: {wire.foreign(owner, book.link.team) or 'it is too long'}"
                " would be another agent's"
            )
        there, team = book.others[recipient].get(REMOTE), wire.team_of(recipient)
        names = book.names_in(team) if parcel.message.get("Voters") else {}
        parcel.raw = wire.as_sent(parcel.message, names | {owner: called, recipient: there})
        if len(parcel.raw) + _HEADERS_BYTES > self.limit:
            raise TooLargeForServer(size=len(parcel.raw), limit=self.limit)
        attempt = self._returned.times(parcel.final)
        parcel.subject = self._subject_of(parcel.outbox, parcel.final)
        parcel.headers = {wire.NAME: parcel.final, wire.SENDER: owner, wire.ATTEMPT: str(attempt)}
        return parcel


class _Returned:
    """How often each message came back: a message that is sent again is a new one to the stream."""

    def __init__(self, path: str) -> None:
        self._path = path
        try:
            with open(path, encoding="ascii") as file:
                found = json.load(file)
            self._times = {name: count for name, count in found.items() if isinstance(count, int)}
        except (OSError, ValueError, AttributeError, RecursionError):
            self._times = {}

    def times(self, name: str) -> int:
        """Return how often the message of that file name came back."""
        return self._times.get(name, 0)

    def count(self, name: str) -> None:
        """Count one more return, and write the file; only the thousand latest messages are remembered."""
        self._times[name] = self._times.pop(name, 0) + 1
        self._times = dict(list(self._times.items())[-1000:])
        state_files.remember(self._path, json.dumps(self._times).encode("ascii"))
