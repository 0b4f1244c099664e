"""The process dies, or the disk fails, at each call while hand-dropped files are completed: each arrives once."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import pytest

from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import DIRECTORIES
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from tests.faults.test_every_call import _counted, _fail_with, _pass, _run_and_die
from tests.support.disk import ERRNOS, FaultyOs
from tests.support.mail import route

pytestmark = pytest.mark.sweeps

TEXTS = {"gemini.txt": "one", "note.gemini.txt": "two", "x.txt": "To: gemini\n\nthree", "all.txt": "To: *\n\nfour"}
BODIES = {"gemini": ["four", "one", "three", "two"], "codex": ["four"]}


def _prepared(where: Tree) -> Tree:
    where.make(["claude", "codex", "gemini"])
    for name, text in TEXTS.items():
        Path(where.outbox("claude").path, name).write_text(text)
    return where


def _files(where: Tree) -> list[str]:
    """Return the ends of all message files, each file once: at every instant all that was dropped is there."""
    found = {}
    for directory in DIRECTORIES.values():
        for path in Path(where.outbox("claude").path, directory).glob("*.txt"):
            found[path.stat().st_ino] = path.read_text().rpartition("\n")[2]
    return sorted(set(found.values()))


def _check(where: Tree, settings: Settings) -> None:
    assert _files(where) == BODIES["gemini"]
    route(where, settings)
    for agent, bodies in BODIES.items():
        found = [one.load() for one in unread.unread_for(where, agent)]
        assert sorted(message.body for message in found) == bodies
    assert _files(where) == BODIES["gemini"]
    assert unread.unread_for(where, "claude") == []


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.usefixtures("renaming")
def test_death_at_every_call(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    call, died = 0, True
    while died:
        call += 1
        monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / f"state{call}"))
        where = _prepared(Tree(str(tmp_path / str(call))))
        died, _ = _run_and_die(_pass, where, settings, call, after)
        _check(where, settings)
    assert call > 20


@pytest.mark.usefixtures("renaming")
def test_an_error_at_every_call(tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    number, reached = 0, True
    while reached:
        number += 1
        monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / f"state{number}"))
        where = _prepared(Tree(str(tmp_path / str(number))))
        faulty = FaultyOs(at=number, act=_fail_with(ERRNOS[number % len(ERRNOS)]))
        with monkeypatch.context() as patch, suppress(OSError):
            patch.setattr(durable, "find_function", _counted(faulty))
            patch.setattr(durable, "os", faulty)
            _pass(where, settings, -1)
        reached = len(faulty.calls) >= number
        _check(where, settings)
    assert number > 20
