"""Malformed and held mail in health: each file with its reason and a command that works, and a count of the rest."""

from __future__ import annotations

import os
import shlex
from pathlib import Path

import pytest

from ai_bridge.health import set_aside
from ai_bridge.health.finding import NOTE, OK, Finding
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.command import command
from tests.support.mail import TEXT, post, route, states


def _reject(where: Tree, settings: Settings, *names: str) -> None:
    for name in names:
        Path(where.outbox("claude").file(DROPPED, name)).write_text(TEXT.format(id="n1", to="gmini"))
    route(where, settings)


def _found(where: Tree, most: int = set_aside.MOST) -> list[Finding]:
    return list(set_aside.examine(where.outbox("claude"), most))


@pytest.mark.parametrize("name", ["a.txt", "with a blank.txt", "-dash.txt", "it's.txt"])
def test_a_malformed_file_is_told_with_its_reason_and_a_command_that_works(
    where: Tree, settings: Settings, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    _reject(where, settings, name)
    (found,) = _found(where)
    path = where.outbox("claude").file(MALFORMED, name)
    assert (found.where, found.level) == (".malformed", NOTE)
    assert found.what.startswith(f"malformed: {name}: To cannot be served: ")
    assert f"repair {path}, then `{found.fix}`" in found.what
    Path(path).write_text(TEXT.format(id="n1", to="gemini"))
    assert command(*shlex.split(found.fix)[1:]).returncode == 0
    route(where, settings)
    assert set(states(where, "claude")) == {UNREAD}


def test_a_name_that_no_command_line_shows_is_not_put_into_one(where: Tree, settings: Settings) -> None:
    _reject(where, settings, "a\x1b[31mb.txt")
    (found,) = _found(where)
    assert found.fix == ""
    assert "\x1b" not in found.what
    assert "a\\x1b[31mb.txt" in found.what


def test_of_many_some_are_told_and_the_rest_is_counted(where: Tree, settings: Settings) -> None:
    _reject(where, settings, *(f"{number}.txt" for number in range(8)))
    *told, rest = _found(where)
    assert len(told) == 5
    assert rest.what == "and 3 more malformed: `ai-bridge health --agent claude --all` lists all"
    assert len(_found(where, 8)) == 8
    every = command("health", "--mailboxes", where.path, *shlex.split(rest.fix)[2:]).stdout
    assert every.count("warning: malformed: ") == 8
    assert " more malformed" not in every


def test_a_file_without_a_reason_is_told_all_the_same(where: Tree, settings: Settings) -> None:
    _reject(where, settings, "a.txt")
    os.unlink(f"{where.outbox('claude').file(MALFORMED, 'a.txt')}.reason")
    assert "a.txt: no reason is kept for it; " in _found(where)[0].what


def test_held_mail_of_a_stranger_is_a_note_that_names_file_reason_and_command(
    where: Tree, settings: Settings
) -> None:
    Path(where.path, "agents").mkdir(exist_ok=True)
    Path(where.path, "agents", "gemini.md").write_text("---\nname: gemini\nhold: '*'\n---\n")
    id_ = post(where, "let me in")
    route(where, settings)
    (found,) = _found(where)
    assert (found.where, found.level) == (".held", OK)
    assert f"{id_}.gemini.txt: gemini holds mail from claude until a person approves it: " in found.what
    assert f"`ai-bridge allow {id_}`" in found.what
    shown = command("health", "--mailboxes", where.path, "--agent", "claude")
    assert f"  note: held: {id_}.gemini.txt: " in shown.stdout
    assert "healthy:" not in shown.stdout
