"""Finds out which agents a name means: an address, a short name, or `*` for all others."""

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.tree import Mailboxes
from ai_bridge.message import address


class NobodyElse(BridgeError):
    sentence = "To: * reaches nobody: {sender} is the only agent (add one with `ai-bridge init ADDRESS`)"
    for_model = "To: * reaches nobody: {sender} is the only agent; tell your user to run `ai-bridge init ADDRESS`"


class AmbiguousAgent(BridgeError):
    sentence = "{name} may be any of {agents}{online}: give the whole address"


def resolve_agent(mailboxes: Mailboxes, name: str) -> str:
    """Return the known agent that `name` means: itself, or for `mini` the one `mini@…` online, or the only one.

    Raises `AmbiguousAgent` if there are several, and what `Mailboxes.known` raises if there is none.
    """
    if not address.is_address(name) or "@" in name or mailboxes.outbox(name).is_there():
        return mailboxes.known(name)
    meant = [agent for agent in mailboxes.agents() if agent.startswith(f"{name}@")]
    if len(meant) > 1:
        meant = [_the_one_online(mailboxes, name, meant)]
    return meant[0] if meant else mailboxes.known(name)


def _the_one_online(mailboxes: Mailboxes, name: str, meant: list[str]) -> str:
    from ai_bridge.agents import presence  # only a name that several may have is worth asking who is online

    everywhere = presence.online(mailboxes)
    awake = [agent for agent in meant if agent in everywhere]
    if len(awake) != 1:
        told = f" (online: {', '.join(awake)})" if awake else " (none is online)"
        raise AmbiguousAgent(name=name, agents=", ".join(meant), online=told)
    return awake[0]


def resolve_writer(mailboxes: Mailboxes, name: str) -> str:
    """Return who is meant by `name` if the postmaster may be meant, too; raises as `resolve_agent` does."""
    return name if name == address.POSTMASTER else resolve_agent(mailboxes, name)


def resolve_recipients(mailboxes: Mailboxes, sender: str, wanted: list[str]) -> list[str]:
    """Return the known agents that `wanted` names, `*` standing for all but the sender; raises `BridgeError`."""
    entries = list(dict.fromkeys(entry for text in wanted for entry in address.split_list(text)))
    if address.EVERYONE in entries:
        return _everyone_else(mailboxes, sender)
    if not entries:
        address.checked("")
    return list(dict.fromkeys(resolve_agent(mailboxes, entry) for entry in entries))


def _everyone_else(mailboxes: Mailboxes, sender: str) -> list[str]:
    from ai_bridge.agents.other_teams import of_own_team

    everyone = of_own_team(mailboxes, [agent for agent in mailboxes.agents() if agent != sender])
    if not everyone:
        raise NobodyElse(sender=sender)
    return everyone
