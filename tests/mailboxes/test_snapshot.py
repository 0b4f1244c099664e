"""A snapshot puts each question to the disk once; a tree puts it each time."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.mailboxes.card_files import CardFiles, path_of
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import NotMailboxes, Tree, UnknownAgent
from ai_bridge.settings import FILE_NAME


def card(tree: Tree) -> bytes:
    return tree.part(CardFiles).card_of("claude").raw


def sweep_s(tree: Tree) -> float:
    return Snapshot.of(tree).settings().sweep_s


QUESTIONS: list[Callable[[Tree], object]] = [Tree.agents, lambda tree: tree.has_outbox("new"), card, sweep_s]


def change(where: Tree) -> None:
    """Change what each of the questions is about."""
    where.make(["new"])
    Path(path_of(where, "claude")).write_text("---\nname: other\n---\n")
    Path(where.path, FILE_NAME).write_text("sweep_s = 7.0\n")


@pytest.fixture
def snapshot(where: Tree) -> Snapshot:
    Path(path_of(where, "claude")).write_text("---\nname: claude\n---\n")
    return Snapshot(where.path).check()


@pytest.mark.parametrize("ask", QUESTIONS)
def test_an_answer_stays_until_the_snapshot_is_renewed(
    where: Tree, snapshot: Snapshot, ask: Callable[[Tree], object]
) -> None:
    before = ask(snapshot)
    change(where)
    assert ask(snapshot) == before
    assert ask(where) != before
    snapshot.renew()
    assert ask(snapshot) == ask(where)


def test_what_an_operation_makes_it_sees(snapshot: Snapshot) -> None:
    assert not snapshot.has_outbox("new")
    with pytest.raises(UnknownAgent):
        snapshot.known_agent("new")
    snapshot.make(["new"])
    assert snapshot.known_agent("new") == "new"


def test_a_missing_card_is_missing_until_the_end(where: Tree, snapshot: Snapshot) -> None:
    os.remove(path_of(where, "claude"))
    for _ in range(2):
        with pytest.raises(FileNotFoundError):
            card(snapshot)
        Path(path_of(where, "claude")).write_text("---\nname: claude\n---\n")


def test_a_tree_that_is_gone_is_refused_at_the_first_look_only(where: Tree, snapshot: Snapshot) -> None:
    shutil.rmtree(where.path)
    assert snapshot.check() is snapshot
    snapshot.renew()
    with pytest.raises(NotMailboxes):
        snapshot.check()


def test_an_operation_that_goes_on_keeps_its_snapshot_and_another_makes_its_own(
    where: Tree, snapshot: Snapshot
) -> None:
    assert Snapshot.of(snapshot) is snapshot
    assert Snapshot.of(where) is not Snapshot.of(where)
    assert type(snapshot.tree()) is Tree
    assert snapshot.tree().path == where.path
    assert snapshot.tree().real() == snapshot.real()
