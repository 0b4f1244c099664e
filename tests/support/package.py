"""A copy of the package ai_bridge that processes run from, and that is replaced under them as `pip install` does."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

from ai_bridge import __version__
from tests.support.checkout import ROOT

NEW = "9.9"


class Package:
    """The package in the folder `lib`, which does not exist before `install`."""

    def __init__(self, lib: Path) -> None:
        self.lib = lib
        self.folder = lib / "ai_bridge"
        self._times = 0

    def environment(self, **variables: str) -> dict[str, str]:
        """Return an environment in which an interpreter imports this package."""
        return {**os.environ, "PYTHONPATH": str(self.lib), **variables}

    @property
    def words(self) -> list[str]:
        """The beginning of a command line that runs this package."""
        return [sys.executable, "-P", "-m", "ai_bridge"]

    def install(self, version: str = __version__) -> None:
        """Put a whole copy of the checkout's package in the place of what is there."""
        new = self._new()
        shutil.copytree(ROOT / "ai_bridge", new, ignore=shutil.ignore_patterns("__pycache__"))
        init = new / "__init__.py"
        init.write_text(init.read_text().replace(f'"{__version__}"', f'"{version}"'))
        self._put(new)

    def install_other(self) -> None:
        """Put another version there, which has none of the modules, nor the files, that this one has."""
        new = self._new()
        new.mkdir(parents=True)
        (new / "__init__.py").write_text(f'__version__ = "{NEW}"\n')
        (new / "__main__.py").write_text("from ai_bridge.renamed import missing\n")
        self._put(new)

    def remove(self) -> None:
        os.rename(self.folder, self._new())

    def _new(self) -> Path:
        self._times += 1
        return self.lib / f"other-{self._times}"

    def _put(self, new: Path) -> None:
        if self.folder.exists():
            self.remove()
        os.rename(new, self.folder)
