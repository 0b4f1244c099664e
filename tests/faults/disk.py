"""The one seam through which faults come in: a stand-in for `os` in the module that changes the disk."""

from __future__ import annotations

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
