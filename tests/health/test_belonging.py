"""doctor says where a session here belongs, and which other mailboxes hold agents of the same project."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge.mailboxes import adoption, find
from ai_bridge.mailboxes.tree import Tree
from tests.support.command import command
from tests.support.mail import post
from tests.support.project import commit, git


def _made(path: Path | str, *agents: str) -> Tree:
    made = Tree(str(path))
    made.make(list(agents))
    adoption.adopt(made.path)
    return made


def _found(check: str) -> list[tuple[str, str, str]]:
    lines = command("doctor", "--json").stdout.splitlines()
    found = [one for one in map(json.loads, lines) if one["client"] == "mail" and one["check"] == check]
    return [(one["level"], one["found"], one["fix"]) for one in found]


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository named shop, in which this process works, on a machine with Claude Code."""
    made = tmp_path / "code" / "shop"
    made.mkdir(parents=True)
    (made / "a").write_text("a")
    commit(made)
    (tmp_path / "home" / ".claude").mkdir(parents=True)
    monkeypatch.chdir(made)
    return made


def test_the_mailboxes_the_reason_and_the_address_are_named(shop: Path) -> None:
    own = _made(find.user_wide(), "claude@shop")
    assert _found("project") == [("ok", f"shop, the folder {shop}", "")]
    said = f"{own.path} (your own; this project has none); a session here is claude@shop"
    assert _found("mailboxes") == [("ok", said, "")]
    ours = _made(shop / "mailboxes", "claude")
    assert _found("mailboxes") == [("ok", f"{ours.path} (this project's); a session here is claude", "")]


def test_agents_of_the_project_in_the_users_own_mailboxes_are_named(shop: Path) -> None:
    own = _made(find.user_wide(), "claude@web")
    _made(shop / "mailboxes", "claude")
    assert _found("twins") == []
    own.make(["claude@shop"])
    said = f"your own mailboxes {own.path} hold agents of this project, too: claude@shop"
    assert _found("twins") == [("note", said, "")]
    post(own, to="claude@shop", sender="claude@web")
    assert _found("twins") == [("note", said, "ai-bridge init --take-over")]
    assert command("read", "--agent", "claude@shop", "--mailboxes", own.path).returncode == 0
    assert _found("twins") == [("note", said, "")]


@pytest.mark.parametrize("here", ["checkout", "worktree"])
def test_mailboxes_of_another_worktree_are_named(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, here: str
) -> None:
    fix = tmp_path / "shop-fix"
    git(shop, "worktree", "add", "-q", str(fix))
    places = {"checkout": _made(shop / "mailboxes", "claude"), "worktree": _made(fix / "mailboxes", "claude")}
    monkeypatch.chdir(shop if here == "checkout" else fix)
    mine, other = places.pop(here), places.popitem()[1]
    said = f"{other.path} belongs to a worktree of this project: its agents and those of {mine.path} never meet"
    assert _found("twins") == [("note", said, "")]


def test_a_worktree_without_mailboxes_uses_those_of_the_checkout(
    shop: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fix = tmp_path / "shop-fix"
    git(shop, "worktree", "add", "-q", str(fix))
    ours = _made(shop / "mailboxes", "claude")
    _made(find.user_wide(), "claude@web")
    (fix / "deep").mkdir()
    monkeypatch.chdir(fix / "deep")
    assert find.find_mailboxes().path == ours.path
    assert _found("twins") == []
