"""The budget of two agents: so many messages per hour, both directions together, of those that could be a loop.

A message counts if a model composed it, if another team sent it, or if its recipient wrote to its sender within the
hour. So the mail of scripts that nobody answers is free, and so is a person's. `limits` asks before a send, and
`gate` asks again.
"""

import os
import time

from ai_bridge.errors import BridgeError, Malformed
from ai_bridge.mailboxes.file_names import label, written
from ai_bridge.mailboxes.outbox import DROPPED, HELD, PROCESSING, READ, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import ids
from ai_bridge.message.message import Message, parse
from ai_bridge.sending import traffic
from ai_bridge.system import times, untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from ai_bridge.mailboxes.compose import Draft

# The header that every way of sending writes if a client composes the message.
HEADER, MODEL = "Composed-By", "model"
# The states in which a message that was written lately may be; the last one may hold the most.
_STATES = (UNREAD, DROPPED, PROCESSING, HELD, READ)


class PairTooBusy(BridgeError):
    sentence = (
        "{sender} and {recipient} have exchanged {limit} messages within an hour, the most that is set "
        "(`pair_per_hour` in settings.toml, or AI_BRIDGE_PAIR_PER_HOUR): this eases in about {minutes} min, or a "
        "person lets them go on with `ai-bridge allow {sender}`"
    )
    for_model = (
        "{sender} and {recipient} have exchanged {limit} messages within an hour, the most that is set "
        "(pair_per_hour): this eases in about {minutes} min; if it cannot wait, tell your user to run "
        "`ai-bridge allow {sender}`, or to raise pair_per_hour in settings.toml"
    )


class Waiting:
    """A dropped file that is not delivered yet: its `outbox`, its `name`, and its `message`, None if unreadable."""

    __slots__ = ("message", "name", "outbox")

    def __init__(self, outbox: Outbox, name: str) -> None:
        self.outbox = outbox
        self.name = name
        self.message: Message | None = None

    def load(self) -> "Waiting":
        """Read the file; returns self."""
        try:
            self.message = parse(untrusted.read_delivered(self.outbox.file(DROPPED, self.name)))
        except (Malformed, OSError):
            self.message = None
        return self

    @property
    def is_persons(self) -> bool:
        """Whether a person wrote it, as far as it can be read."""
        from ai_bridge.history import threads

        return self.message is not None and threads.is_persons(self.message)

    @property
    def is_models(self) -> bool:
        """Whether a model composed it; True if it cannot be read."""
        return self.message is None or is_models(self.message)


def is_models(message: Message) -> bool:
    """Tell whether the message says that a model composed it."""
    return (message.get(HEADER) or "").lower() == MODEL


def refusal(
    mailboxes: Tree, sender: str, recipient: str, number: int, limit: int, by_model: bool
) -> PairTooBusy | None:
    """Return why `sender` may not send `number` more messages to `recipient`, None if it may; raises OSError.

    `limit` is the most messages per hour. `by_model` says that a model composed them.
    """
    back = traffic.recent(mailboxes, recipient, sender)
    answers = dropped(mailboxes, recipient, sender)
    if not by_model and sender != recipient and not back and not _has_written(answers):
        return None
    there = back if sender == recipient else traffic.recent(mailboxes, sender, recipient)
    asked = [] if sender == recipient else dropped(mailboxes, sender, recipient)
    delivered = there.counted + (back.counted if back is not there else [])
    if len(delivered) + len(asked) + len(answers) + number <= limit:
        return None
    until = allowed_until(mailboxes, sender, recipient)
    one_self = sender == recipient
    number += _counting(mailboxes, asked, until, one_self or bool(back) or _has_written(answers))
    number += _counting(mailboxes, answers, until, one_self or bool(there) or _has_written(asked))
    return too_busy(mailboxes, sender, recipient, delivered, number, limit)


def dropped(mailboxes: Tree, sender: str, recipient: str) -> list[Waiting]:
    """Return the dropped files from `sender` to `recipient`, by their names; [] if they cannot be listed."""
    outbox = mailboxes.outbox(sender)
    try:
        names = os.listdir(outbox.path)
    except OSError:
        return []
    return [Waiting(outbox, name) for name in names if name.endswith(f".{recipient}.txt")]


def _has_written(waiting: list[Waiting]) -> bool:
    """Tell whether any of these files is not a person's; reads them until one is not."""
    return any(not one.load().is_persons for one in waiting)


def _counting(mailboxes: Tree, waiting: list[Waiting], until: str, is_answered: bool) -> int:
    """Return how many of the files of one sender count; none composed before a person allowed them (`until`) does.

    `is_answered`: their recipient wrote to their sender within the hour.
    """
    if not waiting:
        return 0
    from ai_bridge.machines.homes import Homes

    all_count = is_answered or mailboxes.part(Homes).is_of_another_team(waiting[0].outbox.owner)
    found = [one.load() for one in waiting if composed(mailboxes, one.outbox, DROPPED, one.name) > until]
    return sum(not one.is_persons and (all_count or one.is_models) for one in found)


def ways(one: str, other: str) -> "Iterable[tuple[str, str]]":
    """Return both directions (sender, recipient) between two agents; just one for an agent and itself."""
    return dict.fromkeys(((one, other), (other, one)))


def wanted(drafts: "list[Draft]") -> dict[str, int]:
    """Return how many of the drafts go to each recipient."""
    found: dict[str, int] = {}
    for draft in drafts:
        for recipient in draft.recipients:
            found[recipient] = found.get(recipient, 0) + 1
    return found


def has_written_lately(mailboxes: Tree, sender: str, recipient: str) -> bool:
    """Tell whether the tree holds a message from `sender` to `recipient` that was composed within the last hour.

    For two agents on two machines: neither machine counts both directions. It lists the sender's outbox.
    """
    now = time.time()
    since, outbox = times.format_stamp(int(now - traffic.SPAN_S) * 1_000_000_000), mailboxes.outbox(sender)
    return any(
        (ids.stamp_of(label(name)[0]) or written(outbox.file(state, name))) > since
        for state in _STATES
        for name in untrusted.listed(outbox.directory(state))
        if name.endswith(f".{recipient}.txt")
    )


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


def too_busy(
    mailboxes: Tree, sender: str, recipient: str, delivered: list[int], adding: int, limit: int
) -> PairTooBusy | None:
    """Return the refusal if the pair may not exchange `adding` more messages, None if it may.

    `delivered` are the times at which the pair's messages of the last hour that count were delivered, in seconds
    since the epoch. Those before a person last allowed one of the two do not count. `limit` is the most per hour.
    Raises OSError.
    """
    from ai_bridge.sending import allowances

    since = max(
        (one.seconds for agent in (sender, recipient) if (one := allowances.of_agent(mailboxes, agent))), default=0
    )
    since = min(since, time.time())  # the allowance may be of a clock that is ahead
    counted = sorted(second for second in delivered if second > since)
    excess = len(counted) + adding - limit
    if excess <= 0:
        return None
    left_s = counted[excess - 1] + traffic.SPAN_S - time.time() if excess <= len(counted) else traffic.SPAN_S
    minutes = max(1, -int(-left_s // 60))
    return PairTooBusy(sender=sender, recipient=recipient, limit=limit, minutes=minutes)
