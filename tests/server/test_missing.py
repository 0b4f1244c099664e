"""Mailboxes that do not exist yet or go away: the server says so in a sentence, and needs no restart."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import NotMailboxes, Tree
from ai_bridge.server.client_session import Session
from ai_bridge.server.membership import Caller
from tests.server.uses import EVERY_USE
from tests.support.mail import post
from tests.support.server import Ground, Serve
from tests.support.shown import NOTHING
from tests.support.wire import Wire


def test_every_use_says_what_is_missing_and_works_once_it_is_made(serve: Serve, tmp_path: Path) -> None:
    later = Tree(str(tmp_path / "later"))
    server = serve("--mailboxes", later.path)
    assert [tool["name"] for tool in server.tools() if tool["name"].startswith("read_")] == []
    for tool, words in EVERY_USE.items():
        refusal = server.refusal(tool, **words)
        assert f"{later.path} is not a mailboxes directory" in refusal, tool
        assert "ai-bridge init" in refusal
    assert not os.path.exists(later.path)
    later.make(["claude", "gemini"])
    post(later, "made at last", to="claude", sender="gemini")
    assert "read_gemini_messages" in [tool["name"] for tool in server.tools()]
    assert "made at last" in server.text("read_gemini_messages")


def test_an_empty_directory_is_an_unmounted_share_and_is_left_empty(serve: Serve, tmp_path: Path) -> None:
    share = tmp_path / "share"
    share.mkdir()
    server = serve(AI_BRIDGE_MAILBOXES=str(share))
    assert "mount it" in server.refusal("peer_read")
    assert os.listdir(share) == []


def test_mailboxes_that_go_away_during_a_wait_end_it_with_a_sentence_and_may_come_back(
    claude: Wire, where: Tree
) -> None:
    Path(where.path, "settings.toml").write_text("sweep_s = 0.05")
    waiting = claude.ask_tool("peer_wait", {"timeout_s": 600}, progressToken="w")
    claude.until_progress()
    os.rename(where.path, f"{where.path}-unmounted")
    ended = claude.answer(waiting)
    assert ended.is_error
    assert "is not a mailboxes directory" in ended.text
    os.rename(f"{where.path}-unmounted", where.path)
    post(where, "back again", to="claude", sender="gemini")
    assert "back again" in claude.text("peer_read")


@pytest.mark.parametrize("text", ["max_chars = [", "max_chars = 1", "max_char = 9000"])
@pytest.mark.parametrize("shared", [True, False])
def test_a_mistake_in_a_settings_file_stops_no_tool(
    claude: Wire, ground: Ground, where: Tree, text: str, shared: bool
) -> None:
    path = Path(where.path, "settings.toml") if shared else ground.home / ".config/ai-bridge/settings.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    assert claude.tools()
    assert claude.text("peer_read") == NOTHING
    for tool in ("peer_send", "peer_list", "peer_status"):
        assert not claude.call(tool, **EVERY_USE[tool]).is_error, tool


def test_a_tree_that_goes_away_between_two_looks_is_not_made_again(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    session, caller = Session(where.path, None), Caller("claude-code", "")
    session.who(caller)
    shutil.rmtree(where.outbox("claude").path)
    looked_at = Snapshot(where.path).check()
    monkeypatch.setattr(session, "look", lambda: looked_at)  # as if it had gone away right after this look
    aside = f"{where.path}-aside"
    os.rename(where.path, aside)
    try:
        with pytest.raises(NotMailboxes):
            session.who(caller)
        assert not os.path.exists(where.path)
    finally:
        shutil.rmtree(where.path, ignore_errors=True)
        os.rename(aside, where.path)
        session.leave()
