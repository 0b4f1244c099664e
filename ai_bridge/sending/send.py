"""Sends drafts: resolves their recipients, composes them and drops them."""

from ai_bridge.agents.resolve import resolve_recipients
from ai_bridge.mailboxes.compose import Draft, Sent, compose_and_drop
from ai_bridge.mailboxes.tree import Tree


def send(mailboxes: Tree, sender: str, draft: Draft, limit: int) -> Sent:
    """Send one message to each of its recipients, and change the draft: its recipients become known addresses.

    `limit` is the largest size of a file, in bytes. Raises a `BridgeError` if nothing was sent, and `PartlySent`,
    which names the messages that were sent, if the disk failed midway.
    """
    return send_batch(mailboxes, sender, [draft], limit)[0]


def send_batch(mailboxes: Tree, sender: str, drafts: list[Draft], limit: int) -> list[Sent]:
    """Send many messages in their order with one flush; if one is refused, none is sent.

    Changes the drafts and raises errors as `send` does.
    """
    mailboxes.known_agent(sender)
    for draft in drafts:
        draft.recipients = resolve_recipients(mailboxes, sender, draft.recipients)
    return compose_and_drop(mailboxes, sender, drafts, limit)
