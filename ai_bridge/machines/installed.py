"""The package of this program as it is installed on this machine, and whether another one took its place.

A server, a router or a wait lives on while `pip install` replaces its package. A module that is loaded after that
belongs to another version. So such a process loads all that it may need before, and looks at the package later.
"""

import os
import time
from contextlib import suppress

from ai_bridge import __version__
from ai_bridge.errors import BridgeError

# Seconds after which an installation is taken to be done.
_QUIET_S = 2.0
_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


class NotWhole(BridgeError):
    sentence = "{change} while this process started: start it again"


class Installed:
    """The package in `folder` as it was when this was made; every installation writes its `__init__.py` again.

    Edits of other files, as in a checkout, count for nothing.
    """

    def __init__(self, folder: str = _FOLDER) -> None:
        self._file = os.path.join(folder, "__init__.py")
        self._begun = self._last = _mark(self._file)
        if self._version() != __version__:  # it was replaced before this was made
            self._begun = ()
        self._last_s = 0.0
        self._is_loaded = False

    def load(self, *without: str) -> None:
        """Load every module of the package, so that none is loaded later; leaves out the subpackages `without`.

        A module that cannot be loaded is left out, too: most belong to an extra that is not installed. Does nothing
        the second time. Raises `NotWhole` if the package was replaced before the end, for then modules of two
        versions may be loaded.
        """
        if self._is_loaded:
            return
        import importlib
        import pkgutil

        import ai_bridge

        unwanted = tuple(f"ai_bridge.{name}." for name in (*without, "__main__"))
        for found in pkgutil.walk_packages(ai_bridge.__path__, "ai_bridge.", onerror=lambda name: None):
            if not f"{found.name}.".startswith(unwanted):
                with suppress(Exception):
                    importlib.import_module(found.name)
        if change := self.change():
            raise NotWhole(change=change)
        self._is_loaded = True

    def successor(self) -> str | None:
        """Return the version that was installed in the place of this one, '' if there is none now; None if none was.

        It is this program's own version if that was installed again. One stat of a file, unless it has changed.
        """
        return None if _mark(self._file) == self._begun else self._version()

    def _version(self) -> str:
        try:
            with open(self._file, encoding="utf-8") as file:
                lines = [line for line in file if line.startswith("__version__")]
        except (OSError, ValueError):
            return ""
        return lines[0].partition("=")[2].strip().strip("\"'") if lines else ""

    def settled_successor(self) -> str | None:
        """Return `successor` if it is a version, and calls found it unchanged for two seconds; else None."""
        if (found := _mark(self._file)) != self._last:
            self._last, self._last_s = found, time.monotonic()
        is_quiet = time.monotonic() - self._last_s >= _QUIET_S
        return (self.successor() or None) if is_quiet else None

    def change(self) -> str:
        """Return in words what happened to the package, '' if nothing did."""
        version = self.successor()
        if version is None:
            return ""
        if not version:
            return "ai-bridge was removed, or is being replaced,"
        again = version == __version__
        return f"ai-bridge {version} was installed again" if again else f"ai-bridge was updated to {version}"


def _mark(path: str) -> tuple[int, ...]:
    """Return what tells a file from one that was put in its place; () if it is gone."""
    try:
        found = os.stat(path)
    except OSError:
        return ()
    return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns)
