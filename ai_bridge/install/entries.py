"""What is registered with a client: the server, the hooks that look for mail, and how both are known again.

An entry is ours by its server's name, or by the command it runs. Where the program lies, and what was chosen when
it was installed, may differ from today's; anything else that differs was written by a person.
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

# What install writes of a server with each client; the rest a client's record has, or a person added.
_OURS = ("command", "args", "env")
_HIDDEN = "…"

TOOL = "check_mail"
# A check of mail reads a few directories; a client that waits longer than this for one waits for nothing.
HOOK_SECONDS = 10
CHOSEN = ("AI_BRIDGE_MAILBOXES", "AI_BRIDGE_AGENT", "AI_BRIDGE_STATE")


@dataclass(frozen=True)
class Choice:
    """What the person chose for the server: mailboxes and address; None leaves it to be found by the server."""

    mailboxes: str | None = None
    agent: str | None = None

    @classmethod
    def from_options(cls, mailboxes: str | None, agent: str | None) -> Choice:
        """Return the choice by option or `AI_BRIDGE_MAILBOXES`; raises `BridgeError`, `BadAddress`."""
        if mailboxes == "":
            raise BridgeError(what="--mailboxes names nothing: give the directory's path")
        named = mailboxes or os.environ.get("AI_BRIDGE_MAILBOXES")
        return cls(os.path.abspath(named) if named else None, address.checked(agent) if agent is not None else None)

    @property
    def environment(self) -> dict[str, str]:
        """Return the variables a server needs to be told of, so that it finds what this command would find."""
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
    """Return the entry of the server, which all clients understand."""
    command, *words = program()
    return {"command": command, "args": [*words, "mcp"], **({"env": environment} if environment else {})}


def server_of(client: Client, choice: Choice) -> Entry:
    """Return a client's entry of the server."""
    return {**server({**choice.environment, **places(client)}), **client.files.server.extra}


def places(client: Client) -> dict[str, str]:
    """Return where the environment says that things are, as far as the client's servers must be told."""
    return {name: value for name in client.files.server.told if (value := os.environ.get(name))}


def hook_groups(client: Client, choice: Choice, server_name: str = SERVER) -> dict[str, Entry]:
    """Return, for each event of a client, a group with our hook in its form."""
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
    """Return how long the client is to wait for a hook, in its own unit."""
    return HOOK_SECONDS * client.hooks.units_per_s


def _matcher(event: str, client: Client) -> dict[str, str]:
    """Return the matcher of all tools for the events that are about one."""
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
    """Return the words after `hook` of our command; None where it is another."""
    if not isinstance(command, str):
        return None
    try:
        words = _own_words(shlex.split(command))
    except ValueError:
        return None
    return words[1:] if words[:1] == ["hook"] else None


def _own_words(words: list[str]) -> list[str]:
    """Return the words after the program, where that is ours, wherever it lies; else nothing."""
    if words and os.path.basename(words[0]) == "ai-bridge":
        return words[1:]
    return words[4:] if words[1:4] == MODULE else []


def fitted(found: object, wanted: Entry) -> Entry:
    """Return the server's entry as it is to be: ours, with what a person added to it."""
    if not isinstance(found, dict):
        return wanted
    others = {key: value for key, value in found.items() if key != "env"}
    environment = {**_foreign(found.get("env")), **wanted.get("env", {})}
    fit = {**others, **wanted, **({"env": environment} if environment else {})}
    return {key: fit[key] for key in [*found, *fit] if key in fit}


def shown_entry(entry: Entry) -> Entry:
    """Return the server's entry as it may be shown: what a person added to it may be secret."""
    own_keys = {*_OURS, *(key for client in clients.registrable() for key in client.files.server.extra)}
    ours = {key: value if key in own_keys else _HIDDEN for key, value in entry.items()}
    given, own_names = entry.get("env"), _own_variables()
    if isinstance(given, dict):
        ours["env"] = {name: value if name in own_names else _HIDDEN for name, value in given.items()}
    return ours


def _foreign(environment: object) -> Entry:
    """Return the variables that a person gave the server, not we."""
    given, own_names = environment if isinstance(environment, dict) else {}, _own_variables()
    return {name: value for name, value in given.items() if name not in own_names}


def _own_variables() -> set[str]:
    """Return the variables that install gives a server, with whatever client."""
    return {*CHOSEN, *(name for client in clients.registrable() for name in client.files.server.told)}


def takes(found: object, new: Entry) -> bool:
    """Tell whether `new` takes away or changes what is there, other than where the program lies."""
    if not isinstance(found, dict):
        return True
    before, after = _placeless(found), _placeless(new)
    environment, given = before.pop("env", {}), after.pop("env", {})
    if not isinstance(environment, dict) or not environment.items() <= given.items():
        return True
    return any(key not in after or after[key] != value for key, value in before.items())


def altered(found: object, wanted: Entry) -> bool:
    """Tell whether a server's entry or a hook holds anything that install, with whatever choice, does not write."""
    return not isinstance(found, dict) or _choiceless(found) != _choiceless(wanted)


def _choiceless(entry: Entry) -> Entry:
    """Return an entry without place and choice; and without the notes that a client itself keeps in it."""
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
