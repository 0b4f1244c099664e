"""Files that a sync tool brings back are handled in place: none is shown again, and none is lost."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge.inbox import fetch
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.router import strays
from ai_bridge.router.daemon import Daemon
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from tests.support.command import command
from tests.support.mail import post, route, states
from tests.support.wait import until


def read_one(where: Tree, settings: Settings) -> tuple[str, bytes]:
    """Send a message and read it; returns its file's name and its bytes."""
    name = f"{post(where)}.gemini.txt"
    route(where, settings)
    one = unread_for(where, "gemini")[0]
    raw = Path(one.path).read_bytes()
    assert one.acknowledge()
    return name, raw


def bring_back(where: Tree, state: str, name: str, raw: bytes) -> Path:
    path = Path(where.outbox("claude").file(state, name))
    path.write_bytes(raw)
    return path


@pytest.mark.parametrize("state", [UNREAD, DROPPED, PROCESSING])
def test_what_comes_back_after_it_was_read_is_not_shown_again(where: Tree, settings: Settings, state: str) -> None:
    name, raw = read_one(where, settings)
    bring_back(where, state, name, raw)
    assert fetch.fetch(where, "gemini", settings) == []
    assert states(where, "claude") == {READ: [name]}
    assert command("read", "--agent", "gemini", "--mailboxes", where.path).stdout == ""


def test_what_comes_back_to_the_root_while_it_is_unread_is_collapsed(where: Tree, settings: Settings) -> None:
    name = f"{post(where)}.gemini.txt"
    route(where, settings)
    raw = Path(where.outbox("claude").file(UNREAD, name)).read_bytes()
    bring_back(where, DROPPED, name, raw)
    assert [step.verb for step in route(where, settings)] == ["collapse"]
    assert states(where, "claude") == {UNREAD: [name]}


def test_another_message_of_a_name_that_was_read_is_shown_and_kept(where: Tree, settings: Settings) -> None:
    name, raw = read_one(where, settings)
    bring_back(where, UNREAD, name, raw + b"and more")
    found = fetch.fetch(where, "gemini", settings)
    assert [one.load().body for one in found] == ["helloand more"]
    assert found[0].acknowledge()
    kept = states(where, "claude")[READ]
    assert len(kept) == 2
    assert name in kept


def test_an_acknowledgement_of_what_came_back_removes_it(where: Tree, settings: Settings) -> None:
    name, raw = read_one(where, settings)
    bring_back(where, UNREAD, name, raw)
    assert unread_for(where, "gemini")[0].acknowledge()
    assert states(where, "claude") == {READ: [name]}


def test_what_a_person_restored_is_shown_again(where: Tree, settings: Settings) -> None:
    name, _ = read_one(where, settings)
    assert where.outbox("claude").move("restore read", name)
    assert [one.name for one in fetch.fetch(where, "gemini", settings)] == [name]


def test_a_router_at_work_tidies_what_a_tool_left(
    where: Tree, settings: Settings, processes: list[subprocess.Popen[bytes]]
) -> None:
    from ai_bridge.agents import cards

    Path(where.path, ".stfolder").mkdir()
    for agent in ("claude", "gemini"):
        cards.introduce(where, agent)
    name, raw = read_one(where, settings)
    words = [sys.executable, "-m", "ai_bridge", "router", "--mailboxes", where.path]
    processes.append(subprocess.Popen(words, env={**os.environ, "AI_BRIDGE_SWEEP_S": "0.05"}))
    copy = f"{name.removesuffix('.txt')}.sync-conflict-20261122-030057-757LWGV.txt"
    bring_back(where, UNREAD, copy, raw)
    until(lambda: states(where, "claude").get(MALFORMED) == [copy])
    bring_back(where, PROCESSING, name, raw)
    until(lambda: states(where, "claude") == {READ: [name], MALFORMED: [copy]})


def test_what_is_claimed_by_another_agents_router_is_left_to_it(where: Tree, settings: Settings) -> None:
    name = f"{post(where)}.gemini.txt"
    assert where.outbox("claude").move("claim", name)
    assert list(strays.tidy(Router(where, {"claude"}, settings))) == []
    assert states(where, "claude") == {PROCESSING: [name]}


def test_a_delivered_copy_is_set_aside_by_its_recipients_router_alone(where: Tree, settings: Settings) -> None:
    name, raw = read_one(where, settings)
    copy = f"{name.removesuffix('.txt')}.sync-conflict-20261122-030057-757LWGV.txt"
    bring_back(where, UNREAD, copy, raw)
    assert list(strays.tidy(Router(where, {"claude"}, settings))) == []
    assert [step.verb for step in strays.tidy(Router(where, {"gemini"}, settings))] == ["reject"]


def test_a_copy_that_cannot_be_set_aside_now_is_tried_again(where: Tree, settings: Settings) -> None:
    name, raw = read_one(where, settings)
    copy = f"{name.removesuffix('.txt')}.sync-conflict-20261122-030057-757LWGV.txt"
    bring_back(where, UNREAD, copy, raw)
    folder = Path(where.outbox("claude").directory(MALFORMED))
    folder.rmdir()
    folder.write_text("a file where the folder should be")
    router = Router(where, {"claude", "gemini"}, settings)
    assert [step.verb for step in strays.tidy(router)] == ["retry"]
    folder.unlink()
    folder.mkdir()
    assert [step.verb for step in strays.tidy(router)] == ["reject"]


def test_one_pass_does_not_tidy_where_no_tool_is(where: Tree, settings: Settings) -> None:
    name, raw = read_one(where, settings)
    bring_back(where, UNREAD, f"{name.removesuffix('.txt')} (1).txt", raw)
    Daemon(where, settings).run_once()
    assert len(states(where, "claude")[UNREAD]) == 1
