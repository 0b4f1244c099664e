"""Allow: a person lets a thread, or an agent's mail, go on; what was held of it goes back on its way.

What is allowed is written down before anything is moved, so that the router, which looks again, lets it pass.
"""

from __future__ import annotations

import time

from ai_bridge.errors import BridgeError, Malformed, NoSuchMessage
from ai_bridge.history import search
from ai_bridge.history import threads as hops
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import DROPPED, HELD, Outbox, label
from ai_bridge.mailboxes.restore import without_reason
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message import address, reference
from ai_bridge.message.message import Message, is_id
from ai_bridge.message.reference import View
from ai_bridge.sending import allowances
from ai_bridge.sending.allowances import Allowance
from ai_bridge.system import times

# A message composed in the future, by a clock that is ahead, is let go on if it is not more than a day.
_AHEAD_NS = 86_400_000_000_000


class NothingOfThatName(BridgeError):
    sentence = "there is neither an agent nor a message {subject}: `ai-bridge peers` and `ai-bridge list` name them"


Held = list[tuple[Place, Message]]


def allow(mailboxes: Mailboxes, subject: str, max_hops: int, only: str | None = None) -> list[Place]:
    """Let a thread, named by the ID of any message of it, or the mail of an agent so far, go on; `only` to one agent.

    A thread may go `max_hops` answers further, and the mail of those who take part in it passes a card that holds
    them. An agent's budgets with all others begin again. Returns what was held and is on its way again; raises
    `NothingOfThatName`, or `SeveralMessages`.
    """
    if address.is_address(subject) and mailboxes.outbox(subject).is_there():
        held = _held([mailboxes.outbox(subject)], only)
        allowances.allow_agent(mailboxes, subject, _allowance(mailboxes, held))
    else:
        threads, among = _talk(mailboxes, subject, only)
        held = [one for one in _held(mailboxes.outboxes(), only) if _is_of(one, threads, among)]
        reached = max(_highest(mailboxes, thread, held) for thread in threads)
        for thread in threads:
            allowances.allow_thread(mailboxes, thread, _allowance(mailboxes, held, reached + max_hops, among))
    places = [place for place, _ in held if _let_go(place)]
    for outbox in {place.outbox.path: place.outbox for place in places}.values():
        outbox.flush(DROPPED, HELD)
    return places


def _is_of(one: tuple[Place, Message], threads: set[str], among: set[str]) -> bool:
    return hops.thread_of(one[1]) in threads and one[0].outbox.owner in among


def _talk(mailboxes: Mailboxes, subject: str, only: str | None) -> tuple[set[str], set[str]]:
    """Return the threads the word stands for, and who takes part in them.

    That is the thread of the message, and one that it opened itself. Anyone may give a message a thread's ID: only
    who was written to in the thread takes part, beginning with the sender of the message and the thread's opener.
    """
    sender, id_ = reference.split(subject)
    try:
        named = trace.find(mailboxes, subject, View(only or ""))[0]
        root, begin = hops.thread_of(named.load()), {named.outbox.owner}
    except NoSuchMessage:  # its first message may be gone
        root, begin = id_, {sender} if sender else set()
    held = [place for place, message in _held(mailboxes.outboxes(), None) if hops.thread_of(message) == root]
    places = [*search.thread(mailboxes, root)[0], *held]
    ways = {(place.outbox.owner, place.recipient.partition("~")[0]) for place in places}
    begin = begin or {_only_sender(subject, [place.outbox.owner for place in held], ways)}
    among = _reached(begin | _opener(root, places), ways)
    return ({root, id_} if is_id(id_) else {root}), among


def _only_sender(subject: str, senders: list[str], ways: set[tuple[str, str]]) -> str:
    """Return one of the senders of a thread whose first message is gone, if all of them take part in the same."""
    if not senders:
        raise NothingOfThatName(subject=subject)
    found = list(dict.fromkeys(senders))
    if all(_reached({sender}, ways).issuperset(found) for sender in found):
        return found[0]
    return reference.only(subject, found)


def _opener(root: str, places: list[Place]) -> set[str]:
    """Return who opened the thread; where several claim its ID, the agent the ID begins with, or nobody."""
    openers = {place.outbox.owner for place in places if place.id == root}
    return openers if len(openers) == 1 else {agent for agent in openers if root.startswith(f"{agent}-")}


def _reached(agents: set[str], ways: set[tuple[str, str]]) -> set[str]:
    """Return the agents, and all that these have written to, directly or through others."""
    found = set(agents)
    while more := {recipient for sender, recipient in ways if sender in found} - found:
        found |= more
    return found


def _held(outboxes: list[Outbox], only: str | None) -> Held:
    """Return what is held in the outboxes and can be read; only what is for one agent, if that is given."""
    found = []
    for outbox in outboxes:
        for name in outbox.visible(HELD):
            recipient = label(name)[1].partition("~")[0]
            if only in (None, recipient):
                place = Place(outbox, HELD, name, recipient)
                try:
                    found.append((place, place.load()))
                except (Malformed, OSError):
                    continue
    return found


def _highest(mailboxes: Mailboxes, id_: str, held: Held) -> int:
    """Return how many answers deep the thread is."""
    messages = [message for _, message in held]
    for place in search.thread(mailboxes, id_)[0]:
        try:
            messages.append(place.load())
        except (Malformed, OSError):
            continue
    # A header may say any number: no thread is deeper than it has messages.
    return min(max((hops.of(mailboxes, message) for message in messages), default=0), len(messages))


def _allowance(mailboxes: Mailboxes, held: Held, reached: int = 0, among: set[str] | None = None) -> Allowance:
    """Return the allowance of mail composed until now, or until the latest held message whose clock is ahead."""
    now = time.time_ns()
    composed = [allowances.composed(mailboxes, place.outbox, HELD, place.name) for place, _ in held]
    latest = max([stamp for stamp in composed if stamp <= times.format_stamp(now + _AHEAD_NS)], default="")
    return Allowance(times.format_stamp(now), max(latest, times.format_stamp(now)), reached, among)


def _let_go(place: Place) -> bool:
    """Put a held file back where it was dropped; False where another was first."""
    name = without_reason(place, lambda: place.outbox.move_to_free("allow", place.name))
    if name:
        place.name, place.state = name, DROPPED
    return bool(name)
