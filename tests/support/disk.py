"""The one seam through which faults come in: a stand-in for `os` in the module that changes the disk."""

from __future__ import annotations

import builtins
import errno as errno_
import os
from collections.abc import Callable
from typing import Any

CHANGING = ("open", "write", "fsync", "close", "link", "rename", "replace", "unlink", "mkdir", "rmdir", "ftruncate")


class Died(BaseException):
    """The process was killed: nothing may catch it and tidy up, so tests raise it only in a fork."""


class FaultyOs:
    """Passes everything on to `os`, noting the changing calls; may fail one kind, or act before or after call N.

    `fail` maps a call's name to the errno it fails with. `at` is the number (from 1) of the changing call
    before which (`after` False) or after which `act` is called.
    """

    def __init__(
        self,
        fail: dict[str, int] | None = None,
        at: int = 0,
        after: bool = False,
        act: Callable[[], None] = lambda: None,
    ) -> None:
        self.calls: list[str] = []
        self._fail = fail or {}
        self._at = at
        self._after = after
        self._act = act

    def __getattr__(self, name: str) -> Any:
        real = getattr(os, name)
        return self.wrapped(name, real) if name in CHANGING else real

    def wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        """Return `real` as one more of the calls that are counted."""

        def call(*args: Any, **kwargs: Any) -> Any:
            self.calls.append(name)
            now = len(self.calls) == self._at
            if now and not self._after:
                self._act()
            if name in self._fail:
                if name == "close":
                    real(*args, **kwargs)
                raise OSError(self._fail[name], os.strerror(self._fail[name]))
            result = real(*args, **kwargs)
            if now and self._after:
                self._act()
            return result

        return call


ERRNOS = (errno_.EIO, errno_.ENOSPC, errno_.EROFS, errno_.EDQUOT, errno_.EMFILE, errno_.EACCES, errno_.ESTALE)

# What `read`, `write` and their like are given is a descriptor; of all others the first word is a path.
_OF_DESCRIPTORS = ("read", "fstat")
READING = ("open", "stat", "lstat", "listdir", "scandir", *_OF_DESCRIPTORS)


class FaultyReads:
    """While it is entered, calls that look at something below `base` fail: number `at`, from 1, or all where it is 0.

    Unlike `FaultyOs` it replaces the functions of `os` itself, and `open`, for every module reads. `names` are those
    of the calls that count.
    """

    def __init__(self, base: str, at: int, number: int, names: tuple[str, ...] = READING) -> None:
        self.calls: list[str] = []
        self._names = names
        self._base = os.path.join(os.path.realpath(base), "")
        self._at = at
        self._number = number
        self._kept: dict[str, Callable[..., Any]] = {}
        self._open = builtins.open

    def __enter__(self) -> FaultyReads:
        for name in self._names:
            self._kept[name] = getattr(os, name)
            setattr(os, name, self._faulty(name, self._kept[name]))
        builtins.open = self._faulty("builtin open", self._open)
        return self

    def __exit__(self, *_: object) -> None:
        for name, real in self._kept.items():
            setattr(os, name, real)
        builtins.open = self._open

    def _faulty(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if self._is_below(name, args):
                self.calls.append(f"{name} {args[0]}")
                if self._at in (0, len(self.calls)):
                    raise OSError(self._number, os.strerror(self._number), args[0])
            return real(*args, **kwargs)

        return call

    def _is_below(self, name: str, args: tuple[Any, ...]) -> bool:
        path = args[0] if args else ""
        if isinstance(path, int):
            path = os.readlink(f"/proc/self/fd/{path}") if name in _OF_DESCRIPTORS else ""
        return isinstance(path, str) and f"{path}/".startswith(self._base)
