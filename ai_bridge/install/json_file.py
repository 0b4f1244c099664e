"""Our part of a client's JSON file: the server, hooks on its events, and settings that are still missing."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Self

from ai_bridge.clients.files import SERVER
from ai_bridge.install import json_edit
from ai_bridge.install.content import Merged
from ai_bridge.install.entries import Entry, altered, fitted, is_hook, shown_entry, takes
from ai_bridge.install.json_edit import Path

_SERVER_PATH: Path = ("mcpServers", SERVER)
_WHITE = " \t\r\n"


@dataclass(frozen=True)
class JsonFile(Merged):
    """Our part of a JSON file; `server` is None if the server is not in this file.

    `hooks`: one group per event. `defaults`: values to set if there are none. `members`: a word for each list that
    must hold it. `advice`: a sentence about what the person does next. `older`: the groups of an older install.
    """

    server: Entry | None = None
    hooks: Mapping[str, Entry] = field(default_factory=dict)
    defaults: Mapping[Path, Any] = field(default_factory=dict)
    members: Mapping[Path, str] = field(default_factory=dict)
    advice: str = ""
    older: Mapping[str, Entry] = field(default_factory=dict)
    nothing = b"{}\n"

    # --- putting in ---

    def put(self, text: str) -> str:
        text = text if text.strip(_WHITE) else "{}\n"
        document = json_edit.parse(text)
        if self.server is not None:
            found = self._server(document)
            if found != (fit := fitted(found, self.server)):
                text = json_edit.put(text, _SERVER_PATH, fit)
        text = self._put_hooks(self._drop_stale(text))
        for path, value in self.defaults.items():
            if _is_free(json_edit.parse(text), path):
                text = json_edit.put(text, path, value)
        for path, value in self.members.items():
            if _place(json_edit.parse(text), path, value) is None:
                text = json_edit.append(text, path, value)
        return text

    def _drop_stale(self, text: str) -> str:
        """Return the text without our hooks on other events, and with only the first of several on one event."""
        seen: set[str] = set()
        stale = []
        for path, event, _ in self._hooks(json_edit.parse(text)):
            if event in seen or event not in self.hooks:
                stale.append(path)
            seen.add(event)
        for path in reversed(stale):
            text = json_edit.take(text, path)
        return text

    def _put_hooks(self, text: str) -> str:
        there = {event: (path, found) for path, event, found in self._hooks(json_edit.parse(text))}
        for event, group in self.hooks.items():
            if event not in there:
                text = json_edit.append(text, ("hooks", event), group)
                continue
            path, found = there[event]
            if found != (wanted := _like(found, group)):
                text = json_edit.put(text, path, wanted)
        return text

    # --- taking out ---

    def strip(self, text: str, original: str | None) -> str:
        before = _read(original or "")
        for path, value in reversed(list(self.defaults.items())):
            document = json_edit.parse(text)
            if json_edit.get(document, path) == value and json_edit.get(before, path) != value:
                text = json_edit.take(text, path)
        for path, value in self.members.items():
            if (place := _place(json_edit.parse(text), path, value)) is not None and _place(
                before, path, value
            ) is None:
                text = json_edit.take(text, (*path, place))
        for path, _, _ in reversed(self._hooks(json_edit.parse(text))):
            text = json_edit.take(text, path)
        return json_edit.take(text, _SERVER_PATH) if self._server(json_edit.parse(text)) is not None else text

    # --- what is there ---

    def _server(self, document: Entry) -> Any:
        return json_edit.get(document, _SERVER_PATH) if self.server is not None else None

    def _hooks(self, document: Entry) -> list[tuple[Path, str, Entry]]:
        return list(own_hooks(document)) if self.hooks else []

    def as_found(self, text: str) -> Self:
        document = _read(text)
        hooks = {event: found for _, event, found in self._hooks(document) if "hooks" in found}
        defaults = {path: value for path, value in self.defaults.items() if json_edit.get(document, path) == value}
        members = {path: one for path, one in self.members.items() if _place(document, path, one) is not None}
        server = self._server(document)
        entry = server if isinstance(server, dict) else None
        return replace(self, server=entry, hooks=hooks, defaults=defaults, members=members)

    def asks(self, verb: str, present: bytes) -> bool:
        pairs = list(self._pairs(_read(present.decode("utf-8-sig"))))
        if verb == "uninstall":
            return any(altered(found, wanted) for found, _, wanted in pairs)
        return any(found != new and takes(found, new) for found, new, _ in pairs)

    def _pairs(self, document: Entry) -> Iterator[tuple[Any, Entry, Entry]]:
        """Yield each wanted entry of ours that is there, its new value, and the value of a first installation."""
        if self.server is not None and (found := self._server(document)) is not None:
            yield found, fitted(found, self.server), self.server
        for _, event, there in self._hooks(document):
            if event in self.hooks and there != _like(there, self.older.get(event, self.hooks[event])):
                yield there, _like(there, self.hooks[event]), _like(there, self.hooks[event])

    def view(self, text: str) -> str:
        document = _read(text)
        shown: dict[str, Any] = {}
        if (server := self._server(document)) is not None:
            shown["mcpServers"] = {SERVER: shown_entry(server) if isinstance(server, dict) else server}
        for _, event, found in self._hooks(document):
            shown.setdefault("hooks", {}).setdefault(event, []).append(found)
        alone = self.server is None and not self.hooks
        for path, value in self.defaults.items() if shown or alone else ():
            if json_edit.get(document, path) == value:
                _nest(shown, path, value)
        for path, value in self.members.items() if shown or alone else ():
            if _place(document, path, value) is not None:
                _nest(shown, path, [value])
        return json.dumps(shown, indent=2, ensure_ascii=False) + "\n" if shown else ""

    def is_empty(self, text: str) -> bool:
        return not _read(text)

    def notes(self, present: bytes | None) -> list[str]:
        document = _read((present or b"").decode("utf-8-sig"))
        others = [
            f"{'.'.join(map(str, path))} is {json.dumps(found)} and stays so; "
            f"mail wakes an idle session only if it is {json.dumps(value)}"
            for path, value in self.defaults.items()
            if (found := json_edit.get(document, path, value)) != value
        ]
        return [*others, self.advice] if self.advice and self.installed(present) != present else others

    def by_hand(self) -> str:
        return self.view(self.put("{}"))


def _read(text: str) -> Entry:
    """Return the object in a file, {} if the file is empty; raises `NotMergeable`."""
    return json_edit.parse(text) if text.strip(_WHITE) else {}


def own_hooks(document: Mapping[str, Any]) -> Iterator[tuple[Path, str, Entry]]:
    """Yield path, event and value of each hook of ours: its group, or the hook alone if others share the group."""
    hooks = document.get("hooks")
    for event, groups in hooks.items() if isinstance(hooks, dict) else ():
        for index, group in enumerate(groups) if isinstance(groups, list) else ():
            handlers = group.get("hooks") if isinstance(group, dict) else None
            listed = handlers if isinstance(handlers, list) else []
            for number, handler in enumerate(listed):
                if is_hook(handler):
                    path: Path = ("hooks", event, index)
                    yield (path, event, group) if len(listed) == 1 else ((*path, "hooks", number), event, handler)


def _like(found: Entry, group: Entry) -> Entry:
    """Return the wanted group, or only its hook if a hook alone was found."""
    handler: Entry = group["hooks"][0]
    return group if "hooks" in found else handler


def _is_free(document: Mapping[str, Any], path: Path) -> bool:
    """Tell whether a value can be set at `path`: nothing is there, and only objects are above it."""
    for depth in range(1, len(path)):
        if not isinstance(json_edit.get(document, path[:depth], {}), dict):
            return False
    return json_edit.get(document, path, _is_free) is _is_free


def _place(document: Mapping[str, Any], path: Path, value: str) -> int | None:
    """Return the index of the value in the list at `path`; None if it is not there."""
    found = json_edit.get(document, path)
    return found.index(value) if isinstance(found, list) and value in found else None


def _nest(document: dict[str, Any], path: Path, value: Any) -> None:
    for key in path[:-1]:
        document = document.setdefault(str(key), {})
    document[str(path[-1])] = value
