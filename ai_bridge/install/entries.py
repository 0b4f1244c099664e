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

TOOL = "check_mail"
# A check of mail reads a few directories. If it takes longer than this, waiting on is useless.
HOOK_SECONDS = 10
CHOSEN = ("AI_BRIDGE_MAILBOXES", "AI_BRIDGE_AGENT", "AI_BRIDGE_STATE")


@dataclass(frozen=True)
class Choice:
    """The mailboxes and the address that the person chose for the server; None: the server finds it itself."""

    mailboxes: str | None = None
    agent: str | None = None

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
        state = os.environ.get("AI_BRIDGE_STATE")
        values = (self.mailboxes, self.agent, os.path.abspath(state) if state else None)
        return {name: value for name, value in zip(CHOSEN, values, strict=True) if value}

    @property
    def options(self) -> list[str]:
        """Return mailboxes and address as options of a command."""
        given = (("--mailboxes", self.mailboxes), ("--agent", self.agent))
        return [word for option, value in given if value for word in (option, value)]


# --- what is written --------------------------------------------------------------------------------------


def server(environment: dict[str, str]) -> Entry:
    """Return the server's entry with `environment` as its variables, in the form that all clients understand."""
    command, *words = program()
    return {"command": command, "args": [*words, "mcp"], **({"env": environment} if environment else {})}


def server_of(client: Client, choice: Choice) -> Entry:
    """Return the server's entry for a client, with the keys that only this client has."""
    return {**server({**choice.environment, **places(client)}), **client.files.server.extra}


def places(client: Client) -> dict[str, str]:
    """Return the variables of this environment that the client's entry must pass to its server."""
    return {name: value for name in client.files.server.told if (value := os.environ.get(name))}


def hook_groups(client: Client, choice: Choice, server_name: str = SERVER) -> dict[str, Entry]:
    """Return, for each event, a group with our hook in the form that the client runs."""
    return command_hooks(client, choice) if client.hooks.are_commands else tool_hooks(client, server_name)


def tool_hooks(client: Client, server_name: str = SERVER) -> dict[str, Entry]:
    """Return, for each event, a group with the hook by which the client calls our running server."""
    groups = {}
    for event in client.hooks.events:
        handler = {"type": "mcp_tool", "server": server_name, "tool": TOOL, "input": {"event": event}}
        groups[event] = {**_matcher(event, client), "hooks": [{**handler, "timeout": _timeout(client)}]}
    return groups


def command_hooks(client: Client, choice: Choice) -> dict[str, Entry]:
    """Return, for each event, a group with the hook that runs our command."""
    command = shlex.join([*program(), "hook", client.name, *choice.options])
    handler = {"type": "command", "command": command, "timeout": _timeout(client)}
    if state := choice.environment.get("AI_BRIDGE_STATE"):
        handler["env"] = {"AI_BRIDGE_STATE": state}
    return {event: {**_matcher(event, client), "hooks": [handler]} for event in client.hooks.events}


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
    try:
        words = _own_words(shlex.split(command))
    except ValueError:
        return None
    return words[1:] if words[:1] == ["hook"] else None


def _own_words(words: list[str]) -> list[str]:
    """Return the words after the program if it is ours, at whatever path; else []."""
    if words and os.path.basename(words[0]) == "ai-bridge":
        return words[1:]
    return words[4:] if words[1:4] == MODULE else []


def fitted(found: object, wanted: Entry) -> Entry:
    """Return the server's entry to write: the wanted one, with everything that a person added to the one found."""
    if not isinstance(found, dict):
        return wanted
    others = {key: value for key, value in found.items() if key != "env"}
    environment = {**_foreign(found.get("env")), **wanted.get("env", {})}
    fit = {**others, **wanted, **({"env": environment} if environment else {})}
    return {key: fit[key] for key in [*found, *fit] if key in fit}


def shown_entry(entry: Entry) -> Entry:
    """Return the server's entry without the values that a person added, because they may be secret."""
    own_keys = {*_OURS, *(key for client in clients.registrable() for key in client.files.server.extra)}
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
    before, after = _placeless(found), _placeless(new)
    environment, given = before.pop("env", {}), after.pop("env", {})
    if not isinstance(environment, dict) or not environment.items() <= given.items():
        return True
    return any(key not in after or after[key] != value for key, value in before.items())


def altered(found: object, wanted: Entry) -> bool:
    """Tell whether a server's entry or a hook holds anything that install would write for no choice."""
    return not isinstance(found, dict) or _choiceless(found) != _choiceless(wanted)


def _choiceless(entry: Entry) -> Entry:
    """Return an entry without the program's path, the choices, and the notes that a client keeps in it."""
    plain = _placeless(entry)
    left = _foreign(plain.pop("env", None))
    for key in [key for client in clients.registrable() for key in client.files.server.notes]:
        plain.pop(key, None)
    if "hooks" in plain:
        plain["hooks"] = [_choiceless(hook) if isinstance(hook, dict) else hook for hook in _list(entry["hooks"])]
    if _hook_words(entry.get("command")) is not None:
        plain["command"] = plain["command"][:2]
    return {**plain, **({"env": left} if left else {})}


def _placeless(entry: Entry) -> Entry:
    """Return an entry, or a group of hooks, with the program left out of its command."""
    plain = dict(entry)
    if "hooks" in plain:
        plain["hooks"] = [_placeless(hook) if isinstance(hook, dict) else hook for hook in _list(plain["hooks"])]
    if (words := _hook_words(entry.get("command"))) is not None:
        plain["command"] = ["hook", *words]
    elif words := _own_words([str(entry.get("command")), *map(str, _list(entry.get("args")))]):
        plain.update(command="", args=words)
    return plain


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
