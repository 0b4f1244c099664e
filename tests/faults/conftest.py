"""How the disk renames in the tests of faults: with one call that never replaces a file, or by links."""

from __future__ import annotations

import pytest

from ai_bridge.system import durable

WAYS = ("renameat2", "link")


def rename_by(way: str, monkeypatch: pytest.MonkeyPatch) -> str:
    """Let the disk rename in this way from now on; returns the way."""
    if way == "link":
        monkeypatch.setattr(durable, "find_function", lambda name: None)
    return way


@pytest.fixture(params=WAYS)
def renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The way of renaming that holds in the test."""
    return rename_by(request.param, monkeypatch)
