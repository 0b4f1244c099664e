"""How many answers deep a message is since a person's word: as header `Hops` tells, else counted along the answers.

An agent's message that answers nothing has no `Hops` and counts as 0; a person's word says `Hops: 0`.
"""

import os

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import DROPPED, HELD, PROCESSING, READ, UNREAD, file_name
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message import address
from ai_bridge.message.message import Message, format_message, is_id, is_own_id, parse
from ai_bridge.message.reference import View
from ai_bridge.system import untrusted

HEADER = "Hops"
# What another team said in `Hops`: no word of this team's, and no less than what is counted here.
CLAIMED = "Hops-Claimed"
# What a number too long to be true counts as: more than any limit.
_BEYOND = 1 << 40
# So many answers without the header are followed back at most.
_LONGEST = 1000
# Where a message that is answered lies, the likeliest first.
_STATES = (READ, UNREAD, HELD, PROCESSING, DROPPED)


def told(message: Message) -> int | None:
    """Return what the header says, None where it is missing or no whole number."""
    return _number(message.get(HEADER))


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()):
        return None
    return int(text) if len(text) < 12 else _BEYOND


def as_claimed(message: Message) -> bytes | None:
    """Return another team's message with its `Hops` as a claim; None where it says nothing of the kind.

    A person's word counts in the mailboxes of that person alone.
    """
    kept = {name: value for name, value in message.headers.items() if name.lower() not in _TOLD}
    if len(kept) == len(message.headers):
        return None
    said = told(message)
    return format_message(Message(kept if said is None else kept | {CLAIMED: str(said)}, message.body))


_TOLD = (HEADER.lower(), CLAIMED.lower())


def is_persons(message: Message) -> bool:
    """Tell whether the message says it is a person's own word."""
    return told(message) == 0


def thread_of(message: Message) -> str:
    """Return the ID of the thread the message is of; its own where it tells none."""
    tells = (message.thread, message.get("In-Reply-To"))
    return next((id_ for id_ in tells if id_ and is_id(id_)), message.id)


def of(mailboxes: Mailboxes, message: Message) -> int:
    """Return how deep the message is; answers that do not tell are followed back to one that does, or the first."""
    answers, met, least = 0, set(), _claimed(message)
    while (known := told(message)) is None and message.get("In-Reply-To") and answers < _LONGEST:
        answers += 1
        met.add(message.id)
        original = _original(mailboxes, message)
        if original is None or original.id in met:
            return max(answers, least)
        message = original
        least = max(least, answers + _claimed(message))
    return max(answers, least) if known is None else answers + known


def reply_headers(mailboxes: Mailboxes, id_: str, view: View | None = None) -> tuple[str, str, int]:
    """Return `In-Reply-To`, `Thread` and `Hops` of an answer to the message; raises what `trace.find` does."""
    original = trace.find(mailboxes, id_, view)[0].load()
    return original.id, original.thread or original.id, of(mailboxes, original) + 1


def _claimed(message: Message) -> int:
    return _number(message.get(CLAIMED)) or 0


def _original(mailboxes: Mailboxes, answer: Message) -> Message | None:
    """Return the message that is answered, found by its name: sent to the answer's sender by whom it answers."""
    id_ = answer.get("In-Reply-To") or ""
    if not is_id(id_):
        return None
    name = file_name(id_, answer.sender)
    for owner in dict.fromkeys((*answer.recipients[:1], _writer(id_))):
        if address.is_address(owner):
            outbox = mailboxes.outbox(owner)
            for state in _STATES:
                if (found := _read(outbox.file(state, name))) is not None:
                    return found
    return None


def _writer(id_: str) -> str:
    """Return the address an ID begins with."""
    return id_.rsplit("-", 4 if is_own_id(id_) else 2)[0]


def _read(path: str) -> Message | None:
    if not os.path.lexists(path):
        return None
    try:
        return parse(untrusted.read_delivered(path))
    except (Malformed, OSError):
        return None
