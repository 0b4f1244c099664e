"""Allow: a person lets a thread, or an agent's mail, go on; what was held of it goes back on its way.

What is allowed is written down before anything is moved, so that the router, which looks again, lets it pass.
"""

from __future__ import annotations

import os
import time

from ai_bridge import address, allowed, hops, index, trace
from ai_bridge.allowed import Allowance
from ai_bridge.errors import BridgeError, Malformed, NoSuchMessage
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.message import Message, is_id
from ai_bridge.outbox import DROPPED, HELD, Outbox, label
from ai_bridge.trace import Place

# A message composed in the future, by a clock that is ahead, is let go on if it is not more than a day.
_AHEAD_NS = 86_400_000_000_000


class NothingOfThatName(BridgeError):
    sentence = "there is neither an agent nor a message {subject}: `ai-bridge peers` and `ai-bridge list` name them"


Held = list[tuple[Place, Message]]


def allow(mailboxes: Mailboxes, subject: str, max_hops: int, only: str | None = None) -> list[Place]:
    """Let a thread, named by the ID of any message of it, or the mail of an agent so far, go on; `only` to one agent.

    A thread may go `max_hops` answers further, and its mail passes a card that holds its sender. An agent's budgets
    with all others begin anew. Returns what was held and is on its way again; raises `NothingOfThatName`.
    """
    if address.is_address(subject) and os.path.isdir(mailboxes.outbox(subject).path):
        held = _held([mailboxes.outbox(subject)], only)
        allowed.allow_agent(mailboxes, subject, _allowance(mailboxes, held))
    else:
        threads = _threads(mailboxes, subject)
        held = [one for one in _held(mailboxes.outboxes(), only) if hops.thread_of(one[1]) in threads]
        reached = max(_highest(mailboxes, thread, held) for thread in threads)
        for thread in threads:
            allowed.allow_thread(mailboxes, thread, _allowance(mailboxes, held, reached + max_hops))
    return [place for place, _ in held if _let_go(place)]


def _threads(mailboxes: Mailboxes, id_: str) -> set[str]:
    """Return the threads the ID stands for: that of its message, and one that it opened itself."""
    try:
        root = hops.thread_of(trace.find(mailboxes, id_)[0].load())
    except NoSuchMessage:  # its first message may be gone
        if not any(hops.thread_of(message) == id_ for _, message in _held(mailboxes.outboxes(), None)):
            raise NothingOfThatName(subject=id_) from None
        root = id_
    return {root, id_} if is_id(id_) else {root}


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
    for place in index.thread(mailboxes, id_)[0]:
        try:
            messages.append(place.load())
        except (Malformed, OSError):
            continue
    # A header may say any number: no thread is deeper than it has messages.
    return min(max((hops.of(mailboxes, message) for message in messages), default=0), len(messages))


def _allowance(mailboxes: Mailboxes, held: Held, reached: int = 0) -> Allowance:
    """Return the allowance of mail composed until now, or until the latest held message whose clock is ahead."""
    now = time.time_ns()
    composed = [allowed.composed(mailboxes, place.outbox, HELD, place.name) for place, _ in held]
    latest = max([stamp for stamp in composed if stamp <= allowed.stamp(now + _AHEAD_NS)], default="")
    return Allowance(allowed.stamp(now), max(latest, allowed.stamp(now)), reached)


def _let_go(place: Place) -> bool:
    """Put a held file back where it was dropped; False where another was first."""
    name = trace.without_reason(place, lambda: place.outbox.move_to_free("allow", place.name))
    if name:
        place.name, place.state = name, DROPPED
    return bool(name)
