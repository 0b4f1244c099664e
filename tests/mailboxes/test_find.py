"""The mailboxes are found in their order: named, near, or the own ones of the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.mailboxes.find import NoMailboxes, find_mailboxes, user_wide
from ai_bridge.mailboxes.tree import NotMailboxes
from tests.support.mail import make_mailboxes


def test_the_option_goes_over_the_environment_and_that_over_what_is_near(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    own, near = make_mailboxes(Path(user_wide())), tmp_path / "project" / "mailboxes"
    deep = tmp_path / "project" / "src" / "deep"
    deep.mkdir(parents=True)
    monkeypatch.chdir(deep)
    assert find_mailboxes().path == own
    make_mailboxes(near)
    assert find_mailboxes().path == str(near)
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", make_mailboxes(tmp_path / "named"))
    assert find_mailboxes().path == str(tmp_path / "named")
    assert find_mailboxes(make_mailboxes(tmp_path / "chosen")).path == str(tmp_path / "chosen")


def test_a_directory_that_is_only_called_mailboxes_is_passed_by(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outer = make_mailboxes(tmp_path / "mailboxes")
    (tmp_path / "inner" / "mailboxes").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "inner")
    assert find_mailboxes().path == outer


def test_what_was_named_is_believed_only_if_it_is_one(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_mailboxes(Path(user_wide()))
    with pytest.raises(NotMailboxes, match=f"{tmp_path}/missing is not a mailboxes directory"):
        find_mailboxes(str(tmp_path / "missing"))
    (tmp_path / "unmounted").mkdir()
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", str(tmp_path / "unmounted"))
    with pytest.raises(NotMailboxes, match="if it is a share, mount it"):
        find_mailboxes()


def test_where_none_is_found_both_places_are_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoMailboxes, match=f"no mailboxes found from {tmp_path} upwards nor in {user_wide()}: run"):
        find_mailboxes()


def test_a_relative_path_is_made_absolute_at_once(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    make_mailboxes(tmp_path / "here")
    monkeypatch.chdir(tmp_path)
    found = find_mailboxes("here")
    monkeypatch.chdir("/")
    assert found.check().path == str(tmp_path / "here")
