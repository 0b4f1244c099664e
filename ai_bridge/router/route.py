"""One pass of a router: claim what is dropped, check it, and deliver or reject it.

A claim ends in exactly one of deliver, reject, hold or release. Losing a race is an ordinary outcome. No file can
stop the pass: the router keeps a refused file with its reason, and notifies the sender.
"""

import os

from ai_bridge.agents.policy import RefusedByCard
from ai_bridge.archive import expire
from ai_bridge.errors import BridgeError, ConflictCopy, IdReused, Malformed, disk_error
from ai_bridge.machines.homes import Homes
from ai_bridge.machines.syncthing.on_its_way import Coming
from ai_bridge.mailboxes import conflicts
from ai_bridge.mailboxes.card_files import CardFiles
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD, Outbox
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import ASKED, Tree
from ai_bridge.message import address, expiry
from ai_bridge.message.message import Message
from ai_bridge.message.votes import check_opening
from ai_bridge.router import complete, recipients
from ai_bridge.router.claims import Claims, Writers
from ai_bridge.router.gate import Gate, see_to_judgement
from ai_bridge.router.set_aside import hold_back, reject
from ai_bridge.router.step import Step
from ai_bridge.settings import Settings
from ai_bridge.system import durable, untrusted
from ai_bridge.system.filesystems import file_system

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


class Router:
    """The moves of the agents it `serves`; the caller holds the router lock of each of them.

    `agents` are all that have an outbox, and `is_asked` says whether other machines ask for anything.
    """

    __slots__ = (
        *("_claims", "_coming", "_completion", "_gate", "_homes", "_writers"),
        *("agents", "is_asked", "is_network", "mailboxes", "serves", "settings"),
    )

    def __init__(self, mailboxes: Tree, serves: "set[str]", settings: Settings) -> None:
        self.mailboxes = mailboxes
        self.serves = serves
        self.settings = settings
        self.agents: set[str] = set()
        self.is_asked = False
        self._claims = Claims()
        cards = CardFiles(mailboxes)
        self._homes = Homes(mailboxes, cards)
        self._gate = Gate(mailboxes, settings, cards, self._homes, lambda agent: agent in self.serves)
        self._coming = Coming(mailboxes)
        # On a network file system the kernel knows only its own writers, and grants no leases.
        self.is_network = file_system(mailboxes.path).is_network
        self._writers = Writers(settings.settle_s, self.is_network)
        self._completion = complete.Completion(mailboxes, settings, self._writers, self._claims)

    # --- the pass ---------------------------------------------------------------------------------------

    def one_pass(self, outboxes: "list[Outbox] | None" = None) -> "Iterator[Step]":
        """Look once at every dropped file (of `outboxes`, if given), yielding each step; moves files as it goes.

        The caller may stop the iteration at any time. Raises `NotMailboxes` or `ShareIsGone` without `outboxes`.
        """
        self._claims.release()
        self._coming.forget()
        try:
            for outbox in self.refresh() if outboxes is None else outboxes:
                yield from self._outbox_steps(outbox)
        finally:
            self._gate.save()

    def refresh(self) -> list[Outbox]:
        """Update `agents` and `is_asked`; returns all outboxes, raises as `Tree.check`."""
        seen = Snapshot.of(self.mailboxes).check()
        outboxes = seen.outboxes()
        self.is_asked = ASKED in seen.entries()
        self.agents = {outbox.owner for outbox in outboxes if outbox.owner != address.POSTMASTER}
        return outboxes

    def _outbox_steps(self, outbox: Outbox) -> "Iterator[Step]":
        try:
            names = outbox.names(DROPPED, wanted=self.may_be_ours)
        except OSError as error:
            yield Step("retry", outbox, "", str(disk_error(outbox.path, error)))
            return
        for name in names:
            yield from self._steps(outbox, name)

    def _steps(self, outbox: Outbox, name: str) -> "Iterator[Step]":
        """Route one dropped file, and then the copies of its fan-out, before any later file: this keeps the order."""
        if (step := self._route(outbox, name)) is None:
            return
        yield step
        for copy in step.copies:
            yield from self._steps(outbox, copy)

    def _route(self, outbox: Outbox, name: str) -> Step | None:
        """Route one dropped file; None if another router moves it, or if it is gone."""
        if not self.may_be_ours(name):
            return None
        if self.is_full(told := conflicts.label(name)[1]):
            return self._wait(outbox, name, told)
        if self._coming.precede(outbox, name):
            return Step("leave", outbox, name, "an earlier message of its sender is on its way")
        try:
            return self._open_and_route(outbox, name)
        except FileNotFoundError:
            return Step("retry", outbox, name, "its outbox lacked a directory") if outbox.complete() else None
        except OSError as error:
            return Step("retry", outbox, name, str(disk_error(outbox.path, error)))
        except BridgeError as trouble:  # a card or another file that the router needs cannot be read now
            return Step("retry", outbox, name, str(trouble))
        except Exception as fault:  # a fault of ours: only this file waits, not the files behind it
            return Step("retry", outbox, name, f"a fault of the router: {fault!r}")

    def may_be_ours(self, name: str) -> bool:
        """Tell from the name alone whether the file can be of an agent served here."""
        recipient = conflicts.label(name)[1]
        return recipient in self.serves or recipient not in self.agents

    def _open_and_route(self, outbox: Outbox, name: str) -> Step | None:
        if made_of := conflicts.original(name):
            return self._claim_and_reject(outbox, name, ConflictCopy(name=name, original=made_of))
        try:
            fd, found = untrusted.open_regular(outbox.file(DROPPED, name))
        except Malformed as refusal:
            return self._claim_and_reject(outbox, name, refusal)
        except PermissionError:
            return Step("leave", outbox, name, "it may not be read: give the router's user the right to read it")
        try:
            return self._route_open(outbox, name, fd, found)
        finally:
            os.close(fd)

    def _route_open(self, outbox: Outbox, name: str, fd: int, found: os.stat_result) -> Step | None:
        if not self._writers.are_done(outbox, name, fd, found):
            return Step("leave", outbox, name, "it is still being written")
        try:
            raw = untrusted.read_all(fd, found.st_size, self.settings.max_message_bytes)
            parsed, is_whole, to = self.understand(outbox, name, raw)
            if not is_whole:
                is_mover = self.serves_mover(outbox, name, [])
                return self._completion.complete(outbox, name, found, parsed, self.agents) if is_mover else None
        except Malformed as refusal:
            return self._reject_when_settled(outbox, name, found, refusal)
        if not self.serves_mover(outbox, name, parsed.recipients):
            return None
        return self._move(outbox, name, found, parsed, to)

    def _move(self, outbox: Outbox, name: str, found: os.stat_result, parsed: Message, to: list[str]) -> Step | None:
        """Claim a message that was read and checked, and deliver it or fan it out."""
        if why := self._gate.doubt(outbox.owner, to):
            return Step("leave", outbox, name, why)
        if len(to) == 1 and self.is_full(to[0]):
            return self._wait(outbox, name, to[0])
        if not self._claims.take(outbox, name, found, self.is_network):
            return None
        with self._claims.released_on_trouble(outbox, name):
            if parsed.recipients != to or len(to) > 1:
                return self._fan_out(outbox, name, parsed, to)
            return self._deliver(outbox, name, parsed, to[0])

    def serves_mover(self, outbox: Outbox, name: str, to: list[str]) -> bool:
        """Tell whether this router moves the file, given the entries of its `To` (none, if it has none).

        The recipient in the file's name decides, so that every router decides alike without opening the file. Else
        its single recipient decides. A file with several or none belongs to the router of the outbox's owner. The
        postmaster has no router: any router here moves its files, if this machine keeps the notices.
        """
        told = conflicts.label(name)[1]
        single = to[0] if len(to) == 1 else ""
        mover = next((agent for agent in (told, single) if agent in self.agents), outbox.owner)
        return mover in self.serves or (mover == address.POSTMASTER and self._homes.keep_notices())

    # --- check ------------------------------------------------------------------------------------------

    def understand(self, outbox: Outbox, name: str, raw: bytes) -> tuple[Message, bool, list[str]]:
        """Return a dropped file's message, whether it is whole, and its recipients; raises as `recipients`."""
        parsed, is_whole = complete.understood(outbox, name, raw, self.agents)
        to = self.recipients(outbox, name, parsed)
        check_opening(parsed, self.agents)
        if is_whole:
            expiry.check(parsed)
        return parsed, is_whole, to

    def is_full(self, recipient: str) -> bool:
        """Tell whether the inbox of an agent served here takes no more in this pass."""
        return recipient in self.serves and self._gate.is_full(recipient)

    def _wait(self, outbox: Outbox, name: str, recipient: str) -> Step | None:
        """Leave a file dropped, because its recipient has too much unread mail; None after the first of a pass."""
        why = self._gate.says_full(recipient)
        return Step("wait", outbox, name, why) if why else None

    def recipients(self, outbox: Outbox, name: str, parsed: Message) -> list[str]:
        """Return the known agents the message is for; raises `ForgedSender`, `Undeliverable` or a `BridgeError`."""
        recipients.check_sender(outbox, parsed)
        if recipients.are_final(self.agents, outbox.owner, name, parsed.recipients):
            return parsed.recipients
        self.mailboxes.renew()  # an agent may have come since the pass began
        self.refresh()
        return recipients.meant(self.mailboxes, outbox, parsed, self.agents)

    # --- the moves --------------------------------------------------------------------------------------

    def _deliver(self, outbox: Outbox, name: str, parsed: Message, recipient: str) -> Step:
        final = file_name(parsed.id, recipient)
        if past := outbox.past_state_of(final):
            return self._collapse(outbox, name, parsed.id, recipient, past)
        if expiry.is_over(parsed):
            why = expire.put_away(self.mailboxes, outbox, "expire claimed", name, parsed, final)
            return Step("expire", outbox, final, why)
        if (objection := self._gate.objection(outbox, name, parsed, recipient)) is not None:
            return self._keep_back(outbox, name, final, objection)
        why = see_to_judgement(self.mailboxes, outbox.owner, parsed, recipient, self.settings)
        try:
            outbox.move("deliver", name, final)
        except FileExistsError:
            return self._collapse(outbox, name, parsed.id, recipient, UNREAD)
        self._gate.count(outbox.owner, recipient, parsed)
        return Step("deliver", outbox, final, why)

    def _keep_back(self, outbox: Outbox, name: str, final: str, objection: BridgeError) -> Step:
        """Reject a claimed message that a card refuses, or hold it for a person."""
        if isinstance(objection, RefusedByCard):
            return self.reject(outbox, name, objection)
        kept, why = hold_back(self.mailboxes, outbox, name, final, objection)
        return Step("hold", outbox, kept, why)

    def _collapse(self, outbox: Outbox, name: str, id_: str, recipient: str, state: str) -> Step:
        """Remove the claimed file if the earlier file with its ID has the same content; else reject it."""
        here = outbox.file(PROCESSING, name)
        raw = untrusted.read_file(here, self.settings.max_message_bytes)
        same = recipients.says(outbox.file(state, file_name(id_, recipient)), raw, self.settings.max_message_bytes)
        if not same:
            return self.reject(outbox, name, IdReused(id=id_, recipient=recipient))
        durable.remove(here)
        return Step("collapse", outbox, name, f"the same message is {state} already")

    def _fan_out(self, outbox: Outbox, name: str, parsed: Message, to: list[str]) -> Step:
        """Drop one file for each recipient, then remove the original."""
        try:
            made = recipients.drop_copies(outbox, name, parsed, to, self.settings.max_message_bytes)
        except IdReused as refusal:
            return self.reject(outbox, name, refusal)
        durable.remove(outbox.file(PROCESSING, name))
        return Step("fan out", outbox, name, ", ".join(to), made)

    # --- reject -----------------------------------------------------------------------------------------

    def _reject_when_settled(
        self, outbox: Outbox, name: str, found: os.stat_result, refusal: Malformed
    ) -> Step | None:
        """Reject a file, but leave it if it is so new that its writer may still change it."""
        if not self.serves_mover(outbox, name, []):
            return None
        if not self._writers.have_settled(outbox, found):
            return Step("leave", outbox, name, "it is too new to be refused")
        return self._claim_and_reject(outbox, name, refusal)

    def _claim_and_reject(self, outbox: Outbox, name: str, refusal: Malformed) -> Step | None:
        if not self.serves_mover(outbox, name, []) or not outbox.move("claim", name):
            return None
        with self._claims.released_on_trouble(outbox, name):
            return self.reject(outbox, name, refusal)

    def reject(self, outbox: Outbox, name: str, refusal: BridgeError) -> Step:
        """Move a claimed file to `.malformed` with its reason, and notify its sender; raises OSError."""
        kept, why = reject(self.mailboxes, outbox, name, refusal)
        return Step("reject", outbox, kept, why)
