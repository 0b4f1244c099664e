"""Limits that stop endless talk between agents, and keep strangers out; checked before a send, and again by `gate`.

A thread may go `max_hops` answers deep after a person last wrote or approved. Two agents may exchange
`pair_per_hour` messages in an hour. A recipient's card may refuse or hold a sender. A person's own messages have no
limit. A person may raise the limits with an allowance.
"""

import os
import time

from ai_bridge.agents import policy
from ai_bridge.agents.resolve import resolve_recipients
from ai_bridge.errors import BridgeError, Malformed
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address, ids
from ai_bridge.sending import traffic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ai_bridge.settings import Settings


class ThreadTooLong(BridgeError):
    sentence = (
        "this thread has gone on for {limit} answers since a person last wrote or approved it (setting max_hops): "
        "a person lets it go on with `ai-bridge allow {thread}`"
    )
    for_model = (
        "this thread has gone on for {limit} answers since a person last wrote or approved it (setting max_hops): "
        "tell your user to run `ai-bridge allow {thread}`, if it is to go on"
    )


class PairTooBusy(BridgeError):
    sentence = (
        "{sender} and {recipient} have exchanged {limit} messages within an hour (setting pair_per_hour): "
        "this eases in about {minutes} min, or a person lets them go on with `ai-bridge allow {sender}`"
    )
    for_model = (
        "{sender} and {recipient} have exchanged {limit} messages within an hour (setting pair_per_hour): "
        "this eases in about {minutes} min; if it cannot wait, tell your user to run `ai-bridge allow {sender}`"
    )


class HeldByCard(BridgeError):
    sentence = (
        "{recipient} holds mail from {sender} until a person approves it: "
        "`ai-bridge allow {thread}` lets this thread go on, `ai-bridge allow {sender}` all so far"
    )
    for_model = (
        "{recipient} holds mail from {sender} until a person approves it: "
        "tell your user to run `ai-bridge allow {thread}`, or `ai-bridge allow {sender}` for all so far"
    )


class HeldByDamage(BridgeError):
    sentence = (
        "the card of {recipient} is damaged ({damage}), so nobody can tell whose mail it holds: "
        "repair it with `ai-bridge card edit {recipient}`; then, or at once, `ai-bridge allow {thread}` lets this "
        "thread go on, `ai-bridge allow {sender}` all so far"
    )
    for_model = (
        "the card of {recipient} is damaged ({damage}), and its mail is held: tell your user to run "
        "`ai-bridge card edit {recipient}`, then `ai-bridge allow {thread}`"
    )


class NotSent(BridgeError):
    """None of the messages was sent; the sentence for a model asks it to tell its user."""

    sentence = "{why}; nothing was sent: tell your user"
    for_model = "nothing was sent: {why}"


def check(mailboxes: Tree, sender: str, drafts: list[Draft], settings: "Settings", by_person: bool = False) -> None:
    """Check that the drafts may be sent, and change them: their recipients become known addresses.

    A draft to everybody (`*`) skips recipients whose card refuses the sender. If `by_person`, the drafts are marked
    as a person's own (`hops` 0), and the limits of threads and pairs do not apply. Raises `RefusedByCard`, `NotSent`
    with the limit that is reached, another `BridgeError` for a recipient that is not known, or OSError.
    """
    mailboxes.known_agent(sender)
    for draft in drafts:
        draft.recipients = _willing(mailboxes, sender, draft.recipients, draft.project)
        if by_person:
            draft.hops = 0
    if by_person:
        return
    for draft in drafts:
        _check_thread(mailboxes, draft, settings.max_hops)
    if settings.pair_per_hour:
        _check_pairs(mailboxes, sender, drafts, settings.pair_per_hour)


def _willing(mailboxes: Tree, sender: str, wanted: list[str], project: str | None) -> list[str]:
    found = resolve_recipients(mailboxes, sender, wanted, project)
    refusing = [recipient for recipient in found if policy.refuses(mailboxes, recipient, sender)]
    is_to_all = any(address.EVERYONE in address.split_list(text) for text in wanted)
    if refusing and (not is_to_all or len(refusing) == len(found)):
        raise policy.RefusedByCard(recipient=refusing[0], sender=sender)
    return [recipient for recipient in found if recipient not in refusing] if refusing else found


def _check_thread(mailboxes: Tree, draft: Draft, limit: int) -> None:
    if not limit or draft.hops is None or draft.hops <= limit:
        return
    thread = draft.thread or draft.in_reply_to or ""
    if draft.hops > (limit := hops_allowed(mailboxes, thread, limit)):
        raise NotSent(why=ThreadTooLong(limit=limit, thread=thread))


def hops_allowed(mailboxes: Tree, thread: str, limit: int) -> int:
    """Return how many answers deep a thread may go: `limit`, or more if a person allowed more; raises OSError."""
    from ai_bridge.sending import allowances

    found = allowances.of_thread(mailboxes, thread)
    return max(limit, found.hops) if found else limit


def _check_pairs(mailboxes: Tree, sender: str, drafts: list[Draft], limit: int) -> None:
    adding: dict[str, int] = {}
    for draft in drafts:
        for recipient in draft.recipients:
            adding[recipient] = adding.get(recipient, 0) + 1
    for recipient, number in adding.items():
        times = [second for way in ways(sender, recipient) for second in traffic.recent(mailboxes, *way)]
        waiting = [found for way in ways(sender, recipient) for found in _dropped(mailboxes, *way)]
        if len(times) + len(waiting) + number > limit:
            until = allowed_until(mailboxes, sender, recipient)
            number += sum(
                composed(mailboxes, outbox, DROPPED, name) > until and not _is_persons(outbox.file(DROPPED, name))
                for outbox, name in waiting
            )
            if (refusal := too_busy(mailboxes, sender, recipient, times, number, limit)) is not None:
                raise NotSent(why=refusal)


def ways(one: str, other: str) -> "Iterable[tuple[str, str]]":
    """Return both directions (sender, recipient) between two agents; just one for an agent and itself."""
    return dict.fromkeys(((one, other), (other, one)))


def _dropped(mailboxes: Tree, sender: str, recipient: str) -> "Iterator[tuple[Outbox, str]]":
    """Yield the outbox and the name of each dropped file from `sender` to `recipient`."""
    outbox = mailboxes.outbox(sender)
    try:
        names = os.listdir(outbox.path)
    except OSError:
        return
    yield from ((outbox, name) for name in names if name.endswith(f".{recipient}.txt"))


def allowed_until(mailboxes: Tree, *agents: str) -> str:
    """Return until when a person allowed mail that these agents composed, '' if never; raises OSError.

    The time is the latest of all allowances of these agents, in the form of `ids.stamp_of`.
    """
    from ai_bridge.sending import allowances

    found = (allowances.of_agent(mailboxes, agent) for agent in agents)
    return max((one.until for one in found if one is not None), default="")


def composed(mailboxes: Tree, outbox: Outbox, state: str, name: str) -> str:
    """Return when a file was composed, as a stamp; '9', which is later than any stamp, if its name has no time."""
    from ai_bridge.sending import allowances

    if not ids.stamp_of(label(name)[0]):
        return "9"
    return allowances.composed(mailboxes, outbox, state, name) or "9"


def _is_persons(path: str) -> bool:
    from ai_bridge.history import threads
    from ai_bridge.message import message
    from ai_bridge.system import untrusted

    try:
        return threads.is_persons(message.parse(untrusted.read_delivered(path)))
    except (Malformed, OSError):
        return False


def too_busy(
    mailboxes: Tree, sender: str, recipient: str, times: list[int], adding: int, limit: int
) -> PairTooBusy | None:
    """Return the refusal if the pair may not exchange `adding` more messages, None if it may.

    `times` are when the pair's messages of the last hour were delivered, in seconds since the epoch. Those before a
    person last allowed one of the two do not count. `limit` is the most per hour. Raises OSError.
    """
    from ai_bridge.sending import allowances

    since = max(
        (one.seconds for agent in (sender, recipient) if (one := allowances.of_agent(mailboxes, agent))), default=0
    )
    since = min(since, time.time())  # the allowance may be of a clock that is ahead
    counted = sorted(second for second in times if second > since)
    excess = len(counted) + adding - limit
    if excess <= 0:
        return None
    left_s = counted[excess - 1] + traffic.SPAN_S - time.time() if excess <= len(counted) else traffic.SPAN_S
    minutes = max(1, -int(-left_s // 60))
    return PairTooBusy(sender=sender, recipient=recipient, limit=limit, minutes=minutes)
