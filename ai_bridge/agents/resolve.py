"""Resolves a name to agents: a short name, a group or `*` means agents of one's project, an address that agent."""

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address


class NobodyElse(BridgeError):
    sentence = "To: * reaches nobody else in the project of {sender} (add an agent with `ai-bridge init ADDRESS`)"
    for_model = "To: * reaches nobody else in the project of {sender}; tell your user to run `ai-bridge init ADDRESS`"


class OtherProject(BridgeError):
    sentence = "{name} is no agent{project}, but {agents} {verb}: give the whole address to write to another project"


def project_for(mailboxes: Tree, sender: str) -> str:
    """Return the project that short names mean if `sender` writes them in this process.

    It is the sender's own; for a sender without one, such as a person, the project that this process works in. It is
    '' if no agent has a project.
    """
    own = address.project_of(sender)
    if own or not any("@" in agent for agent in mailboxes.agents()):
        return own
    from ai_bridge.agents import projects  # needed only if agents of a project may be meant

    return projects.here()


def resolve_agent(mailboxes: Tree, name: str, project: str = "") -> str:
    """Return the known agent that `name` means: in `project`, `codex` is `codex@project`, else the agent `codex`.

    Raises `OtherProject` if only other projects have agents of that name, and what `Tree.known_agent` raises if there
    are none.
    """
    if address.is_address(name) and "@" not in name:
        if project and mailboxes.has_outbox(own := f"{name}@{project}"):
            return own
        if not mailboxes.has_outbox(name) and (own := _own_of(mailboxes, name, project)):
            return own
    return mailboxes.known_agent(name)


def _own_of(mailboxes: Tree, name: str, project: str) -> str:
    """Return the project's agent of that name, '' if no project has one; raises `OtherProject` if others have.

    A share that was away for a moment may have hidden the outbox at the first look.
    """
    others = [agent for agent in mailboxes.agents() if agent.startswith(f"{name}@")]
    if project and f"{name}@{project}" in others:
        return f"{name}@{project}"
    if others:
        verb = "is" if len(others) == 1 else "are"
        raise OtherProject(name=name, project=_of(project), agents=", ".join(others), verb=verb)
    return ""


def _of(project: str) -> str:
    return f" of the project {project}" if project else " here"


def resolve_writer(mailboxes: Tree, name: str, reader: str = "") -> str:
    """Return the postmaster if `name` is its address, else the agent that the name means to `reader`."""
    if name == address.POSTMASTER:
        return name
    return resolve_agent(mailboxes, name, project_for(mailboxes, reader))


def resolve_recipients(mailboxes: Tree, sender: str, wanted: list[str], project: str | None = None) -> list[str]:
    """Return the known agents that `wanted` names, each once; raises a `BridgeError`.

    Each text of `wanted` is a list as in `To`. `*` stands for all agents of this team and `project` except the
    sender, and for those without a project if the sender has none. A group (`#backend`) stands for those of them
    whose card names it. `project` is the sender's own if it is None.
    """
    project = address.project_of(sender) if project is None else project
    entries = list(dict.fromkeys(entry for text in wanted for entry in address.split_list(text)))
    if address.EVERYONE in entries:
        return _everyone_else(mailboxes, sender, project)
    if not entries:
        address.checked("")
    return list(dict.fromkeys(agent for entry in entries for agent in _meant(sender, mailboxes, entry, project)))


def _meant(sender: str, mailboxes: Tree, entry: str, project: str) -> list[str]:
    if not entry.startswith(address.GROUP):
        return [_other_than(sender, mailboxes, entry, project)]
    from ai_bridge.agents.several import groups  # most messages are for no group

    near = _others(mailboxes, sender, project)
    return groups.members({agent: _groups_of(mailboxes, agent) for agent in near}, entry, sender)


def _groups_of(mailboxes: Tree, agent: str) -> list[str]:
    """Return the groups that an agent's card names; if it cannot be read now, those that it last named."""
    from ai_bridge.agents.several import groups

    try:
        return groups.groups_of(mailboxes, agent)
    except OSError:
        from ai_bridge.agents import address_book  # most cards can be read

        return groups.said_by(address_book.last_read(mailboxes, agent).fields)


def _other_than(sender: str, mailboxes: Tree, name: str, project: str) -> str:
    """Return what `resolve_agent` does; but `claude@web` means the agent `claude` by that name, if there is one."""
    found = resolve_agent(mailboxes, name, project)
    return name if found == sender and mailboxes.has_outbox(name) else found


def _everyone_else(mailboxes: Tree, sender: str, project: str) -> list[str]:
    everyone = _others(mailboxes, sender, project)
    if not everyone:
        raise NobodyElse(sender=sender)
    return everyone


def _others(mailboxes: Tree, sender: str, project: str) -> list[str]:
    """Return the agents that `*` means: those of this team and project besides the sender, and none removed."""
    from ai_bridge.agents.other_teams import of_own_team
    from ai_bridge.agents.retired import retired_since

    meant = {project, address.project_of(sender)}
    near = [agent for agent in mailboxes.agents() if agent != sender and address.project_of(agent) in meant]
    return [agent for agent in of_own_team(mailboxes, near) if not retired_since(mailboxes, agent)]


def leaving(mailboxes: Tree, sender: str, recipients: list[str]) -> list[str]:
    """Return those of the recipients that are outside the project that `sender` writes in."""
    own = address.project_of(sender)
    away = [one for one in recipients if address.project_of(one) not in ("", own)]
    if own or not away:
        return away
    project = project_for(mailboxes, sender)
    return [one for one in away if address.project_of(one) != project]
