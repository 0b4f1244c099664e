"""One message file as the index keeps it: the facts in its name, its place, and the words by which it is found."""

from __future__ import annotations

import os
from contextlib import suppress
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, PROCESSING, READ, UNREAD, Outbox
from ai_bridge.message import address, headers, ids, message
from ai_bridge.message.votes import RULE_HEADER, RULES
from ai_bridge.system import untrusted

# In the order in which a message moves: a file that moves on during a look is met again.
STATES = (DROPPED, PROCESSING, UNREAD, READ, ARCHIVED)
# Times in microseconds, shifted so that those of our centuries fit into the 64 bits of a row's number.
_MIDDLE = 2 * 10**19
_FARTHEST = 9 * 10**18
_63_BITS = (1 << 63) - 1
# Characters at the end of an ID by which a message is found.
TAIL = 3
# No two are the same: else a thread named after an agent would count as mail to it. None is a hexadecimal digit.
_LETTERS = {"from": "s", "to": "r", "id": "i", "thread": "t", "decide": "o"}
# Many files are for few recipients.
_is_address = lru_cache(4096)(address.is_address)


class Row(NamedTuple):
    """The index's row for a file: the owner of its `outbox`, its `name`, its size in bytes, its time of writing."""

    rowid: int
    outbox: str
    name: str
    size: int
    written: int

    def is_of(self, found: os.stat_result) -> bool:
        """Tell whether the file is as it was when it was read."""
        return (found.st_size, nanoseconds(found)) == (self.size, self.written)


class Text(NamedTuple):
    """The content read from a file; sorted, these are in the order of the messages. `words`: subject, body, keys.

    `thread` is the number of its thread, and `tail` the end of its ID.
    """

    stamp: str
    name: str
    outbox: str
    size: int
    written: int
    words: tuple[str, str, str]
    thread: int
    tail: str


def nanoseconds(found: os.stat_result) -> int:
    """Return the time of writing in ns since the epoch, within the 63 bits that hold every possible time."""
    return found.st_mtime_ns & _63_BITS


def slot(stamp: str) -> int:
    """Return a row number for a time (in the form of `ids.stamp_of`); a later time never gets a lower number."""
    return max(-_FARTHEST, min(int(stamp[:20].ljust(20, "0")) - _MIDDLE, _FARTHEST))


def parts_of_name(name: str) -> tuple[str, str]:
    """Return the ID and the recipient in a file's name; both are '' if the name does not hold both."""
    id_, recipient = label(name)
    recipient = recipient.partition("~")[0]
    return (id_, recipient) if id_ and name.endswith(".txt") and _is_address(recipient) else ("", "")


def key(kind: str, text: str = "") -> str:
    """Return the search word for mail `from` or `to` an agent, an `id`, a `thread`, or openings to `decide`."""
    return _LETTERS[kind] + text.encode("utf-8", "surrogatepass").hex()


def number_of_thread(id_: str) -> int:
    """Return the number that stands for a thread: 64 bits of a digest of its ID, which take less room."""
    return int.from_bytes(blake2b(id_.encode("utf-8", "surrogatepass"), digest_size=8).digest(), signed=True)


def locate(outbox: Outbox, name: str) -> tuple[str, os.stat_result] | None:
    """Return the farthest state in which the file is, with its stat; None if it is in no state."""
    for _ in range(2):  # a file that is released or restored moves backward, past this look
        found = None
        for state in STATES:
            with suppress(OSError):
                found = state, os.lstat(outbox.file(state, name))
        if found:
            return found
    return None


def read(outbox: Outbox, state: str, name: str, id_: str, recipient: str) -> Text | None:
    """Read a file in the state where it was listed, or in the one where it is now; None if it is gone.

    `id_` and `recipient` are those in its name.
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
    stamp = ids.stamp_of(id_) or outbox.order(state, name)[0]
    words = (parsed.subject, parsed.body, keys)
    thread = number_of_thread(parsed.thread or id_)
    return Text(stamp, name, outbox.owner, found.st_size, nanoseconds(found), words, thread, id_[-TAIL:])


def _parsed(path: str) -> message.Message:
    """Return the message at `path`; one without headers and body if the file cannot be read or is no message."""
    try:
        block, _, body = untrusted.read_delivered(path).decode().partition("\n\n")
        return message.Message(headers.load(block), body)
    except (OSError, Malformed, UnicodeDecodeError):
        return message.Message({}, "")
