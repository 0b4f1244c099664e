"""What keeps two agents from talking for ever, and strangers out: asked before a send, and by `gate` once more.

A thread may go `max_hops` answers without a person's word, a pair of agents `pair_per_hour` messages; a recipient's
card may refuse or hold a sender. A person's own messages are under no limit; `allowed` holds what a person let go on.
"""

import os
import time

from ai_bridge.agents import policy
from ai_bridge.agents.resolve import resolve_recipients
from ai_bridge.errors import BridgeError, Malformed
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import DROPPED, Outbox, label
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message import address
from ai_bridge.sending import traffic

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from ai_bridge.settings import Settings


class ThreadTooLong(BridgeError):
    sentence = (
        "this thread has gone on for {limit} answers without a person's word (setting max_hops): "
        "a person lets it go on with `ai-bridge allow {thread}`"
    )
    for_model = (
        "this thread has gone on for {limit} answers without a person's word (setting max_hops): "
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
    """Nothing of what was to be sent is; for a model, whose user can do something about it."""

    sentence = "{why}; nothing was sent: tell your user"
    for_model = "nothing was sent: {why}"


def check(
    mailboxes: Mailboxes, sender: str, drafts: list[Draft], settings: "Settings", by_person: bool = False
) -> None:
    """Settle whom the drafts are for, and mark a person's; raises a `BridgeError` where one may not be sent.

    Of everybody (`*`) those are left out whose cards refuse the sender.
    """
    mailboxes.known(sender)
    for draft in drafts:
        draft.recipients = _willing(mailboxes, sender, draft.recipients)
        if by_person:
            draft.hops = 0
    if by_person:
        return
    for draft in drafts:
        _check_thread(mailboxes, draft, settings.max_hops)
    if settings.pair_per_hour:
        _check_pairs(mailboxes, sender, drafts, settings.pair_per_hour)


def _willing(mailboxes: Mailboxes, sender: str, wanted: list[str]) -> list[str]:
    found = resolve_recipients(mailboxes, sender, wanted)
    refusing = [recipient for recipient in found if policy.refuses(mailboxes, recipient, sender)]
    is_to_all = any(address.EVERYONE in address.split_list(text) for text in wanted)
    if refusing and (not is_to_all or len(refusing) == len(found)):
        raise policy.RefusedByCard(recipient=refusing[0], sender=sender)
    return [recipient for recipient in found if recipient not in refusing] if refusing else found


def _check_thread(mailboxes: Mailboxes, draft: Draft, limit: int) -> None:
    if not limit or draft.hops is None or draft.hops <= limit:
        return
    thread = draft.thread or draft.in_reply_to or ""
    if draft.hops > (limit := hops_allowed(mailboxes, thread, limit)):
        raise NotSent(why=ThreadTooLong(limit=limit, thread=thread))


def hops_allowed(mailboxes: Mailboxes, thread: str, limit: int) -> int:
    """Return how many answers deep a thread may go, `limit` where a person said nothing else."""
    from ai_bridge.sending import allowances

    found = allowances.of_thread(mailboxes, thread)
    return max(limit, found.hops) if found else limit


def _check_pairs(mailboxes: Mailboxes, sender: str, drafts: list[Draft], limit: int) -> None:
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
    """Return the two directions between two agents; of an agent and itself there is one."""
    return dict.fromkeys(((one, other), (other, one)))


def _dropped(mailboxes: Mailboxes, sender: str, recipient: str) -> "Iterator[tuple[Outbox, str]]":
    """Yield the outbox and the name of each file that is still to be delivered."""
    outbox = mailboxes.outbox(sender)
    try:
        names = os.listdir(outbox.path)
    except OSError:
        return
    yield from ((outbox, name) for name in names if name.endswith(f".{recipient}.txt"))


def allowed_until(mailboxes: Mailboxes, *agents: str) -> str:
    """Return until when what these agents composed was let go on, in the form of `message.stamp_of`; else ''."""
    from ai_bridge.sending import allowances

    found = (allowances.of_agent(mailboxes, agent) for agent in agents)
    return max((one.until for one in found if one is not None), default="")


def composed(mailboxes: Mailboxes, outbox: Outbox, state: str, name: str) -> str:
    """Return when a file was composed; one whose name does not tell counts as new."""
    from ai_bridge.message import message
    from ai_bridge.sending import allowances

    if not message.stamp_of(label(name)[0]):
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
    mailboxes: Mailboxes, sender: str, recipient: str, times: list[int], adding: int, limit: int
) -> PairTooBusy | None:
    """Return why so many are not to be added to the messages of these times; None where they may.

    What was before a person let one of the two go on does not count.
    """
    from ai_bridge.sending import allowances

    since = max(
        (one.seconds for agent in (sender, recipient) if (one := allowances.of_agent(mailboxes, agent))), default=0
    )
    since = min(since, time.time())  # of a clock that is ahead
    counted = sorted(second for second in times if second > since)
    excess = len(counted) + adding - limit
    if excess <= 0:
        return None
    left_s = counted[excess - 1] + traffic.SPAN_S - time.time() if excess <= len(counted) else traffic.SPAN_S
    minutes = max(1, -int(-left_s // 60))
    return PairTooBusy(sender=sender, recipient=recipient, limit=limit, minutes=minutes)
