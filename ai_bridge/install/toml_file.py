"""Our server's table in a TOML file; the file's comments and layout stay as they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ai_bridge.clients.files import SERVER, Keys
from ai_bridge.install import toml_values
from ai_bridge.install.content import Merged
from ai_bridge.install.entries import Entry, altered, fitted, shown_entry, takes
from ai_bridge.install.json_edit import NotMergeable, Path, get
from ai_bridge.install.writable import directories

_SERVERS = "mcp_servers"
_PATH = (_SERVERS, SERVER)


@dataclass(frozen=True)
class TomlFile(Merged):
    """Our part of a TOML file. A change counts only if the new text, parsed again, differs in our part alone.

    `defaults`: values to set if there are none. `roots`: the place of the list of directories that the client's shell
    may write, () if it has none. `is_granted`: the directories that `ai-bridge send` writes belong in that list.
    Without it they stay if they are all there. `advice`: a sentence for a person if they are not.
    """

    server: Entry | None
    defaults: Mapping[Path, Any] = field(default_factory=dict)
    roots: Keys = ()
    is_granted: bool = False
    advice: str = ""

    def put(self, text: str) -> str:
        if self.server is None:
            return text
        found = get(_parsed(text), _PATH)
        before = self.granted(text)
        if found != (fit := fitted(found, self.server)):
            ways = (_replaced,) if found is not None else (_appended, _replaced)
            text = _first_right(ways, text, fit)
        for place, value in self.defaults.items():
            if get(_parsed(text), place) is None:
                text = toml_values.put(text, place, value)
        if self.is_granted or before:
            wanted = directories(fit)
            unwanted = tuple(one for one in before if one not in wanted)
            text = toml_values.put_words(text, self.roots, wanted, unwanted)
        return text

    def strip(self, text: str, original: str | None) -> str:
        found = get(_parsed(text), _PATH)
        if self.roots and isinstance(found, dict):
            theirs = toml_values.words(original or "", self.roots)
            ours = tuple(one for one in directories(found) if one not in (theirs or []))
            text = toml_values.take_words(text, self.roots, ours, keeps_list=theirs is not None)
        for place, value in self.defaults.items() if found is not None else ():
            if get(_parsed(text), place) == value and get(_parsed(original or ""), place) != value:
                text = toml_values.take(text, place)
        return text if found is None else _first_right((_cut, _removed), text, None)

    def granted(self, text: str) -> Keys:
        """Return the directories that our entry in the text means, if its client's shell may write all; else ()."""
        found = get(_parsed(text), _PATH)
        if not self.roots or not isinstance(found, dict):
            return ()
        there = toml_values.words(text, self.roots) or []
        ours = directories(found)
        return ours if all(one in there for one in ours) else ()

    def as_found(self, text: str) -> Self:
        document = _parsed(text)
        found = get(document, _PATH)
        defaults = {place: value for place, value in self.defaults.items() if get(document, place) == value}
        server = found if isinstance(found, dict) else None
        return replace(self, server=server, defaults=defaults, is_granted=bool(self.granted(text)))

    def asks(self, verb: str, present: bytes) -> bool:
        text = present.decode("utf-8-sig")
        found = get(_parsed(text), _PATH)
        if found is None or self.server is None:
            return False
        if verb == "uninstall":
            return altered(found, self.server)
        fit = fitted(found, self.server)
        return takes(found, fit) or not set(self.granted(text)) <= set(directories(fit))

    def view(self, text: str) -> str:
        document = _parsed(text)
        found = get(document, _PATH)
        if not isinstance(found, dict):
            return ""
        own = [(place, value) for place, value in self.defaults.items() if get(document, place) == value]
        there = toml_values.words(text, self.roots) or [] if self.roots else []
        if ours := [one for one in directories(found) if one in there]:
            own.append((self.roots, ours))
        shown = _block(shown_entry(found))
        for place, value in own:
            shown = toml_values.put(shown, place, value)
        return shown

    def is_empty(self, text: str) -> bool:
        return not text.strip()

    def notes(self, present: bytes | None) -> list[str]:
        after = self.installed(present)
        if not self.roots or after == present or self.granted(after.decode("utf-8-sig")):
            return []
        return [self.advice] if self.advice else []

    def by_hand(self) -> str:
        # A person adds these lines at the end, where a setting without a table would become one of another table.
        return replace(self, defaults={}).put("")


def _parsed(text: str) -> Entry:
    document = toml_values.parsed(text)
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
    return toml_values.append(text, _block(entry))


def _cut(text: str, _: None) -> str:
    return toml_values.cut(text, _block(get(_parsed(text), _PATH)))


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
