"""Resolves a name to agents: an address, a short name, or `*` for all others."""

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address


class NobodyElse(BridgeError):
    sentence = "To: * reaches nobody: {sender} is the only agent (add one with `ai-bridge init ADDRESS`)"
    for_model = "To: * reaches nobody: {sender} is the only agent; tell your user to run `ai-bridge init ADDRESS`"


class AmbiguousAgent(BridgeError):
    sentence = "{name} may be any of {agents}{online}: give the whole address"


def resolve_agent(mailboxes: Tree, name: str) -> str:
    """Return the known agent that `name` means: itself, or for `mini` the only `mini@…`, or the one online.

    Raises `AmbiguousAgent` if there are several, and what `Tree.known_agent` raises if there is none.
    """
    if not address.is_address(name) or "@" in name or mailboxes.has_outbox(name):
        return mailboxes.known_agent(name)
    meant = [agent for agent in mailboxes.agents() if agent.startswith(f"{name}@")]
    if len(meant) > 1:
        meant = [_the_one_online(mailboxes, name, meant)]
    return meant[0] if meant else mailboxes.known_agent(name)


def _the_one_online(mailboxes: Tree, name: str, meant: list[str]) -> str:
    from ai_bridge.agents import presence  # needed only if several agents may be meant

    everywhere = presence.online(mailboxes)
    awake = [agent for agent in meant if agent in everywhere]
    if len(awake) != 1:
        told = f" (online: {', '.join(awake)})" if awake else " (none is online)"
        raise AmbiguousAgent(name=name, agents=", ".join(meant), online=told)
    return awake[0]


def resolve_writer(mailboxes: Tree, name: str) -> str:
    """Return the postmaster if `name` is its address, else the agent as `resolve_agent` does."""
    return name if name == address.POSTMASTER else resolve_agent(mailboxes, name)


def resolve_recipients(mailboxes: Tree, sender: str, wanted: list[str]) -> list[str]:
    """Return the known agents that `wanted` names, each once; raises a `BridgeError`.

    Each text of `wanted` is a list as in `To`. `*` stands for all agents of this team except the sender.
    """
    entries = list(dict.fromkeys(entry for text in wanted for entry in address.split_list(text)))
    if address.EVERYONE in entries:
        return _everyone_else(mailboxes, sender)
    if not entries:
        address.checked("")
    return list(dict.fromkeys(resolve_agent(mailboxes, entry) for entry in entries))


def _everyone_else(mailboxes: Tree, sender: str) -> list[str]:
    from ai_bridge.agents.other_teams import of_own_team

    everyone = of_own_team(mailboxes, [agent for agent in mailboxes.agents() if agent != sender])
    if not everyone:
        raise NobodyElse(sender=sender)
    return everyone
