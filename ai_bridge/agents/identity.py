"""Finds which agent runs this process, and why: by option, environment, session, or the connected client's name.

The address of a client without a record in the table is made from its own name.
"""

import os

from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.tree import NotMailboxes, Tree
from ai_bridge.message import address
from ai_bridge.text import abridge, printable

# How many characters of a client's name are repeated in a reason.
_REPEATED = 80
VARIABLES = ("AI_BRIDGE_AGENT", "AI_CONNECT_PEER_NAME")


class NoIdentity(BridgeError):
    sentence = "it is not known which agent you are: give --agent ADDRESS or set AI_BRIDGE_AGENT (known: {known})"
    for_model = (
        "it is not known which agent you are: tell your user to set AI_BRIDGE_AGENT "
        "in the environment (env) of this client's MCP entry (known: {known})"
    )


class Identity:
    """An agent's `address`, and `why` it is that one."""

    __slots__ = ("address", "why")

    def __init__(self, address: str, why: str) -> None:
        self.address = address
        self.why = why


def who(mailboxes: Tree, option: str | None = None, client: str | None = None) -> Identity:
    """Return the identity of the caller.

    `option` or a variable may name an agent of this project without the project. `client` is the name of the
    connected client; None in a command. Raises `NoIdentity` if nothing tells which agent it is, and `BadAddress` if
    the option or variable holds no address. If nothing else tells, a terminal that no client started is that of the
    mailboxes' only person. No session gets a person's address: an option that names one raises
    `PersonsAddress`, and a variable, which the session may have got from the person's own shell, is passed over.
    """
    if option is not None:
        own = _no_persons(mailboxes, _own(mailboxes, address.checked(option), client), client)
        return Identity(own, "given as an option")
    for variable in VARIABLES:
        if (value := os.environ.get(variable)) and not _is_inherited(mailboxes, address.checked(value), client):
            return Identity(_own(mailboxes, value, client), f"from {variable}")
    if client is None and (name := _of_shell(mailboxes)) is not None:
        return Identity(name, "from the session this shell belongs to")
    if client and (named := _agent_of(client)) not in ("", address.POSTMASTER):
        own = _no_persons(mailboxes, _in(mailboxes, named), client)
        return Identity(own, f"from the client's name, {abridge(printable(client), _REPEATED)}")
    if client is None and (name := _of_terminal(mailboxes)):
        return Identity(name, "the only person's address, and this is a terminal")
    raise NoIdentity(known=", ".join(mailboxes.agents()) or "none yet")


def _of_terminal(mailboxes: Tree) -> str:
    """Return the person's address in a terminal that no client started; '' if it is none, or no single one is meant.

    Only addresses that live on this machine count, and those of this project come first.
    """
    from ai_bridge import clients  # a sender that gives its name needs none of these
    from ai_bridge.agents import person, projects

    if clients.variable_set() or not any(map(_is_terminal, range(3))):
        return ""
    persons = person.here(mailboxes)
    ours = [one for one in persons if "@" in one and address.project_of(one) == projects.here()]
    found = ours or persons
    return found[0] if len(found) == 1 else ""


def _is_terminal(descriptor: int) -> bool:
    try:
        return os.isatty(descriptor)
    except OSError:
        return False


def _own(mailboxes: Tree, name: str, client: str | None) -> str:
    """Return the address of this project's agent of that name if there is no agent `name` itself, else `name`.

    A session gets the project's address in any case, because its settings may hold in all projects.
    """
    if "@" in name or _is_agent(mailboxes, name):
        return name
    own = _in(mailboxes, name)
    return own if client is not None or _is_agent(mailboxes, own) else name


def _is_agent(mailboxes: Tree, name: str) -> bool:
    """Tell whether there is an agent of that address; False if there are no mailboxes yet."""
    try:
        return mailboxes.has_outbox(name)
    except NotMailboxes:
        return False


def _no_persons(mailboxes: Tree, agent: str, client: str | None) -> str:
    """Return the address; raises `PersonsAddress` if a client would get it and it is a person's."""
    if client is not None:
        from ai_bridge.agents import person  # a command may have any address

        if person.is_persons(mailboxes, agent):
            raise person.PersonsAddress(address=agent)
    return agent


def _is_inherited(mailboxes: Tree, agent: str, client: str | None) -> bool:
    """Tell whether a client, or a shell that one started, has got a person's address from its environment."""
    from ai_bridge import clients
    from ai_bridge.agents import person  # a sender that gives its name does not need these

    return (client is not None or clients.variable_set() != "") and person.is_persons(mailboxes, agent)


def _agent_of(client: str) -> str:
    """Return the name of a client's agent; '' if no address can be made from the client's name."""
    from ai_bridge import clients  # a sender that gives its name does not need the clients

    return clients.by_own_name(client).agent or address.name_from(client)


def _in(mailboxes: Tree, name: str) -> str:
    """Return the address of a client's agent; in mailboxes of all of a user's projects it has the project's name."""
    if not find.is_users_own(mailboxes):
        return name
    from ai_bridge.agents import projects  # a sender that gives its name does not need this

    project = projects.here()
    return f"{name}@{project}" if project else name


# --- which session has which name -----------------------------------------------------------------------


def _of_shell(mailboxes: Tree) -> str | None:
    """Return the agent whose session started this shell; None if that is not certain."""
    from ai_bridge import clients
    from ai_bridge.agents import session_keys  # a sender that gives its name needs none of these
    from ai_bridge.agents.presence import session

    starters = [one for one in clients.ALL if clients.first_set(one.shell_variables)]
    started_by = [one.agent for one in starters]
    keys = session_keys.shell_keys()
    if len(started_by) > 1 or len(keys) > 1:
        return None  # a client within another: the shell may belong to either
    if not (started_by or keys):
        return None
    key = session_keys.shell_key(mailboxes)
    name = session_keys.remembered(mailboxes, key)
    if name is None:
        if not started_by:
            return None
        name = _in(mailboxes, started_by[0])
        if session(mailboxes, address.numbered(name, 2)) is not None:
            return None  # this shell may belong to either session
    found = session(mailboxes, name)
    if found is None or session_keys.digest(key) == found.serves.partition(" ")[0]:
        return name
    # By now another session has that name, or one that is a process has not taken its own yet.
    is_another = key or any(one.session_is_process for one in starters)
    return None if is_another else name


def local(wanted: str, label: str) -> str:
    """Return the address of a session on a machine that its agent does not live on: `claude-laptop`."""
    name, at, of_project = wanted.partition("@")
    ending = f"-{label}"[: address.MAX_PART - 2]
    return f"{name[: address.MAX_PART - len(ending)]}{ending}{at}{of_project}"
