"""One message file as the index has it: what its name tells, where it is, and the words by which it is found."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from typing import NamedTuple

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, READ, UNREAD, Outbox, label
from ai_bridge.message import address, headers, message
from ai_bridge.message.votes import RULE_HEADER, RULES
from ai_bridge.system import untrusted

# In the order of a message's way: what moves on while one looks is met again.
STATES = (DROPPED, PROCESSING, UNREAD, READ)
# Times in microseconds, moved so that those of our centuries fit into the 64 bits of a row's number.
_MIDDLE = 2 * 10**19
_FARTHEST = 9 * 10**18
_63_BITS = (1 << 63) - 1
# No two the same: else a thread named after an agent would be mail to it. None is a digit of what follows.
_LETTERS = {"from": "s", "to": "r", "id": "i", "thread": "t", "decide": "o"}
# Many files are for few recipients.
_is_address = lru_cache(4096)(address.is_address)


class Row(NamedTuple):
    """What is kept of a file: whose `outbox` it is in, its `name`, its size in bytes, its time of writing."""

    rowid: int
    outbox: str
    name: str
    size: int
    written: int

    def is_of(self, found: os.stat_result) -> bool:
        """Tell whether the file is as it was when it was read."""
        return (found.st_size, nanoseconds(found)) == (self.size, self.written)


class Text(NamedTuple):
    """What is read of a file; sorted, these are in the order of the messages. `words`: subject, body, keys."""

    stamp: str
    name: str
    outbox: str
    size: int
    written: int
    words: tuple[str, str, str]


def nanoseconds(found: os.stat_result) -> int:
    """Return the time of writing since the epoch, in the 63 bits that hold every time there can be."""
    return found.st_mtime_ns & _63_BITS


def slot(stamp: str) -> int:
    """Return the number of a time (in the form of `message.stamp_of`): that of a later one is not lower."""
    return max(-_FARTHEST, min(int(stamp[:20].ljust(20, "0")) - _MIDDLE, _FARTHEST))


def told(name: str) -> tuple[str, str]:
    """Return the ID and the recipient a file's name tells, each '' where it does not tell both."""
    id_, recipient = label(name)
    recipient = recipient.partition("~")[0]
    return (id_, recipient) if id_ and name.endswith(".txt") and _is_address(recipient) else ("", "")


def key(kind: str, text: str = "") -> str:
    """Return the one word that stands for `from` or `to` an agent, an `id`, a `thread`, or what is to `decide`."""
    return _LETTERS[kind] + text.encode("utf-8", "surrogatepass").hex()


def locate(outbox: Outbox, name: str) -> tuple[str, os.stat_result] | None:
    """Return the farthest state a file is in, with its stat; None where it is found in none."""
    for _ in range(2):  # what is released or restored moves backward, past whoever looks
        found = None
        for state in STATES:
            with suppress(OSError):
                found = state, os.lstat(outbox.file(state, name))
        if found:
            return found
    return None


def read(outbox: Outbox, state: str, name: str, id_: str, recipient: str) -> Text | None:
    """Read a file where it was listed, or wherever it is now; None where it is gone.

    `id_` and `recipient` are what its name tells.
    """
    path = outbox.file(state, name)
    try:
        found = os.lstat(path)
    except OSError:
        elsewhere = locate(outbox, name)
        return read(outbox, elsewhere[0], name, id_, recipient) if elsewhere else None
    parsed = _parsed(path)
    keys = f"{key('from', outbox.owner)} {key('to', recipient)} {key('id', id_)}"
    if parsed.thread:
        keys += f" {key('thread', parsed.thread)}"
    if parsed.get(RULE_HEADER) in RULES:
        keys += f" {key('decide')}"
    stamp = message.stamp_of(id_) or outbox.order(state, name)[0]
    words = (parsed.subject, parsed.body, keys)
    return Text(stamp, name, outbox.owner, found.st_size, nanoseconds(found), words)


def _parsed(path: str) -> message.Message:
    """Return the message at `path`; one without headers and body for what cannot be read, or is none."""
    try:
        block, _, body = untrusted.read_delivered(path).decode().partition("\n\n")
        return message.Message(headers.load(block), body)
    except (OSError, Malformed, UnicodeDecodeError):
        return message.Message({}, "")
