"""Making mailboxes: with which agents, where, and what a person is told of it. The tests of `init` have the rest."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.agents import cards, setup
from ai_bridge.agents.person import ForPersons
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.tree import Tree
from tests.support.project import commit, git


@pytest.fixture
def sentences() -> list[str]:
    """What the person is told."""
    return []


def test_new_mailboxes_get_two_agents_with_cards_and_are_adopted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentences: list[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    made, new = setup.make(None, [], ["claude", "gemini"], sentences.append)
    assert (made.path, new) == (str(tmp_path / "mailboxes"), ["claude", "gemini"])
    assert all(cards.load(made, name).get("since") for name in new)
    assert find.is_adopted(made)
    assert sentences == []


def test_those_of_others_are_completed_and_adopted_aloud_once(where: Tree, sentences: list[str]) -> None:
    assert setup.make(where.path, ["codex"], ["claude", "gemini"], sentences.append)[1] == ["codex"]
    assert sentences == [f"adopted {where.path}: its mail is moved and read from now on"]
    assert setup.make(where.path, [], ["claude", "gemini"], sentences.append)[1] == []
    assert len(sentences) == 1


def test_what_holds_other_things_is_refused(tmp_path: Path, sentences: list[str]) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(BridgeError, match="holds other things"):
        setup.make(str(tmp_path), [], ["claude", "gemini"], sentences.append)
    assert os.listdir(tmp_path) == ["notes.txt"]


def test_a_client_adopts_only_what_it_makes(
    where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentences: list[str]
) -> None:
    monkeypatch.setenv("CLAUDECODE", "1")
    setup.make(where.path, [], ["claude", "gemini"], sentences.append)
    assert sentences == [f"{where.path} is not adopted: that is for a person, in a terminal of their own"]
    assert not find.is_adopted(where)
    with pytest.raises(ForPersons):
        setup.adopt_existing(where.path)
    own, _ = setup.make(str(tmp_path / "own"), [], ["claude", "gemini"], sentences.append)
    assert find.is_adopted(own)


def test_existing_mailboxes_are_adopted_and_nothing_is_made(where: Tree, tmp_path: Path) -> None:
    setup.adopt_existing(where.path)
    setup.adopt_existing(where.path)
    assert find.is_adopted(where)
    setup.adopt_existing(str(tmp_path / "none"))
    assert not (tmp_path / "none").exists()


def test_in_a_worktree_the_mailboxes_are_those_of_the_main_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, sentences: list[str]
) -> None:
    shop = tmp_path / "shop"
    (shop / "deep").mkdir(parents=True)
    (shop / "a").write_text("a")
    commit(shop)
    git(shop, "worktree", "add", "-q", str(tmp_path / "fix"))
    for folder in (tmp_path / "fix", shop):
        monkeypatch.chdir(folder)
        made, _ = setup.make(None, ["claude"], [], sentences.append)
        assert made.path == str(shop / "mailboxes")
    assert not (tmp_path / "fix" / "mailboxes").exists()
