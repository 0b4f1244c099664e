"""A real Syncthing for the tests, with a throw-away home, that speaks to nobody but its own address."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.syncthing import Start, Syncthing


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start an instance of that name."""
    if shutil.which("syncthing") is None:
        pytest.skip("the command syncthing is not installed")
    running: list[Syncthing] = []

    def begin(name: str) -> Syncthing:
        (tmp_path / name).mkdir()
        running.append(Syncthing(tmp_path / name))
        return running[-1]

    yield begin
    for one in running:
        one.end()
