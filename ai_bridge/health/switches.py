"""Causes that keep an existing registration from working: a switch, a change, or mailboxes that are not there."""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterator
from typing import Any

from ai_bridge import clients
from ai_bridge.clients.files import Switch
from ai_bridge.health.finding import NOTE, WRONG, Finding, install_command
from ai_bridge.install.registered import Registration
from ai_bridge.mailboxes import tree
from ai_bridge.message.address import is_address


def switches(one: Registration) -> Iterator[Finding]:
    """Yield a finding for each thing that keeps the registration from working."""
    assert one.server is not None
    path = one.files[-1].path
    documents = [document for file in one.files[1:] if (document := read(file.path))]
    for switch in clients.by_name(one.client).files.checks.switches:
        if any(_is_off(document, switch) for document in documents):
            yield Finding("switch", WRONG, f"{switch.words} ({path}, or beside it)", f"$EDITOR {path}")
    where, agent = one.server.env.get("AI_BRIDGE_MAILBOXES"), one.server.env.get("AI_BRIDGE_AGENT")
    if where is not None and not tree.is_mailboxes(where):
        fix = f"ai-bridge init --mailboxes {where}"
        yield Finding("mailboxes", WRONG, f"it names {where}, where there are no mailboxes", fix)
    if agent is not None and not is_address(agent):
        yield Finding("agent", WRONG, f"{agent} is no address", install_command(one.client, one.scope))
    elif not one.current and one.skill == "ours" and set(one.hooks) == set(one.wanted_hooks):
        fix = install_command(one.client, one.scope)
        yield Finding("current", NOTE, f"not as install writes it now; {fix} --dry-run shows the difference", fix)


def read(path: str) -> dict[str, Any]:
    """Return the contents of a client's settings file (TOML or JSON); {} if it cannot be read."""
    try:
        with open(path, "rb") as file:
            found = tomllib.load(file) if path.endswith(".toml") else json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


def at(document: Any, *keys: str | int) -> Any:
    """Return the value that `keys` lead to in a document; None if there is none."""
    for key in keys:
        document = document.get(key) if isinstance(document, dict) else None
    return document


def _is_off(document: dict[str, Any], switch: Switch) -> bool:
    """Tell whether the document turns this switch off."""
    found = at(document, *switch.keys)
    if switch.member:
        return isinstance(found, list) and switch.member in found
    return bool(found) if switch.value is None else found is switch.value
