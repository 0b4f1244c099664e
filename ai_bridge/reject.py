"""Reject: what cannot be delivered is kept in `.malformed` with its reason, and its sender is told."""

import os
import shlex

from ai_bridge import address, durable, send
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.outbox import MALFORMED, PROCESSING, REASON, Outbox, shortened, variant
from ai_bridge.text import printable, shorten

_NOTICE_BYTES = 16_384


def reject(mailboxes: Mailboxes, outbox: Outbox, name: str, refusal: BridgeError) -> tuple[str, str]:
    """Move a claimed file to `.malformed`, its reason written first; returns its name there and the reason."""
    kept, why = _free_name(outbox, name), str(refusal)
    durable.replace_own(outbox.file(MALFORMED, kept) + REASON, f"{why}\n".encode())
    outbox.move("reject", name, kept)
    try:
        _tell_sender(mailboxes, outbox, kept, why)
    except (BridgeError, OSError) as trouble:
        why += f" (its sender could not be told: {trouble})"
    return kept, why


def _free_name(outbox: Outbox, name: str) -> str:
    """Return a name free in `.malformed`, or one this very file already has: a move that was cut short.

    A reason without its file is a crash's leftover, too, and no hindrance.
    """
    here, wanted, number = outbox.file(PROCESSING, name), shortened(name), 0
    while os.path.lexists(kept := outbox.file(MALFORMED, variant(wanted, number))) and not durable.is_same(
        here, kept
    ):
        number += 1
    return variant(wanted, number)


def _tell_sender(mailboxes: Mailboxes, outbox: Outbox, name: str, why: str) -> None:
    """Send the owner a notice from the postmaster; never about a notice."""
    if outbox.owner == address.POSTMASTER:
        return
    shown = printable(name)
    restore = f"ai-bridge restore -- {shlex.quote(name)}" if name.isprintable() else "rename it, then restore it"
    body = (
        "A message from your outbox could not be delivered.\n\n"
        f"Reason: {why}\n"
        f"Kept as: {printable(outbox.file(MALFORMED, name))}\n"
        f"Once mended there: {restore}\n"
    )
    mailboxes.outbox(address.POSTMASTER).make()
    draft = send.Draft([outbox.owner], body, f"not delivered: {shorten(shown, 120)}")
    send.post(mailboxes, address.POSTMASTER, [draft], _NOTICE_BYTES)
