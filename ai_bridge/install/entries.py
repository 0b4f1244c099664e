"""The entries that install writes for a client, the server and the hooks, and how it recognizes them later.

An entry is ours by its server's name, or by the command that it runs. The program's path and the choices made at
the installation may differ from today's. A person wrote anything else that differs.
"""

from __future__ import annotations

import os
import shlex
from dataclasses import dataclass
from typing import Any

from ai_bridge import clients
from ai_bridge.clients.files import SERVER
from ai_bridge.clients.record import Client
from ai_bridge.errors import BridgeError
from ai_bridge.message import address
from ai_bridge.system.processes import MODULE, program

Entry = dict[str, Any]

# The keys of a server that install writes for every client. A client's record, or a person, adds the others.
_OURS = ("command", "args", "env")
_HIDDEN = "…"
# The name of this program's command.
COMMAND = "ai-bridge"

TOOL = "check_mail"
# A check of mail reads a few directories. If it takes longer than this, waiting on is useless.
HOOK_SECONDS = 10
# A hook's line of shell: the program's name follows the first part, the command follows the second.
_TEST, _ELSE_NOTHING, _OR_NOTHING = "command -v ", " >/dev/null 2>&1 || exit 0; ", " 2>/dev/null || exit 0"
CHOSEN = ("AI_BRIDGE_MAILBOXES", "AI_BRIDGE_AGENT", "AI_BRIDGE_STATE")


@dataclass(frozen=True)
class Choice:
    """The mailboxes and the address that the person chose for the server; None: the server finds it itself.

    `is_shared`: others read these files too, on machines of their own, so they name no path of this machine.
    `lets_shell_write`: the client's sandbox shall let its shell write mailboxes and state.
    """

    mailboxes: str | None = None
    agent: str | None = None
    is_shared: bool = False
    lets_shell_write: bool = False

    @classmethod
    def from_options(cls, mailboxes: str | None, agent: str | None) -> Choice:
        """Return the choice made by options, or by `AI_BRIDGE_MAILBOXES`; raises `BridgeError`, `BadAddress`."""
        if mailboxes == "":
            raise BridgeError(what="--mailboxes names nothing: give the directory's path")
        named = mailboxes or os.environ.get("AI_BRIDGE_MAILBOXES")
        return cls(os.path.abspath(named) if named else None, address.checked(agent) if agent is not None else None)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables with which a server finds the same mailboxes, agent and state as this command."""
        state = None if self.is_shared else os.environ.get("AI_BRIDGE_STATE")
        values = (self.mailboxes, self.agent, os.path.abspath(state) if state else None)
        return {name: value for name, value in zip(CHOSEN, values, strict=True) if value}

    @property
    def options(self) -> list[str]:
        """Return mailboxes and address as options of a command."""
        given = (("--mailboxes", self.mailboxes), ("--agent", self.agent))
        return [word for option, value in given if value for word in (option, value)]

    @property
    def program(self) -> list[str]:
        """Return the command of this program: its path here, or the word that each machine finds on its PATH."""
        return [COMMAND] if self.is_shared else program()

    def for_all(self) -> Choice:
        """Return the choice for files that others read too: what was chosen, without paths of this machine."""
        return Choice(None, self.agent, is_shared=True)


# --- what is written --------------------------------------------------------------------------------------


def server(environment: dict[str, str], command: list[str] | None = None) -> Entry:
    """Return the server's entry with `environment` as its variables, in the form that all clients understand.

    `command` starts this program; without it, this is the path of this program.
    """
    first, *words = command or program()
    return {"command": first, "args": [*words, "mcp"], **({"env": environment} if environment else {})}


def server_of(client: Client, choice: Choice) -> Entry:
    """Return the server's entry for a client, with the keys that only this client has."""
    passed = {} if choice.is_shared else places(client)
    return {**server({**choice.environment, **passed}, choice.program), **client.files.server.extra}


def places(client: Client) -> dict[str, str]:
    """Return the variables of this environment that the client's entry must pass to its server."""
    return {name: value for name in client.files.server.told if (value := os.environ.get(name))}


def hook_groups(client: Client, choice: Choice) -> dict[str, Entry]:
    """Return, for each event, a group with our hook in the form that the client's record names."""
    by_tool = tool_hooks(client)
    return {**command_hooks(client, choice), **{event: by_tool[event] for event in client.hooks.by_tool}}


def tool_hooks(client: Client) -> dict[str, Entry]:
    """Return, for each event, a group with the hook by which the client calls our running server."""
    groups = {}
    for event in client.hooks.events:
        handler = {"type": "mcp_tool", "server": SERVER, "tool": TOOL, "input": {"event": event}}
        groups[event] = {**_matcher(event, client), "hooks": [{**handler, "timeout": _timeout(client)}]}
    return groups


def command_hooks(client: Client, choice: Choice) -> dict[str, Entry]:
    """Return, for each event, a group with the hook that runs our command."""
    name = {"name": SERVER} if client.hooks.have_names else {}
    command = hook_command(client, choice)
    handler = {**name, "type": "command", "command": command, "timeout": _timeout(client)}
    return {event: {**_matcher(event, client), "hooks": [handler]} for event in client.hooks.events}


def hook_command(client: Client, choice: Choice) -> str:
    """Return the line of shell that answers a hook, and is silent if this program is missing or fails.

    Clients show the failure of a hook, and some of them stop the turn for it.
    """
    words = shlex.join([*choice.program, "hook", client.name, *choice.options])
    if os.name == "nt":  # where no POSIX shell runs it
        return words
    state = choice.environment.get("AI_BRIDGE_STATE")
    given = f"AI_BRIDGE_STATE={shlex.quote(state)} " if state else ""
    return f"{_TEST}{shlex.quote(choice.program[0])}{_ELSE_NOTHING}{given}{words}{_OR_NOTHING}"


def _timeout(client: Client) -> int:
    """Return how long the client waits for a hook, in the client's own unit."""
    return HOOK_SECONDS * client.hooks.units_per_s


def _matcher(event: str, client: Client) -> dict[str, str]:
    """Return the matcher of all tools if the event is about a tool, else {}."""
    return {"matcher": client.hooks.every_tool} if "Tool" in event else {}


# --- how it is known again --------------------------------------------------------------------------------


def is_hook(handler: object) -> bool:
    """Tell whether a hook is ours: it calls our tool, or runs our command."""
    if not isinstance(handler, dict):
        return False
    if handler.get("tool") == TOOL and str(handler.get("server")).rpartition(":")[2] == SERVER:
        return True
    return _hook_words(handler.get("command")) is not None


def _hook_words(command: object) -> list[str] | None:
    """Return the words after `hook` in our command; None if it is another command."""
    if not isinstance(command, str):
        return None
    line = command.partition(_ELSE_NOTHING)[2].removesuffix(_OR_NOTHING) if command.startswith(_TEST) else command
    try:
        words = shlex.split(line)
    except ValueError:
        return None
    if words and words[0].startswith("AI_BRIDGE_STATE="):
        words = words[1:]
    words = own_words(words)
    return words[1:] if words[:1] == ["hook"] else None


def own_words(words: list[str]) -> list[str]:
    """Return the words after the program if it is ours, at whatever path; else []."""
    if words and os.path.basename(words[0]) == COMMAND:
        return words[1:]
    return words[4:] if words[1:4] == MODULE else []


def fitted(found: object, wanted: Entry) -> Entry:
    """Return the server's entry to write: the wanted one, with everything that a person added to the one found.

    Keys that an older install wrote, and that are not written any more, are left out.
    """
    if not isinstance(found, dict):
        return wanted
    others = {key: value for key, value in _in_force(found).items() if key != "env"}
    environment = {**_foreign(found.get("env")), **wanted.get("env", {})}
    fit = {**others, **wanted, **({"env": environment} if environment else {})}
    return {key: fit[key] for key in [*found, *fit] if key in fit}


def shown_entry(entry: Entry) -> Entry:
    """Return the server's entry without the values that a person added, because they may be secret."""
    servers = [client.files.server for client in clients.registrable()]
    own_keys = {*_OURS, *(key for one in servers for key in (*one.extra, *one.retired))}
    ours = {key: value if key in own_keys else _HIDDEN for key, value in entry.items()}
    given, own_names = entry.get("env"), _own_variables()
    if isinstance(given, dict):
        ours["env"] = {name: value if name in own_names else _HIDDEN for name, value in given.items()}
    return ours


def _foreign(environment: object) -> Entry:
    """Return the variables of the server that a person added, and not install."""
    given, own_names = environment if isinstance(environment, dict) else {}, _own_variables()
    return {name: value for name, value in given.items() if name not in own_names}


def _own_variables() -> set[str]:
    """Return the names of all variables that install gives a server, for any client."""
    return {*CHOSEN, *(name for client in clients.registrable() for name in client.files.server.told)}


def takes(found: object, new: Entry) -> bool:
    """Tell whether `new` removes or changes anything in `found` but the program's path."""
    if not isinstance(found, dict):
        return True
    before, after = _placeless(_in_force(found)), _placeless(new)
    environment, given = before.pop("env", {}), after.pop("env", {})
    if not isinstance(environment, dict) or not environment.items() <= given.items():
        return True
    return any(key not in after or after[key] != value for key, value in before.items())


def altered(found: object, wanted: Entry) -> bool:
    """Tell whether a server's entry or a hook holds anything that install would write for no choice."""
    return not isinstance(found, dict) or _choiceless(found) != _choiceless(wanted)


def _choiceless(entry: Entry) -> Entry:
    """Return an entry without the program's path, the choices, and the notes that a client keeps in it."""
    plain = _placeless(_in_force(entry))
    left = _foreign(plain.pop("env", None))
    for key in [key for client in clients.registrable() for key in client.files.server.notes]:
        plain.pop(key, None)
    if "hooks" in plain:
        plain["hooks"] = [_choiceless(hook) if isinstance(hook, dict) else hook for hook in _list(entry["hooks"])]
    if _hook_words(entry.get("command")) is not None:
        plain["command"] = plain["command"][:2]
        if plain.get("name") == SERVER:  # which an older install did not write
            del plain["name"]
    return {**plain, **({"env": left} if left else {})}


def _in_force(entry: Entry) -> Entry:
    """Return an entry without the keys that only an older install wrote."""
    retired = [pair for client in clients.registrable() for pair in client.files.server.retired.items()]
    return {key: value for key, value in entry.items() if (key, value) not in retired}


def _placeless(entry: Entry) -> Entry:
    """Return an entry, or a group of hooks, with the program left out of its command."""
    plain = dict(entry)
    if "hooks" in plain:
        plain["hooks"] = [_placeless(hook) if isinstance(hook, dict) else hook for hook in _list(plain["hooks"])]
    if (words := _hook_words(entry.get("command"))) is not None:
        plain["command"] = ["hook", *words]
    elif words := own_words([str(entry.get("command")), *map(str, _list(entry.get("args")))]):
        plain.update(command="", args=words)
    return plain


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
