"""Allow: a person lets a thread, or an agent's mail, go on; its held messages go back to the outbox.

The allowance is written before anything is moved, so that the router, which checks again, lets the messages pass.
"""

from __future__ import annotations

import time

from ai_bridge.errors import Malformed, NoSuchMessage
from ai_bridge.history import search
from ai_bridge.history.threads import depth_of, thread_of
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, HELD, Outbox
from ai_bridge.mailboxes.trace import Place, without_reason
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address, reference
from ai_bridge.message.ids import is_id
from ai_bridge.message.message import Message
from ai_bridge.message.reference import View
from ai_bridge.sending import allowances
from ai_bridge.sending.allowances import Allowance
from ai_bridge.system import times

# A clock may be ahead, and date a message in the future: a message of at most a day ahead is allowed, too.
_AHEAD_NS = 86_400_000_000_000


class NothingOfThatName(NoSuchMessage):
    sentence = "there is neither an agent nor a message {subject}: `ai-bridge peers` and `ai-bridge list` name them"


Held = list[tuple[Place, Message]]


def allow_mail(mailboxes: Tree, subject: str, max_hops: int, only: str | None = None) -> list[Place]:
    """Let a thread, or the mail of an agent so far, go on; returns the messages that were held and were let go.

    `subject` is an agent's address or the ID of any message of the thread. If `only` is given, just the held messages
    to that agent are let go. A thread may go `max_hops` answers further, and cards that hold mail let its
    participants' mail pass. For an agent, the budgets with all others begin again. Writes the allowance, then moves
    files. Raises `NothingOfThatName`, `SeveralMessages` or OSError.
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
    return thread_of(one[1]) in threads and one[0].outbox.owner in among


def _talk(mailboxes: Tree, subject: str, only: str | None) -> tuple[set[str], set[str]]:
    """Return the threads that `subject` stands for, and the agents that take part in them.

    These are the message's own thread, and the thread that the message opened. Anyone may give a message a thread's
    ID. So only these agents take part: the message's sender, the thread's opener, and all that they wrote to in it,
    directly or through others.
    """
    sender, id_ = reference.split(subject)
    try:
        named = trace.find(mailboxes, subject, View(only or ""))[0]
        root, begin = thread_of(named.load()), {named.outbox.owner}
    except NoSuchMessage:  # the first message of the thread may be gone
        root, begin = id_, {sender} if sender else set()
    held = [place for place, message in _held(mailboxes.outboxes(), None) if thread_of(message) == root]
    places = [*search.thread(mailboxes, root)[0], *held]
    ways = {(place.outbox.owner, place.recipient.partition("~")[0]) for place in places}
    begin = begin or {_only_sender(subject, [place.outbox.owner for place in held], ways)}
    among = _reached(begin | _opener(root, places), ways)
    return ({root, id_} if is_id(id_) else {root}), among


def _only_sender(subject: str, senders: list[str], ways: set[tuple[str, str]]) -> str:
    """Return a sender of a thread whose first message is gone, if all its senders take part in the same talk."""
    if not senders:
        raise NothingOfThatName(subject=subject)
    found = list(dict.fromkeys(senders))
    if all(_reached({sender}, ways).issuperset(found) for sender in found):
        return found[0]
    return reference.only(subject, found)


def _opener(root: str, places: list[Place]) -> set[str]:
    """Return who opened the thread; if several claim its ID, the agent with which the ID begins, or nobody."""
    openers = {place.outbox.owner for place in places if place.id == root}
    return openers if len(openers) == 1 else {agent for agent in openers if root.startswith(f"{agent}-")}


def _reached(agents: set[str], ways: set[tuple[str, str]]) -> set[str]:
    """Return these agents and all that they have written to, directly or through others."""
    found = set(agents)
    while more := {recipient for sender, recipient in ways if sender in found} - found:
        found |= more
    return found


def _held(outboxes: list[Outbox], only: str | None) -> Held:
    """Return the held messages of the outboxes that can be read, just those to the agent `only` if it is given."""
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


def _highest(mailboxes: Tree, id_: str, held: Held) -> int:
    """Return how many answers deep the thread is, at most the number of its messages."""
    messages = [message for _, message in held]
    for place in search.thread(mailboxes, id_)[0]:
        try:
            messages.append(place.load())
        except (Malformed, OSError):
            continue
    # A header may claim any number, but no thread is deeper than the number of its messages.
    return min(max((depth_of(mailboxes, message) for message in messages), default=0), len(messages))


def _allowance(mailboxes: Tree, held: Held, reached: int = 0, among: set[str] | None = None) -> Allowance:
    """Return an allowance for mail composed until now, or until the latest held message if its clock is ahead."""
    now = time.time_ns()
    composed = [allowances.composed(mailboxes, place.outbox, HELD, place.name) for place, _ in held]
    latest = max([stamp for stamp in composed if stamp <= times.format_stamp(now + _AHEAD_NS)], default="")
    return Allowance(times.format_stamp(now), max(latest, times.format_stamp(now)), reached, among)


def _let_go(place: Place) -> bool:
    """Move a held file back to the outbox, and note that in `place`; False if another process was first."""
    name = without_reason(place, lambda: place.outbox.move_to_free("allow", place.name))
    if name:
        place.name, place.state = name, DROPPED
    return bool(name)
