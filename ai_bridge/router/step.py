"""The steps of a router: each says what a pass did with one file."""

from ai_bridge.mailboxes.outbox import Outbox


class Step:
    """One step of a pass, with one file.

    `verb` is deliver, reject, hold, fan out, complete, collapse, expire or release. The next pass looks again after
    leave (the file is not complete yet), wait (its recipient has too much unread mail) and retry (the disk refused).
    `why` is the reason, '' for most deliveries; `copies` names the files that a fan-out or a completion dropped.
    """

    __slots__ = ("copies", "name", "outbox", "verb", "why")

    def __init__(self, verb: str, outbox: Outbox, name: str, why: str = "", copies: "tuple[str, ...]" = ()) -> None:
        self.verb = verb
        self.outbox = outbox
        self.name = name
        self.why = why
        self.copies = copies

    def __repr__(self) -> str:
        return f"Step({self.verb!r}, {self.outbox.owner!r}, {self.name!r}, {self.why!r})"
