"""How the disk renames in the tests of faults: with one call that never replaces a file, or by links."""

from __future__ import annotations

import pytest

from ai_bridge.system import durable


@pytest.fixture(params=["renameat2", "link"])
def renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The way of renaming that holds in the test."""
    if request.param == "link":
        monkeypatch.setattr(durable, "find_function", lambda name: None)
    way: str = request.param
    return way
