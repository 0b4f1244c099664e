"""The header `Expires`: until when a message may be shown. An ID that this program makes for such a message says so.

So a reader knows from the names which unread files to open before it counts them as mail.
"""

import time

from ai_bridge.errors import Malformed
from ai_bridge.message.headers import EXPIRES
from ai_bridge.message.message import Message
from ai_bridge.system import times


class BadExpiry(Malformed):
    sentence = "header Expires holds {text!r}, which is no time: write one in UTC, such as 2026-11-22T03:24:05Z"


class Expired(Malformed):
    sentence = "its time is over ({text}), so it is not shown: it goes to the archive"


def header(seconds: int) -> dict[str, str]:
    """Return the header of a message that may be shown for so many seconds from now."""
    return {EXPIRES: times.format_utc(time.time() + seconds)}


def check(message: Message) -> None:
    """Raise `BadExpiry` if the message has the header and it holds no time."""
    text = message.get(EXPIRES)
    if text is not None and not times.parse_utc(times.without_fraction(text)):
        raise BadExpiry(text=text[:80])


def unexpired(message: Message) -> Message:
    """Return the message; raises `Expired` if its time is over."""
    if is_over(message):
        raise Expired(text=message.get(EXPIRES))
    return message


def is_over(message: Message) -> bool:
    """Tell whether the message's time is over, by the clock of this machine."""
    text = message.get(EXPIRES)
    until = times.parse_utc(times.without_fraction(text)) if text else 0.0
    return 0.0 < until <= time.time()
