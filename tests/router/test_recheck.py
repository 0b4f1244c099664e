"""restore of a malformed file that nobody repaired: its reason once more, and no second bounce."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.address import POSTMASTER
from ai_bridge.settings import Settings
from tests.support.command import command, refused
from tests.support.mail import TEXT, route, states

NAME = "a.txt"


@pytest.fixture
def path(where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A malformed file, for a recipient that is not there."""
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    Path(where.outbox("claude").file(DROPPED, NAME)).write_text(TEXT.format(id="n1", to="codex"))
    route(where, settings)
    return Path(where.outbox("claude").file(MALFORMED, NAME))


def _bounces(where: Tree) -> int:
    return sum(map(len, states(where, POSTMASTER).values()))


def test_a_file_that_nobody_repaired_is_told_its_reason_again_and_stays(
    where: Tree, settings: Settings, path: Path
) -> None:
    for words in (("restore", NAME), ("restore", f"claude/{NAME}"), ("restore", "n1")):
        refused(command(*words), f"{NAME} has not been repaired", "To cannot be served", f"repair {path}", "--force")
    route(where, settings)
    assert states(where, "claude") == {MALFORMED: [NAME]}
    assert _bounces(where) == 1


def test_a_repaired_file_goes_on(where: Tree, settings: Settings, path: Path) -> None:
    path.write_text(TEXT.format(id="n1", to="gemini"))
    assert command("restore", NAME).stdout == f"{NAME} is dropped again\n"
    route(where, settings)
    assert states(where, "claude") == {UNREAD: ["n1.gemini.txt"]}


def test_a_repaired_file_of_an_older_date_goes_on(where: Tree, path: Path) -> None:
    path.write_text(TEXT.format(id="n1", to="gemini"))
    os.utime(path, (0, 0))
    assert command("restore", NAME).returncode == 0


def test_a_file_goes_on_if_its_recipient_has_come(where: Tree, settings: Settings, path: Path) -> None:
    where.make(["codex"])
    assert command("restore", NAME).returncode == 0
    route(where, settings)
    assert states(where, "claude") == {UNREAD: ["n1.codex.txt"]}


def test_a_card_that_still_refuses_its_sender_is_a_reason(where: Tree, settings: Settings, path: Path) -> None:
    where.make(["codex"])
    Path(where.path, "agents").mkdir(exist_ok=True)
    Path(where.path, "agents", "codex.md").write_text("---\nname: codex\nrefuse: claude\n---\n")
    refused(command("restore", NAME), "codex takes no mail from claude")
    assert states(where, "claude") == {MALFORMED: [NAME]}


def test_a_conflict_copy_stays_one(where: Tree, settings: Settings, path: Path) -> None:
    copy = "n2.gemini.sync-conflict-20261122-030057-757LWGV.txt"
    Path(where.outbox("claude").file(DROPPED, copy)).write_text(TEXT.format(id="n2", to="gemini"))
    route(where, settings)
    refused(command("restore", f"claude/{copy}"), "is a conflict copy")


def test_by_force_the_router_decides_again(where: Tree, settings: Settings, path: Path) -> None:
    assert command("restore", NAME, "--force").returncode == 0
    route(where, settings)
    assert states(where, "claude") == {MALFORMED: [NAME]}
    assert _bounces(where) == 2


def test_plain_text_goes_on_if_its_recipient_has_come(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    Path(where.outbox("claude").file(DROPPED, "codex.txt")).write_text("hi")
    route(where, settings)
    refused(command("restore", "codex.txt"), "has not been repaired", "its name names no agent")
    where.make(["codex"])
    assert command("restore", "codex.txt").stdout == "codex.txt is dropped again\n"
    route(where, settings)
    assert [name.endswith(".codex.txt") for name in states(where, "claude")[UNREAD]] == [True]
