"""Sends drafts: finds out whom they are for, composes them and drops them."""

from ai_bridge.agents.resolve import resolve_recipients
from ai_bridge.mailboxes.compose import Draft, Sent, compose_and_drop
from ai_bridge.mailboxes.tree import Mailboxes


def send(mailboxes: Mailboxes, sender: str, draft: Draft, limit: int) -> Sent:
    """Send one message to each of its recipients; `limit` is the largest file in bytes.

    Raises a `BridgeError`: nothing was sent then (`PartlySent` says what was, if the disk failed midway).
    """
    return send_batch(mailboxes, sender, [draft], limit)[0]


def send_batch(mailboxes: Mailboxes, sender: str, drafts: list[Draft], limit: int) -> list[Sent]:
    """Send many messages with one flush, in their order, and none of them if one is refused; raises as `send`.

    It changes the drafts: their recipients become known addresses.
    """
    mailboxes.known(sender)
    for draft in drafts:
        draft.recipients = resolve_recipients(mailboxes, sender, draft.recipients)
    return compose_and_drop(mailboxes, sender, drafts, limit)
