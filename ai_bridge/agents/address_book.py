"""All cards at once. A cache keeps what each card said, so that an unchanged card costs only one `stat`."""

from __future__ import annotations

import json
import os
from contextlib import suppress
from typing import Any

from ai_bridge.agents import cards
from ai_bridge.agents.cards import BadCard, Card
from ai_bridge.agents.several import groups
from ai_bridge.errors import DiskError
from ai_bridge.mailboxes import card_files
from ai_bridge.mailboxes.tree import AGENTS, Tree
from ai_bridge.message.address import is_address
from ai_bridge.system import state_files


def load_all(mailboxes: Tree) -> dict[str, Card]:
    """Return every undamaged card by its address, with its fields and without its text.

    If a card cannot be read just now, its fields are those of the last reading. Writes a cache into the state
    directory if a card has changed. Raises OSError if the folder of the cards cannot be listed.
    """
    memory = _memory(mailboxes)
    before, now = _remembered(memory), {}
    for name, mark in _marks(os.path.join(mailboxes.path, AGENTS)).items():
        entry = before.get(name)
        if entry is None or entry[0] != mark:
            with suppress(DiskError):
                entry = [mark, _fields_or_none(mailboxes, name)]
        if entry is not None:
            now[name] = entry
    if now != before:
        with suppress(OSError):
            state_files.remember(memory, json.dumps(now).encode(), flush=False)
    return {name: Card(name, entry[1]) for name, entry in now.items() if entry[1] is not None}


def last_read(mailboxes: Tree, address: str) -> Card:
    """Return the agent's card as `load_all` last read it; an empty card if it never did."""
    return Card(address, (_remembered(_memory(mailboxes)).get(address) or [None, None])[1] or {})


def _memory(mailboxes: Tree) -> str:
    return mailboxes.state_file("cards.json")


def _marks(folder: str) -> dict[str, list[int]]:
    """Return a mark for each agent with a card, which changes when the card does; [] if the disk refuses the mark."""
    found: dict[str, list[int]] = {}
    with suppress(FileNotFoundError, NotADirectoryError), os.scandir(folder) as entries:
        for entry in entries:
            name = entry.name.removesuffix(card_files.ENDING)
            if entry.name.endswith(card_files.ENDING) and is_address(name):
                with suppress(FileNotFoundError):
                    found[name] = _mark(entry.path)
    return found


def _mark(path: str) -> list[int]:
    try:
        return [*state_files.mark(path, follow=False)]
    except FileNotFoundError:
        raise
    except OSError:
        return []


def _fields_or_none(mailboxes: Tree, address: str) -> dict[str, str] | None:
    """Return the fields of a card, None if it is damaged; raises `DiskError`."""
    try:
        card = cards.load(mailboxes, address)
        named = groups.said_by(card.rest)  # a list, which is no text
        return card.fields | ({groups.FIELD: ", ".join(named)} if named else {})
    except BadCard:
        return None


def _remembered(path: str) -> dict[str, Any]:
    """Return the content of the cache, {} if it is damaged or missing."""
    with suppress(OSError, ValueError, RecursionError), open(path, encoding="utf-8") as file:
        found = json.load(file)
        if isinstance(found, dict) and all(_is_entry(entry) for entry in found.values()):
            return found
    return {}


def _is_entry(entry: object) -> bool:
    """Tell whether this is `[mark, fields or None]`."""
    if not (isinstance(entry, list) and len(entry) == 2):
        return False
    fields = entry[1]
    return fields is None or (isinstance(fields, dict) and all(isinstance(value, str) for value in fields.values()))
