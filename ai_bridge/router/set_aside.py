"""Sets aside a message that is not delivered (reject, or hold for a person), with its reason; notifies its sender."""

import os
import shlex

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import compose
from ai_bridge.mailboxes.file_names import shortened, variant
from ai_bridge.mailboxes.outbox import HELD, MOVES, REASON, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable, untrusted
from ai_bridge.text import printable, shorten


def reject(mailboxes: Tree, outbox: Outbox, name: str, refusal: BridgeError) -> tuple[str, str]:
    """Move a claimed file to `.malformed`, and notify its sender; returns its name there and the reason.

    The reason is written first, beside the file's new name. If the bounce fails, the reason says so. Raises OSError.
    """
    return _set_aside(mailboxes, outbox, "reject", name, shortened(name), str(refusal))


def take_back(mailboxes: Tree, outbox: Outbox, name: str, refusal: BridgeError) -> tuple[str, str]:
    """Move a delivered file that is no valid message to `.malformed`; else as `reject`."""
    return _set_aside(mailboxes, outbox, "return", name, shortened(name), str(refusal))


def hold_back(mailboxes: Tree, outbox: Outbox, name: str, wanted: str, refusal: BridgeError) -> tuple[str, str]:
    """Move a claimed file to `.held` under its proper name `wanted`; else as `reject`."""
    return _set_aside(mailboxes, outbox, "hold", name, wanted, str(refusal))


def _set_aside(mailboxes: Tree, outbox: Outbox, verb: str, name: str, wanted: str, why: str) -> tuple[str, str]:
    source, state = MOVES[verb]
    untrusted.real_directory(outbox.directory(state))
    kept = _free_name(outbox, state, outbox.file(source, name), wanted)
    durable.replace_own(outbox.file(state, kept) + REASON, f"{why}\n".encode())
    outbox.move(verb, name, kept)
    try:
        _tell_sender(mailboxes, outbox, state, kept, why)
    except (BridgeError, OSError) as trouble:
        why += f" (its sender could not be notified: {trouble})"
    return kept, why


def _free_name(outbox: Outbox, state: str, here: str, wanted: str) -> str:
    """Return a free name in that state, or the name that this very file has there after a move that was cut short.

    A crash may leave a reason without its file, which does not matter.
    """
    number = 0
    while os.path.lexists(kept := outbox.file(state, variant(wanted, number))) and not untrusted.is_same(here, kept):
        number += 1
    return variant(wanted, number)


def _tell_sender(mailboxes: Tree, outbox: Outbox, state: str, name: str, why: str) -> None:
    """Send the outbox's owner a bounce from the postmaster, but none about a bounce."""
    what, happened, then = _held_words() if state == HELD else _rejected_words(name)
    kept = printable(outbox.file(state, name))
    body = f"A message from your outbox {happened}.\n\nReason: {why}\nKept as: {kept}\n{then}\n"
    compose.drop_notices(mailboxes, [(outbox.owner, f"{what}: {shorten(printable(name), 120)}", body)])


def _rejected_words(name: str) -> tuple[str, str, str]:
    restore = f"ai-bridge restore -- {shlex.quote(name)}" if printable(name) == name else "rename it, then restore it"
    return "not delivered", "could not be delivered", f"Once you have repaired it there: {restore}"


def _held_words() -> tuple[str, str, str]:
    return "held", "waits for a person's approval", "Tell your user, and do not send it again."
