"""Finds the recipients of a message whose `To` names more than known agents, and drops a copy for each of several."""

import os

from ai_bridge.agents.resolve import NobodyElse, OtherProject, resolve_recipients
from ai_bridge.agents.several.groups import NobodyInGroup
from ai_bridge.errors import IdReused, Malformed, Undeliverable
from ai_bridge.mailboxes.drop import drop
from ai_bridge.mailboxes.file_names import file_name, label
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, Outbox
from ai_bridge.mailboxes.tree import NoAgents, ReservedAddress, Tree, UnknownAgent
from ai_bridge.message import address, message
from ai_bridge.message.address import BadAddress
from ai_bridge.message.message import Message
from ai_bridge.system import untrusted

# These say that the message itself is wrong. Any other refusal may pass, and the message waits.
_FAULTS = (BadAddress, ReservedAddress, NoAgents, UnknownAgent, NobodyElse, NobodyInGroup, OtherProject)


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


def drop_copies(outbox: Outbox, name: str, parsed: Message, to: list[str], limit: int) -> tuple[str, ...]:
    """Drop a copy of the claimed file for each recipient, and return their names; safe to repeat after a crash.

    `limit` is the largest file in bytes. Raises `IdReused` if another message has the name of a copy, or OSError.
    """
    written_ns = os.lstat(outbox.file(PROCESSING, name)).st_mtime_ns  # it may order the copies
    copies = tuple(file_name(parsed.id, recipient) for recipient in to)
    for recipient, copy in zip(to, copies, strict=True):
        raw = message.format_message(parsed.readdressed(recipient))
        try:
            drop(outbox, copy, raw, written_ns)
        except FileExistsError:
            if not says(outbox.file(DROPPED, copy), raw, limit):
                raise IdReused(id=parsed.id, recipient=recipient) from None
    return copies


def says(path: str, raw: bytes, limit: int) -> bool:
    """Tell whether the content of the file at `path` is exactly `raw`."""
    try:
        return untrusted.read_file(path, limit) == raw
    except Malformed:
        return False
