"""writable: the directories of a client's entry, and no others, are those that its shell must be able to write."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.install.writable import directories


def test_without_a_choice_they_are_the_users_own(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_DATA_HOME", "/elsewhere")  # the entry does not pass it on
    monkeypatch.setenv("AI_BRIDGE_STATE", "/elsewhere")
    own = (f"{tmp_path}/.local/share/ai-bridge/mailboxes", f"{tmp_path}/.local/state/ai-bridge")
    assert directories({"command": "ai-bridge"}) == directories({"env": "not a table"}) == own


def test_the_entry_says_which() -> None:
    assert directories({"env": {"AI_BRIDGE_MAILBOXES": "/m", "AI_BRIDGE_STATE": "/s"}}) == ("/m", "/s")
    told = {"XDG_DATA_HOME": "/data", "XDG_STATE_HOME": "/state"}
    assert directories({"env": told}) == ("/data/ai-bridge/mailboxes", "/state/ai-bridge")
