"""Checks before delivery: does the recipient's card, the thread's length or the pair's traffic forbid it?

The router repeats the checks that `sending.limits` made before the send: a message may have been dropped another way.
"""

from contextlib import suppress

from ai_bridge.agents import policy
from ai_bridge.agents.policy import HOLD, REFUSE
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.history import threads
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.card_files import CardFiles
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import PROCESSING, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.message.message import Message
from ai_bridge.message.votes import vote_of
from ai_bridge.sending import limits, pairs, room, traffic
from ai_bridge.sending.limits import HeldByCard, HeldByDamage, ThreadTooLong
from ai_bridge.sending.pairs import PairTooBusy
from ai_bridge.settings import Settings

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Gate:
    """The checks of one pass of a router before each delivery; `save` ends the pass.

    `serves` tells whether the router serves an agent, which then lives on this machine.
    """

    __slots__ = (
        *("_allowed", "_homes", "_lately", "_mailboxes", "_policies", "_room", "_serves", "_settings"),
        *("_told", "_traffic"),
    )

    def __init__(
        self,
        mailboxes: Tree,
        settings: Settings,
        cards: CardFiles,
        homes: Homes,
        serves: "Callable[[str], bool]",
    ) -> None:
        self._mailboxes = mailboxes
        self._serves = serves
        self._settings = settings
        self._homes = homes
        self._lately: dict[tuple[str, str], bool] = {}
        self._room = room.Room(mailboxes, settings.max_unread)
        self._told: set[str] = set()
        self._allowed: dict[str, str] = {}
        self._policies = policy.Policies(cards)
        limit = settings.pair_per_hour
        self._traffic = traffic.Traffic(mailboxes, limit) if limit else None

    def objection(self, outbox: Outbox, name: str, claimed: Message, recipient: str) -> BridgeError | None:
        """Return why the router may not deliver a claimed file, None if it may.

        `RefusedByCard` means that the file is to be rejected, any other answer that it is to be held. Raises OSError.
        """
        sender = outbox.owner
        if sender == address.POSTMASTER:
            return None
        says = self._policies.verdict(recipient, sender)
        if says == REFUSE:
            return self._policies.refusal(recipient, sender)
        if says == HOLD and not self._is_approved(outbox, name, claimed, any_time=True):
            return self._held_by_card(sender, recipient, threads.thread_of(claimed))
        depth = threads.stated_depth(claimed)
        if depth == 0:  # a person's own message
            return None
        found: BridgeError | None = self._too_long(claimed, depth)
        if found is None and self._does_count(claimed, sender, recipient):
            found = self._too_busy(sender, recipient)
        return found if found is not None and not self._is_approved(outbox, name, claimed) else None

    def doubt(self, sender: str, recipients: list[str]) -> str:
        """Return why nobody can say now if the recipient takes the message (its card is unreadable), '' if we can.

        Call it before the claim. For several recipients it returns '', because each copy is decided by itself.
        """
        try:
            if len(recipients) == 1 and sender != address.POSTMASTER:
                self._policies.verdict(recipients[0], sender)
        except OSError as error:
            return str(disk_error(f"the card of {recipients[0]}", error))
        return ""

    def _held_by_card(self, sender: str, recipient: str, thread: str) -> BridgeError:
        if damage := self._policies.damage(recipient):
            return HeldByDamage(recipient=recipient, sender=sender, thread=thread, damage=damage)
        return HeldByCard(recipient=recipient, sender=sender, thread=thread)

    def count(self, sender: str, recipient: str, delivered: Message) -> None:
        """Count a delivered message, or only remember it if it does not count; ignores a person's own.

        Mail composed before a person allowed the pair does not count.
        """
        self._room.take(recipient)
        if not self._traffic or sender == address.POSTMASTER or threads.is_persons(delivered):
            return
        until = max(self._allowed_until(sender), self._allowed_until(recipient))
        outbox, name = self._mailboxes.outbox(sender), file_name(delivered.id, recipient)
        is_new = not until or pairs.composed(self._mailboxes, outbox, UNREAD, name) > until
        if is_new and self._does_count(delivered, sender, recipient):
            self._traffic.count(sender, recipient)
        else:
            self._traffic.remember(sender, recipient)

    def _does_count(self, message: Message, sender: str, recipient: str) -> bool:
        """Tell whether the message could be a part of a loop: see `sending.pairs`."""
        return (
            pairs.is_models(message)
            or sender == recipient
            or self._homes.is_of_another_team(sender)
            or self._has_written(recipient, sender)
        )

    def _has_written(self, one: str, other: str) -> bool:
        """Tell whether `one` wrote to `other` within the hour; its mail may be delivered on another machine."""
        if self._traffic is None or self._traffic.deliveries(one, other):
            return self._traffic is not None
        if (one, other) not in self._lately:
            self._lately[one, other] = self._lives_elsewhere(other) and pairs.has_written_lately(
                self._mailboxes, one, other
            )
        return self._lately[one, other]

    def _lives_elsewhere(self, agent: str) -> bool:
        try:
            return not self._serves(agent) and self._homes.is_elsewhere(agent)
        except BridgeError:
            return False

    def _allowed_until(self, agent: str) -> str:
        if agent not in self._allowed:
            self._allowed[agent] = ""
            with suppress(OSError):  # the message is delivered already: in doubt it counts
                self._allowed[agent] = pairs.allowed_until(self._mailboxes, agent)
        return self._allowed[agent]

    def is_full(self, recipient: str) -> bool:
        """Tell whether the recipient has as much unread mail as `max_unread` allows; may list all outboxes."""
        return self._room.is_full(recipient)

    def says_full(self, recipient: str) -> str:
        """Return that the recipient's inbox is full, '' if this pass has said so before."""
        if recipient in self._told:
            return ""
        self._told.add(recipient)
        return room.sentence(recipient, self._settings.max_unread)

    def save(self) -> None:
        """Write the counts to the disk, and read the cards and count the full inboxes again from now on."""
        self._policies.look_again()
        self._allowed.clear()
        self._lately.clear()
        self._room.look_again()
        self._told.clear()
        if self._traffic:
            self._traffic.save()

    def _too_long(self, claimed: Message, depth: int | None) -> ThreadTooLong | None:
        limit = self._settings.max_hops
        if depth is None and limit:
            depth = threads.depth_of(self._mailboxes, claimed)
        if not limit or depth is None or depth <= limit:
            return None
        thread = threads.thread_of(claimed)
        limit = limits.hops_allowed(self._mailboxes, thread, limit)
        return ThreadTooLong(limit=limit, thread=thread) if depth > limit else None

    def _too_busy(self, sender: str, recipient: str) -> PairTooBusy | None:
        if self._traffic is None:
            return None
        limit = self._settings.pair_per_hour
        ways = pairs.ways(sender, recipient)
        found = [second for way in ways for second in self._traffic.deliveries(*way).counted]
        if len(found) < limit:
            return None
        return pairs.too_busy(self._mailboxes, sender, recipient, found, 1, limit)

    def _is_approved(self, outbox: Outbox, name: str, claimed: Message, any_time: bool = False) -> bool:
        """Tell whether a person allowed this message: its thread or its sender, for mail composed until that time.

        If `any_time`, an allowed thread is enough, whenever the message was composed.
        """
        from ai_bridge.sending import allowances

        thread = allowances.of_thread(self._mailboxes, threads.thread_of(claimed))
        if thread and not thread.covers(outbox.owner):
            thread = None
        if thread and any_time:
            return True
        composed = allowances.composed(self._mailboxes, outbox, PROCESSING, name)
        found = (thread, allowances.of_agent(self._mailboxes, outbox.owner))
        return any(one is not None and composed <= one.until for one in found)


def see_to_judgement(mailboxes: Tree, voter: str, parsed: Message, recipient: str, settings: Settings) -> str:
    """Ask a judge if this vote leaves a decision split; returns a sentence for the log, '' if there is none."""
    if parsed.thread is None or vote_of(parsed.body) is None:
        return ""
    from ai_bridge.decisions import judge

    return judge.see_to(mailboxes, voter, parsed, recipient, settings.max_message_bytes)
