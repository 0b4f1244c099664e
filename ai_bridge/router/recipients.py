"""Finds the recipients of a message whose `To` names other things than known agents: `*`, short names, strangers."""

from ai_bridge.agents.resolve import NobodyElse, OtherProject, resolve_recipients
from ai_bridge.errors import Malformed, Undeliverable
from ai_bridge.mailboxes.file_names import file_name, label
from ai_bridge.mailboxes.outbox import Outbox
from ai_bridge.mailboxes.tree import NoAgents, ReservedAddress, Tree, UnknownAgent
from ai_bridge.message import address
from ai_bridge.message.address import BadAddress
from ai_bridge.message.message import Message

# These say that the message itself is wrong. Any other refusal may pass, and the message waits.
_FAULTS = (BadAddress, ReservedAddress, NoAgents, UnknownAgent, NobodyElse, OtherProject)


def are_final(agents: set[str], sender: str, name: str, entries: list[str]) -> bool:
    """Tell whether the entries of `To` are known agents, and none is a short name of one in the sender's project.

    The recipient in the file's name (`name`) was resolved before.
    """
    if not agents.issuperset(entries):
        return False
    project = address.project_of(sender)
    resolved = label(name)[1]
    return not any(f"{entry}@{project}" in agents for entry in entries if entry != resolved and "@" not in entry)


class ForgedSender(Malformed):
    sentence = "From is {sender}, but the file lies in the outbox of {owner}: only {owner} sends from there"


def check_sender(outbox: Outbox, parsed: Message) -> None:
    """Raise `ForgedSender` unless the outbox is that of the sender."""
    if parsed.sender != outbox.owner:
        raise ForgedSender(sender=parsed.sender, owner=outbox.owner)


def meant(mailboxes: Tree, outbox: Outbox, parsed: Message, agents: set[str]) -> list[str]:
    """Return the known agents a message is for; raises `Undeliverable`, or a `BridgeError` that may pass."""
    begun = {entry: _begun(outbox, parsed.id, entry, agents) for entry in parsed.recipients}
    resolved = [agent for agent in begun.values() if agent]
    open_ = [entry for entry, agent in begun.items() if not agent]
    try:
        found = resolve_recipients(mailboxes, outbox.owner, open_) if open_ or not resolved else []
        return list(dict.fromkeys([*resolved, *found]))
    except _FAULTS as refusal:
        raise Undeliverable(why=str(refusal)) from None


def _begun(outbox: Outbox, id_: str, name: str, agents: set[str]) -> str | None:
    """Return the agent for which a router that died here had already dropped a copy, None if there is none."""
    candidates = (agent for agent in agents if agent == name or agent.startswith(f"{name}@"))
    return next((agent for agent in candidates if outbox.has(file_name(id_, agent))), None)
