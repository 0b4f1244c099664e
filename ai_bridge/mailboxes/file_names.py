"""The names of message files: what they hold, and how they are kept short and apart."""

import os

from ai_bridge.errors import Malformed
from ai_bridge.message import address, ids
from ai_bridge.system import times

TYPE_CHECKING = False
if TYPE_CHECKING:
    from ai_bridge.message.message import Message

# The most bytes of a stem: `~1`, `.txt`, `.reason` and a temporary ending must fit into the 255 bytes of a name, too.
_MAX_STEM = 210
# The end of the year 9999.
_LAST_NS = 253_402_300_799_999_999_999


def variant(name: str, number: int) -> str:
    """Return a message file's name, or its variant `~1`, `~2` …"""
    return f"{shortened(name).removesuffix('.txt')}~{number}.txt" if number else name


def without_number(name: str) -> str:
    """Return the name of which a file's name is a variant; a name that is none stays as it is."""
    stem, tilde, number = name.removesuffix(".txt").rpartition("~")
    return f"{stem}.txt" if tilde and stem and number.isdecimal() else name


def shortened(name: str) -> str:
    """Return a message file's name; of a very long one, only the beginning."""
    stem = os.fsencode(name.removesuffix(".txt"))
    return name if len(stem) <= _MAX_STEM else os.fsdecode(stem[:_MAX_STEM]) + ".txt"


def file_name(id_: str, recipient: str) -> str:
    """Return the name under which a message is dropped and delivered."""
    return f"{id_}.{recipient}.txt"


def proper_name(name: str, owner: str, found: "Message") -> str:
    """Return the present name of a message of the older layout; raises `Malformed` if it is none of that layout.

    `name` is the name of its file, and `owner` the owner of its outbox.
    """
    to = found.recipients
    if f"{found.id}.txt" != name:
        raise Malformed(what=f"its ID is {found.id}, not what its name says")
    if found.sender != owner:
        raise Malformed(what=f"From is {found.sender}, not {owner}")
    if len(to) != 1 or not address.is_address(to[0]):
        raise Malformed(what="To names not exactly one agent")
    return file_name(found.id, to[0])


def label(name: str) -> tuple[str, str]:
    """Return the ID and the recipient in a file's name, '' for each that it does not hold."""
    stem = name.removesuffix(".txt")
    id_, dot, recipient = stem.rpartition(".")
    if not dot:
        id_, recipient = stem, ""
    return (id_, recipient) if ids.is_id(id_) else ("", "")


def is_older(name: str) -> bool:
    """Tell whether a file has the name of the older layout, `<ID>.txt`, which names no recipient."""
    return name.find(".", 1) == len(name) - len(".txt") and name.endswith(".txt") and ids.is_id(name[: -len(".txt")])


def written(path: str) -> str:
    """Return a file's time of writing in the form of `ids.stamp_of`, '' if there is no file."""
    try:
        nanoseconds = os.lstat(path).st_mtime_ns
    except OSError:
        return ""
    # A writer may give a file any time. A time outside our calendar counts as its first or last moment.
    return times.format_stamp(min(max(nanoseconds, 0), _LAST_NS))
