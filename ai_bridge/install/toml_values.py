"""Single values, and words in lists, of a TOML file; the file's comments and layout stay as they are.

A place is the name of a setting, or that of a table and of a setting in it.
"""

from __future__ import annotations

import tomllib
from copy import deepcopy
from typing import Any

from ai_bridge.clients.files import Keys
from ai_bridge.install.json_edit import NotMergeable, Path, get

Document = dict[Any, Any]


def parsed(text: str) -> Document:
    """Return the document that the text holds; raises `NotMergeable`."""
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        raise NotMergeable(str(error)) from None


def put(text: str, place: Path, value: Any) -> str:
    """Return the text with this value at the place; raises `NotMergeable`."""
    document, changed = parsed(text), ""
    if place[:-1] and place[0] not in document:
        changed = append(text, _block(place, value))
    elif place[:-1] or place[0] in document:
        changed = _set(text, place, value)
    else:  # before all tables
        changed = _block(place, value).replace("\n", newline(text)) + text
    return _checked(changed, place, _with(document, place, value))


def take(text: str, place: Path) -> str:
    """Return the text without the value at the place, and without the lines that `put` wrote for it.

    The text stays as it is if there is no such value. Raises `NotMergeable`.
    """
    document = parsed(text)
    value = get(document, place)
    if value is None:
        return text
    try:
        if place[:-1]:
            return _checked(cut(text, _block(place, value)), place, _with(document, place, None, with_table=False))
        block = _block(place, value).replace("\n", newline(text))
        if text.startswith(block):
            return _checked(text.removeprefix(block), place, _with(document, place, None))
    except (ValueError, NotMergeable):
        pass  # a person, or the client, wrote the lines in another way
    return _checked(_set(text, place, None), place, _with(document, place, None))


def words(text: str, place: Path) -> list[Any] | None:
    """Return the list at the place; None if there is none. Raises `NotMergeable`."""
    found = get(parsed(text), place)
    return found if isinstance(found, list) else None


def put_words(text: str, place: Path, wanted: Keys, unwanted: Keys = ()) -> str:
    """Return the text with the words wanted in the list at the place, and without those unwanted.

    Words that are there stay in their order. Raises `NotMergeable` if something else than a list is there.
    """
    there = words(text, place)
    if there is None:
        if get(parsed(text), place) is not None:
            raise NotMergeable(f"{'.'.join(map(str, place))} is no list")
        return put(text, place, list(wanted))
    new, old = [one for one in wanted if one not in there], [one for one in unwanted if one in there]
    return _changed(text, place, new, old)


def take_words(text: str, place: Path, unwanted: Keys, keeps_list: bool = False) -> str:
    """Return the text without these words in the list at the place.

    A list that holds nothing else goes with them, unless `keeps_list`. Raises `NotMergeable`.
    """
    there = words(text, place)
    if there is None or not (found := [one for one in there if one in unwanted]):
        return text
    is_all = len(found) == len(there) and not keeps_list
    return take(text, place) if is_all else _changed(text, place, [], found)


# --- by its structure -------------------------------------------------------------------------------------


def _changed(text: str, place: Path, new: list[str], old: list[str]) -> str:
    import tomlkit

    if not (new or old):
        return text
    tree: Any = tomlkit.parse(text)
    array = _holder(tree, place)[place[-1]]
    for word in new:
        array.append(word)
    for word in old:
        array.remove(word)
    left = [one for one in words(text, place) or [] if one not in old]
    return _checked(tomlkit.dumps(tree), place, _with(parsed(text), place, [*left, *new]))


def _set(text: str, place: Path, value: Any) -> str:
    """Return the text with the value, None for none, set in the table that is there."""
    import tomlkit

    tree: Any = tomlkit.parse(text)
    holder = _holder(tree, place)
    if value is None:
        del holder[place[-1]]
    else:
        holder[place[-1]] = value
    return tomlkit.dumps(tree)


def _holder(tree: Any, place: Path) -> Any:
    for key in place[:-1]:
        tree = tree[key]
        if not isinstance(tree, dict):
            raise NotMergeable(f"{key} is no table")
    return tree


def _with(document: Document, place: Path, value: Any, with_table: bool = True) -> Document:
    """Return the document with this value, None for none; an empty table is left out unless `with_table`."""
    after = deepcopy(document)
    holder: Any = after.setdefault(place[0], {}) if place[:-1] else after
    if not isinstance(holder, dict) or (value is not None and isinstance(holder.get(place[-1]), dict)):
        raise NotMergeable(f"{'.'.join(map(str, place))} holds something else")
    holder.pop(place[-1], None)
    if value is not None:
        holder[place[-1]] = value
    if not (holder or with_table):
        del after[place[0]]
    return after


def _checked(changed: str, place: Path, wanted: Document) -> str:
    """Return the changed text if it means what is wanted, and nothing more; raises `NotMergeable`."""
    if parsed(changed) != wanted:
        raise NotMergeable(f"{'.'.join(map(str, place))} is laid out in a way that cannot be changed safely")
    return changed


# --- as text ----------------------------------------------------------------------------------------------


def newline(text: str) -> str:
    """Return the end of a line in the text."""
    return "\r\n" if "\r\n" in text else "\n"


def _block(place: Path, value: Any) -> str:
    import tomlkit

    table = "".join(f"[{key}]\n" for key in place[:-1])
    return table + tomlkit.dumps({str(place[-1]): value})


def append(text: str, block: str) -> str:
    """Return the text with a block at its end, after an empty line."""
    end = newline(text)
    gap = "" if not text else end if text.endswith("\n") else end * 2
    return text + gap + block.replace("\n", end)


def cut(text: str, block: str) -> str:
    """Return the text without a block as it was appended; raises ValueError if the block was changed."""
    end = newline(text)
    block = block.replace("\n", end)
    before, found, after = text.partition(block)
    if not found or block in after:
        raise ValueError("the table was changed")
    return before.removesuffix(end) + after if before.endswith(end * 2) else before + after
