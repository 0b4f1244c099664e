"""Changes JSON as text: only what is put in or taken out changes, and every other character stays as it was.

A document is never written again from its values. Numbers, escapes, order, indentation and line ends stay as the
person wrote them, so that the person can still read and compare the file.
"""

from __future__ import annotations

import json
import re
from typing import Any, NamedTuple

Path = tuple[str | int, ...]

_SPACE = re.compile(r"[ \t\r\n]*")
_INDENT = "  "


class NotMergeable(ValueError):
    """The text is not plain JSON or TOML, or another value is in the place of an object or list that we need."""


class _Member(NamedTuple):
    key: str | int
    start: int
    value: int
    end: int


class _Container(NamedTuple):
    """An object or array: where it begins, where its closing bracket is, and what is in it."""

    start: int
    close: int
    members: list[_Member]


def parse(text: str) -> dict[str, Any]:
    """Return the object in plain JSON text; raises `NotMergeable` with the place of the first error."""
    try:
        document = json.loads(text, parse_constant=_refuse)
    except json.JSONDecodeError as error:
        raise NotMergeable(f"line {error.lineno}, column {error.colno}: {error.msg}") from None
    except (ValueError, RecursionError) as error:
        raise NotMergeable(str(error)) from None
    if not isinstance(document, dict):
        raise NotMergeable("it holds no object")
    return document


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON")


_DECODER = json.JSONDecoder(parse_constant=_refuse)


def get(document: Any, path: Path, missing: Any = None) -> Any:
    """Return the value at `path` of a parsed document, or `missing` if there is none."""
    for key in path:
        try:
            document = document[key]
        except (KeyError, IndexError, TypeError):
            return missing
    return document


# --- the three changes ------------------------------------------------------------------------------------


def put(text: str, path: Path, value: Any) -> str:
    """Return the text with the value at `path`, and with the missing objects on the way; raises `NotMergeable`."""
    *outer, key = path
    for depth, step in enumerate(outer):
        container = _at(text, path[:depth], _bracket(step))
        if _member(container, step) is None:
            for inner in reversed(path[depth + 1 :]):
                value = {inner: value}
            return _insert(text, container, json.dumps(step) + _colon(text), value)
    container = _at(text, tuple(outer), _bracket(key))
    if (member := _member(container, key)) is None:
        return _insert(text, container, json.dumps(key) + _colon(text), value)
    return text[: member.value] + _rendered(text, value, _lead(text, member.start)) + text[member.end :]


def append(text: str, path: Path, value: Any) -> str:
    """Return the text with the value at the end of the array at `path`, which is made if it is missing.

    Raises `NotMergeable`.
    """
    if get(parse(text), path, parse) is parse:
        return put(text, path, [value])
    return _insert(text, _at(text, path, "["), "", value)


def take(text: str, path: Path) -> str:
    """Return the text without the value at `path`, and without containers that are then empty.

    The outermost object stays. The value must be there. Raises `NotMergeable`.
    """
    *outer, key = path
    container = _at(text, tuple(outer), _bracket(key))
    member = _member(container, key)
    assert member is not None, path
    index = container.members.index(member)
    if len(container.members) == 1:
        if outer:
            return take(text, tuple(outer))
        return text[: container.start + 1] + text[container.close :]
    if index:
        return text[: container.members[index - 1].end] + text[member.end :]
    return text[: member.start] + text[container.members[1].start :]


def _bracket(key: str | int) -> str:
    """Return the opening bracket of a container with such keys."""
    return "{" if isinstance(key, str) else "["


# --- where things are -------------------------------------------------------------------------------------


def _at(text: str, path: Path, kind: str) -> _Container:
    """Return the object or array at `path`, which exists; raises `NotMergeable` if it is not of the `kind`.

    `kind` is the opening bracket.
    """
    at = _skip(text, 0)
    for depth, key in enumerate(path):
        member = _member(_scan(text, at), key)
        assert member is not None, path[: depth + 1]
        at = member.value
    if text[at] != kind:
        wanted = "object" if kind == "{" else "list"
        raise NotMergeable(f"{'.'.join(map(str, path)) or 'it'} is no {wanted}")
    return _scan(text, at)


def _member(container: _Container, key: str | int) -> _Member | None:
    """Return the member of that key, None if there is none; of several the last one, as JSON readers do."""
    return next((member for member in reversed(container.members) if member.key == key), None)


def _scan(text: str, start: int) -> _Container:
    """Return the container that begins at `start`; the text is known to be plain JSON."""
    members: list[_Member] = []
    at = _skip(text, start + 1)
    while text[at] not in "}]":
        begin, key = at, len(members)
        if text[start] == "{":
            key, at = _DECODER.raw_decode(text, at)
            at = _skip(text, _skip(text, at) + 1)
        _, end = _DECODER.raw_decode(text, at)
        members.append(_Member(key, begin, at, end))
        at = _skip(text, end)
        at = _skip(text, at + 1) if text[at] == "," else at
    return _Container(start, at, members)


def _skip(text: str, at: int) -> int:
    found = _SPACE.match(text, at)
    assert found is not None
    return found.end()


# --- in the style that is there ---------------------------------------------------------------------------


def _insert(text: str, container: _Container, key: str, value: Any) -> str:
    """Return the text with a member after the last one, laid out like the others."""
    start, close, members = container
    if not members:
        if _unit(text) is None:
            return text[: start + 1] + key + _rendered(text, value, None) + text[close:]
        base = _line_lead(text, start)
        lead = base + (_unit(text) or "")
        inner = f"{_newline(text)}{lead}{key}{_rendered(text, value, lead)}{_newline(text)}{base}"
        return text[: start + 1] + inner + text[close:]
    lead_found = _lead(text, members[0].start)
    between = _gap(text) if lead_found is None else _newline(text) + lead_found
    at = members[-1].end
    return f"{text[:at]},{between}{key}{_rendered(text, value, lead_found)}{text[at:]}"


def _rendered(text: str, value: Any, lead: str | None) -> str:
    """Return the value as JSON: on lines indented from `lead`, or on one line if that is None."""
    unit = _unit(text)
    if lead is None or unit is None:
        return json.dumps(value, ensure_ascii=False, separators=("," + _gap(text), _colon(text)))
    return json.dumps(value, ensure_ascii=False, indent=unit).replace("\n", _newline(text) + lead)


def _first(text: str) -> tuple[int, int] | None:
    """Return where the document's first key and its value begin; None if it has no key."""
    start = _skip(text, _skip(text, 0) + 1)
    if text[start] == "}":
        return None
    _, end = _DECODER.raw_decode(text, start)
    return start, _skip(text, _skip(text, end) + 1)


def _unit(text: str) -> str | None:
    """Return the white space of one level of indentation; None if the document is on one line."""
    first = _first(text)
    return _lead(text, first[0]) if first else _INDENT


def _lead(text: str, at: int) -> str | None:
    """Return the text between the beginning of the line and `at`; None if it is not only white space."""
    lead = text[text.rfind("\n", 0, at) + 1 : at]
    return lead if not lead.strip(" \t\r") and "\n" in text[:at] else None


def _line_lead(text: str, at: int) -> str:
    """Return the white space that the line of `at` begins with."""
    begin = text.rfind("\n", 0, at) + 1
    return text[begin : _skip(text, begin)]


def _newline(text: str) -> str:
    first = text.find("\n")
    return "\r\n" if first > 0 and text[first - 1] == "\r" else "\n"


def _colon(text: str) -> str:
    return ":" + _gap(text)


def _gap(text: str) -> str:
    """Return the blank after a colon; '' if the document's first colon has none."""
    first = _first(text)
    return "" if first and text[first[1] - 1] == ":" else " "
