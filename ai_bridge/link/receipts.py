"""Receipts for mail that came over a link: its sender gets one once the copy here is read or malformed."""

import os

from ai_bridge.errors import Malformed
from ai_bridge.link import wire
from ai_bridge.link.owed_receipts import Debt, Journal
from ai_bridge.link.remote_agents import RemoteAgents
from ai_bridge.mailboxes.file_names import label, variant
from ai_bridge.mailboxes.outbox import (
    ARCHIVED,
    DROPPED,
    ENDED,
    HELD,
    MALFORMED,
    PROCESSING,
    READ,
    REASON,
    UNREAD,
    Outbox,
)
from ai_bridge.system import untrusted

_REASON_BYTES = 65_536
# Receipts published at once.
_BATCH = 500


class Due:
    """A receipt that can be sent now: its `debt`, its `subject`, and its content `raw`."""

    __slots__ = ("debt", "raw", "subject")

    def __init__(self, debt: Debt, subject: str, raw: bytes) -> None:
        self.debt = debt
        self.subject = subject
        self.raw = raw


def due(book: RemoteAgents, journal: Journal) -> list[Due]:
    """Return the receipts that can be sent now, at most `_BATCH`."""
    found: list[Due] = []
    for called, debts in journal.owed().items():
        outbox = book.mailboxes.outbox(called)
        on_its_way = {
            name
            for state in (DROPPED, PROCESSING, UNREAD, HELD)
            for name in untrusted.listed(outbox.directory(state))
        }
        for debt in debts:
            if debt.name not in on_its_way and (one := _due(book, outbox, debt)) is not None:
                found.append(one)
            if len(found) >= _BATCH:
                return found
    return found


def _due(book: RemoteAgents, outbox: Outbox, debt: Debt) -> Due | None:
    id_, recipient = label(debt.name)
    state, reason = _end(outbox, debt)
    called = book.name_of(recipient) or wire.foreign(recipient, book.link.team)
    if not state or not called:
        return None
    raw = wire.Receipt(id_, called, state, reason).as_bytes()
    return Due(debt, wire.receipt_to(debt.agent, wire.team_of(debt.called), book.link.team, raw, debt.attempt), raw)


def _end(outbox: Outbox, debt: Debt) -> tuple[str, str]:
    """Return (state, reason) of a message that has ended, ('', '') if it has not, or cannot be found just now."""
    if os.path.lexists(outbox.file(READ, debt.name)):
        return wire.READ, ""
    if outbox.has_file(ARCHIVED, debt.name):
        archived = outbox.file(ARCHIVED, debt.name)
        unread = next((end for end in (REASON, ENDED) if os.path.lexists(archived + end)), "")
        return (wire.MALFORMED, _reason(archived + unread)) if unread else (wire.READ, "")
    stem = debt.name.removesuffix(".txt")
    names = [name for name in outbox.visible(MALFORMED) if name == debt.name or name.startswith(f"{stem}~")]
    if not names:
        return _archived_malformed(outbox, debt.name)
    newest = max(names, key=lambda name: (len(name), name))
    return wire.MALFORMED, _reason(outbox.file(MALFORMED, newest) + REASON)


def _archived_malformed(outbox: Outbox, name: str) -> tuple[str, str]:
    """Return the end of a message whose file was archived malformed, ('', '') if there is none."""
    number, end = 1, ("", "")
    while outbox.has_file(ARCHIVED, numbered := variant(name, number)):
        path = outbox.file(ARCHIVED, numbered)
        if os.path.lexists(path + REASON):
            end = (wire.MALFORMED, _reason(path + REASON))
        number += 1
    return end


def _reason(path: str) -> str:
    try:
        return untrusted.read_file(path, _REASON_BYTES).decode("utf-8", "replace").strip()
    except (OSError, Malformed):
        return "it was refused there"
