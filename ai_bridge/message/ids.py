"""The IDs and dates of messages. Those of one sender on one machine always increase, even if the clock goes back.

The last one is recorded as the time of an empty file in the state directory, which costs two calls per send. A
recorded time that is a day ahead or more came from a wrong clock: other processes ignore it.
"""

import os
import time

from ai_bridge.system import durable, times

_DAY_US = 86_400_000_000
_ALPHABET = "0123456789abcdefghijklmnopqrstuvwxyz"

_ID_FIRST = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789")
_ID_REST = _ID_FIRST | frozenset("@._-")
_MAX_ID = 128

# In the ID of a message that expires, this stands before the four random characters.
_EXPIRES = "x"
_RANDOM = 4

_last_us = 0


class Issue:
    """Makes IDs for one sender; after `save`, the IDs that other processes make follow these."""

    __slots__ = ("_memory", "_sender")

    def __init__(self, memory: str, sender: str) -> None:
        """`memory` is the path of the file that records the sender's last ID, by its time of writing."""
        global _last_us
        self._sender = sender
        self._memory = memory
        before = self._before_us()
        if before - time.time_ns() // 1000 < _DAY_US:
            _last_us = max(_last_us, before)

    def next(self, expires: bool = False) -> tuple[str, str]:
        """Return the date (RFC 3339) and the ID `<sender>-<YYYYMMDD>-<HHMMSS>-<microseconds>-<random>`.

        If the message `expires`, its ID says so, see `may_expire`.
        """
        global _last_us
        _last_us = max(time.time_ns() // 1000, _last_us + 1)
        stamp = times.format_stamp(_last_us * 1000)
        id_ = f"{self._sender}-{stamp[:8]}-{stamp[8:14]}-{stamp[14:]}-{_EXPIRES if expires else ''}{_random()}"
        return times.stamp_to_date(stamp), id_

    def save(self) -> None:
        """Record the last ID on the disk; if the disk refuses, other processes go by the clock alone."""
        try:
            durable.set_written(self._memory, _last_us * 1000)
        except FileNotFoundError:
            self._begin()
        except OSError:
            return

    def _begin(self) -> None:
        try:
            durable.make_directory(os.path.dirname(self._memory))
            os.close(durable.open_own(self._memory))
            durable.set_written(self._memory, _last_us * 1000)
        except OSError:
            return

    def _before_us(self) -> int:
        try:
            return os.stat(self._memory).st_mtime_ns // 1000
        except OSError:
            return 0


def _random() -> str:
    number = int.from_bytes(os.urandom(3), "big")
    return "".join(_ALPHABET[number // 36**place % 36] for place in range(_RANDOM))


def is_id(text: str) -> bool:
    """Tell whether `text` is `[A-Za-z0-9][A-Za-z0-9@._-]{0,127}`."""
    return 0 < len(text) <= _MAX_ID and text[0] in _ID_FIRST and _ID_REST.issuperset(text)


def stamp_of(id_: str) -> str:
    """Return the time in an ID as `YYYYMMDDHHMMSSffffff`, or '' if the ID holds none.

    It knows our own form `<sender>-<date>-<time>-<microseconds>-<random>` and the older `<sender>-<date>-<time>`.
    """
    own = id_.rsplit("-", 4)[1:4]
    if [len(part) for part in own] == [8, 6, 6] and "".join(own).isdigit():
        return "".join(own)
    older = id_.rsplit("-", 2)[1:]
    if [len(part) for part in older] == [8, 6] and "".join(older).isdigit():
        return "".join(older) + "000000"
    return ""


def writer_of(id_: str) -> str:
    """Return the address with which an ID of our own form, or of the older one, begins."""
    return id_.rsplit("-", 4 if is_own_id(id_) else 2)[0]


def may_expire(id_: str) -> bool:
    """Tell whether the ID is one of ours for a message that expires."""
    ending = id_.rpartition("-")[2]
    return len(ending) == _RANDOM + 1 and ending[0] == _EXPIRES and is_own_id(id_)


def is_own_id(id_: str) -> bool:
    """Tell whether the ID has the form that this program composes."""
    parts = id_.rsplit("-", 4)
    return len(parts) == 5 and len(parts[4]) >= 2 and [len(part) for part in parts[1:4]] == [8, 6, 6]
