"""Checks that an argument of the Python API is text: a value of another kind would be sent as something else."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

from ai_bridge.errors import BridgeError

Text = TypeVar("Text", str, str | None)


class NotText(BridgeError):
    sentence = "{name} is {value}: it must be a text (str){more}"


def text(name: str, value: Text) -> Text:
    """Return the value of the argument `name`, which is a text or None; raises `NotText`."""
    if value is not None and not isinstance(value, str):
        raise NotText(name=name, value=repr(value), more="")
    return value


def texts(name: str, value: str | Sequence[str]) -> list[str]:
    """Return the value of the argument `name`, one text or several, as a list; raises `NotText`."""
    if isinstance(value, str):
        return [value]
    if not isinstance(value, list | tuple | set | frozenset) or not all(isinstance(one, str) for one in value):
        raise NotText(name=name, value=repr(value), more=", or a list of these")
    return list(value)
