"""Whom a dropped message is for, where that is not plainly known agents: `*`, a short name, or nobody there is."""

from ai_bridge.agents.resolve import AmbiguousAgent, NobodyElse, resolve_recipients
from ai_bridge.errors import Undeliverable
from ai_bridge.mailboxes.outbox import Outbox, file_name
from ai_bridge.mailboxes.tree import Mailboxes, NoAgents, ReservedAddress, UnknownAgent
from ai_bridge.message.address import BadAddress
from ai_bridge.message.message import Message

# These find fault with the message itself. Any other refusal is of the moment: then the message waits.
_FAULTS = (BadAddress, ReservedAddress, NoAgents, UnknownAgent, NobodyElse, AmbiguousAgent)


def meant(mailboxes: Mailboxes, outbox: Outbox, parsed: Message, agents: set[str]) -> list[str]:
    """Return the known agents a message is for; raises `Undeliverable`, or another `BridgeError` of the moment."""
    entries = [_begun(outbox, parsed.id, entry, agents) or entry for entry in parsed.recipients]
    try:
        return resolve_recipients(mailboxes, outbox.owner, entries)
    except _FAULTS as refusal:
        raise Undeliverable(why=str(refusal)) from None


def _begun(outbox: Outbox, id_: str, name: str, agents: set[str]) -> str | None:
    """Return whom a short name meant to a router that died here after it dropped the copy, if one did."""
    candidates = (agent for agent in agents if agent.startswith(f"{name}@"))
    return next((agent for agent in candidates if outbox.has(file_name(id_, agent))), None)
