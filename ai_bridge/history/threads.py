"""Counts how many answers deep a message is since a person last wrote or approved (its hops).

The header `Hops` gives the number, else the answers are counted. An agent's message that answers nothing has no
`Hops` and counts as 0. A person's own message has `Hops: 0`.
"""

import os

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, HELD, PROCESSING, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.message.ids import is_id, writer_of
from ai_bridge.message.message import Message, format_message, parse
from ai_bridge.system import untrusted

HEADER = "Hops"
# The `Hops` that another team wrote. It never lowers the number that is counted here.
CLAIMED = "Hops-Claimed"
# A number that is too long to be true counts as this: more than any limit.
_BEYOND = 1 << 40
# At most so many answers without the header are followed back.
_LONGEST = 1000
# The states in which an answered message may be, the likeliest first.
_STATES = (READ, UNREAD, HELD, PROCESSING, DROPPED, ARCHIVED)


def stated_depth(message: Message) -> int | None:
    """Return the number in the header `Hops`, None if it is missing or no whole number."""
    return _number(message.get(HEADER))


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) < 12 else _BEYOND


def as_claimed(message: Message) -> bytes | None:
    """Return the bytes of another team's message with its `Hops` as `Hops-Claimed`; None if it has neither header.

    A person's approval counts in that person's own mailboxes alone.
    """
    kept = {name: value for name, value in message.headers.items() if name.lower() not in _TOLD}
    if len(kept) == len(message.headers):
        return None
    said = stated_depth(message)
    return format_message(Message(kept if said is None else kept | {CLAIMED: str(said)}, message.body))


_TOLD = (HEADER.lower(), CLAIMED.lower())


def is_persons(message: Message) -> bool:
    """Tell whether the message says that a person wrote it (`Hops: 0`)."""
    return stated_depth(message) == 0


def thread_of(message: Message) -> str:
    """Return the ID of the message's thread; its own ID if it names none."""
    tells = (message.thread, message.get("In-Reply-To"))
    return next((id_ for id_ in tells if id_ and is_id(id_)), message.id)


def depth_of(mailboxes: Tree, message: Message) -> int:
    """Return how many answers deep the message is since a person last wrote or approved; 0 if it answers nothing.

    A message without `Hops` is followed back along `In-Reply-To`, to one that has the header or to the first. Each
    answered message is found by its file name: in the outbox of the answer's recipient, else in that of the agent
    with which its ID begins. If one is not found or cannot be read, the answers so far count. The result is never
    lower than `Hops-Claimed`. At most 1000 files are read; nothing is raised for them.
    """
    answers, met, least = 0, set(), _claimed(message)
    while (known := stated_depth(message)) is None and message.get("In-Reply-To") and answers < _LONGEST:
        answers += 1
        met.add(message.id)
        original = _original(mailboxes, message)
        if original is None or original.id in met:
            return max(answers, least)
        message = original
        least = max(least, answers + _claimed(message))
    return max(answers, least) if known is None else answers + known


def reply_headers(mailboxes: Tree, original: Message) -> tuple[str, str, int]:
    """Return `In-Reply-To`, `Thread` and `Hops` of an answer to the message."""
    return original.id, original.thread or original.id, depth_of(mailboxes, original) + 1


def _claimed(message: Message) -> int:
    return _number(message.get(CLAIMED)) or 0


def _original(mailboxes: Tree, answer: Message) -> Message | None:
    """Return the answered message, found by its file name (see `of`); None if it is not found."""
    id_ = answer.get("In-Reply-To") or ""
    if not is_id(id_):
        return None
    name = file_name(id_, answer.sender)
    for owner in dict.fromkeys((*answer.recipients[:1], writer_of(id_))):
        if address.is_address(owner):
            outbox = mailboxes.outbox(owner)
            for state in _STATES:
                if (found := _read(outbox.file(state, name))) is not None:
                    return found
    return None


def _read(path: str) -> Message | None:
    if not os.path.lexists(path):
        return None
    try:
        return parse(untrusted.read_delivered(path))
    except (Malformed, OSError):
        return None
