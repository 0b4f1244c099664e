"""Finds out which message an ID means: senders choose their IDs, so an ID is unique within one outbox only.

`SENDER/ID` always means one message. If several messages have an ID, the ID alone means the one that the caller was
shown last. If it was shown none, the ID means the only one for or from the caller, else the only one there is.
"""

from ai_bridge.errors import BridgeError
from ai_bridge.message import address

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

_SLASH = "/"


class SeveralMessages(BridgeError):
    sentence = "{id} is the ID of several messages: say which as SENDER/ID, one of {candidates}"


class Shown:
    """Remembers for each ID the sender of the message that a session was shown last."""

    __slots__ = ("_senders",)

    def __init__(self) -> None:
        self._senders: dict[str, set[str]] = {}

    def add(self, messages: "Iterable[tuple[str, str]]") -> None:
        """Note the messages that one reply shows, each as (sender, ID)."""
        last: dict[str, set[str]] = {}
        for sender, id_ in messages:
            last.setdefault(id_, set()).add(sender)
        self._senders |= last

    def sender_of(self, id_: str) -> str:
        """Return whose message of that ID was shown last; '' if none was, or one reply showed several."""
        senders = self._senders.get(id_, set())
        return next(iter(senders)) if len(senders) == 1 else ""


class View:
    """A caller's view, which gives an ID its meaning: the calling `agent`, '' if unknown, and what it was `shown`."""

    __slots__ = ("agent", "shown")

    def __init__(self, agent: str = "", shown: Shown | None = None) -> None:
        self.agent = agent
        self.shown = shown or Shown()

    def split(self, text: str) -> tuple[str, str]:
        """Return the sender and the ID that are meant; the sender is '' if neither text nor view gives one."""
        sender, id_ = split(text)
        return sender or self.shown.sender_of(id_), id_


def split(text: str) -> tuple[str, str]:
    """Return the sender ('' if none is named) and the ID or file name in a text `ID` or `SENDER/ID`."""
    sender, slash, id_ = text.partition(_SLASH)
    return (sender, id_) if slash and address.is_address(sender) else ("", text)


def only(id_: str, senders: "Iterable[str]") -> str:
    """Return the only one of the senders; raises `SeveralMessages` if there are more, IndexError if none."""
    found = list(senders)
    if len(found) > 1:
        raise SeveralMessages(id=id_, candidates=", ".join(f"{sender}{_SLASH}{id_}" for sender in found))
    return found[0]
