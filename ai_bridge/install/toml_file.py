"""Our server's table in a TOML file; the file's comments and layout stay as they are."""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, Self

from ai_bridge.clients.files import SERVER
from ai_bridge.install.content import Merged
from ai_bridge.install.entries import Entry, altered, fitted, shown_entry, takes
from ai_bridge.install.json_edit import NotMergeable, get

_SERVERS = "mcp_servers"
_PATH = (_SERVERS, SERVER)


@dataclass(frozen=True)
class TomlFile(Merged):
    """Our part of a TOML file. A change counts only if the new text, parsed again, differs in our table alone."""

    server: Entry | None

    def put(self, text: str) -> str:
        found = get(_parsed(text), _PATH)
        if self.server is None or found == (fit := fitted(found, self.server)):
            return text
        ways = (_replaced,) if found is not None else (_appended, _replaced)
        return _first_right(ways, text, fit)

    def strip(self, text: str, original: str | None) -> str:
        found = get(_parsed(text), _PATH)
        return text if found is None else _first_right((_cut, _removed), text, None)

    def as_found(self, text: str) -> Self:
        found = get(_parsed(text), _PATH)
        return replace(self, server=found if isinstance(found, dict) else None)

    def asks(self, verb: str, present: bytes) -> bool:
        found = get(_parsed(present.decode("utf-8-sig")), _PATH)
        if found is None or self.server is None:
            return False
        if verb == "uninstall":
            return altered(found, self.server)
        return takes(found, fitted(found, self.server))

    def view(self, text: str) -> str:
        found = get(_parsed(text), _PATH)
        return _block(shown_entry(found)) if isinstance(found, dict) else ""

    def is_empty(self, text: str) -> bool:
        return not text.strip()

    def by_hand(self) -> str:
        return _block(self.server or {})


def _parsed(text: str) -> Entry:
    try:
        document = tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotMergeable(str(error)) from None
    if not isinstance(document.get(_SERVERS, {}), dict):
        raise NotMergeable(f"{_SERVERS} is no table")
    return document


def _first_right(ways: tuple[Callable[[str, Any], str], ...], text: str, entry: Entry | None) -> str:
    """Return the first result that keeps all else in the text and has `entry` as ours; raises `NotMergeable`."""
    wanted = _with(_parsed(text), entry)
    for way in ways:
        try:
            changed = way(text, entry)
            if _with(_parsed(changed), None) == _with(wanted, None) and get(_parsed(changed), _PATH) == entry:
                return changed
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
    raise NotMergeable(f"{_SERVERS} is laid out in a way that cannot be changed safely")


def _with(document: Entry, entry: Entry | None) -> Entry:
    """Return the document with `entry` as ours (None: without ours), and without an empty table of servers."""
    servers = dict(document.get(_SERVERS) or {})
    servers.pop(SERVER, None)
    if entry is not None:
        servers[SERVER] = entry
    others = {key: value for key, value in document.items() if key != _SERVERS}
    return {**others, _SERVERS: servers} if servers else others


# --- as text ----------------------------------------------------------------------------------------------


def _newline(text: str) -> str:
    return "\r\n" if "\r\n" in text else "\n"


def _block(entry: Entry) -> str:
    """Return our table as lines of TOML."""
    import tomlkit

    lines = [f"[{_SERVERS}.{SERVER}]\n"]
    for key, value in entry.items():
        lines.append(tomlkit.dumps({key: _inline(value)}))
    return "".join(lines)


def _inline(value: Any) -> Any:
    import tomlkit

    if not isinstance(value, dict):
        return value
    table = tomlkit.inline_table()
    table.update({key: _inline(inner) for key, inner in value.items()})
    return table


def _appended(text: str, entry: Entry) -> str:
    return append(text, _block(entry))


def append(text: str, block: str) -> str:
    """Return the text with a block at its end, after an empty line."""
    newline = _newline(text)
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return text + gap + block.replace("\n", newline)


def _cut(text: str, _: None) -> str:
    return cut(text, _block(get(_parsed(text), _PATH)))


def cut(text: str, block: str) -> str:
    """Return the text without a block as it was appended; raises ValueError if the block was changed."""
    newline = _newline(text)
    block = block.replace("\n", newline)
    before, found, after = text.partition(block)
    if not found or block in after:
        raise ValueError("the table was changed")
    return before.removesuffix(newline) + after if before.endswith(newline * 2) else before + after


# --- by its structure -------------------------------------------------------------------------------------


def _replaced(text: str, entry: Entry) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    servers: Any = document.setdefault(_SERVERS, tomlkit.inline_table())
    if SERVER not in servers:
        servers[SERVER] = _inline(entry)
        return tomlkit.dumps(document)
    table = servers[SERVER]
    for key in [key for key in table if key not in entry]:
        del table[key]
    for key, value in entry.items():
        if table.get(key) != value:
            table[key] = _inline(value)
    return tomlkit.dumps(document)


def _removed(text: str, _: None) -> str:
    import tomlkit

    document = tomlkit.parse(text)
    servers: Any = document[_SERVERS]
    if len(servers) == 1:
        document.remove(_SERVERS)
    else:
        del servers[SERVER]
    return tomlkit.dumps(document)
