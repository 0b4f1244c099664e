"""The process dies, or the disk fails, at each call while mail is put away or put back: it is in one state."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ai_bridge.archive import expire
from ai_bridge.archive.discard import discard_copies
from ai_bridge.archive.restore import put_back
from ai_bridge.archive.threads import archive_older
from ai_bridge.archive.wishes import A_PERSON
from ai_bridge.archive.withdraw import take_back_all
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.file_names import variant
from ai_bridge.mailboxes.outbox import ARCHIVED, DROPPED, ENDED, HELD, MALFORMED, READ, REASON, STATES, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from tests.faults.conftest import WAYS, rename_by
from tests.faults.test_every_call import _counted, _fail_with, _run_and_die
from tests.history.test_search import put
from tests.support.disk import ERRNOS, FaultyOs

pytestmark = pytest.mark.sweeps

ID = "claude-20260103-000000-000000-xaaaa"
NAME = f"{ID}.gemini.txt"
Act = Callable[[Tree], object]
# By what is done: the state before, the state after, whether a reason must be beside the file then, and the act.
CASES: dict[str, tuple[str, str, bool, Act]] = {
    "archive read": (READ, ARCHIVED, False, lambda where: archive_older(where, 0)),
    "archive malformed": (MALFORMED, ARCHIVED, True, lambda where: archive_older(where, 0)),
    "expire": (UNREAD, ARCHIVED, True, lambda where: list(expire.sweep(where, set()))),
    "discard malformed": (MALFORMED, ARCHIVED, True, lambda where: discard_copies(where, ID, A_PERSON)),
    "discard held": (HELD, ARCHIVED, True, lambda where: discard_copies(where, ID, A_PERSON)),
    **{
        f"withdraw {state}": (state, ARCHIVED, True, lambda where: take_back_all(where, "claude", ID))
        for state in (DROPPED, UNREAD, HELD)
    },
    "restore archived": (ARCHIVED, UNREAD, False, lambda where: put_back(where, ID)),
}


# All moves to the archive are made alike, so the second way of renaming is for the long runs.
@pytest.fixture(params=[WAYS[0], pytest.param(WAYS[1], marks=pytest.mark.faults)])
def renaming(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """The way of renaming that holds in the test."""
    return rename_by(request.param, monkeypatch)


def _prepared(where: Tree, state: str) -> Tree:
    where.make(["claude", "gemini"])
    path = Path(where.outbox("claude").file(state, NAME))
    path.parent.mkdir(parents=True, exist_ok=True)
    put(where, NAME, "kept", state=state, Expires="2026-01-04T00:00:00Z")
    if state in (HELD, MALFORMED):
        Path(f"{path}{REASON}").write_text("why\n")
    return where


def _file(where: Tree, state: str) -> Path:
    """Return the message's file in that state; an archived malformed one has a number in its name."""
    outbox = where.outbox("claude")
    path = Path(outbox.file(state, NAME))
    numbered = Path(outbox.file(state, variant(NAME, 1)))
    return numbered if state == ARCHIVED and numbered.exists() else path


def _where_it_is(where: Tree) -> list[str]:
    """Return the states in which the message is; a move by links may have left one file under two names."""
    files = {state: _file(where, state) for state in STATES}
    there = [state for state, path in files.items() if path.exists() and path.stat().st_size]
    assert len({files[state].stat().st_ino for state in there}) == 1
    assert all(files[state].read_text().endswith("kept") for state in there)
    return there


def _check(where: Tree, case: str) -> None:
    """The message is in one state; if it moved, its reason is there; and the same act again ends as it should."""
    before, after, has_reason, act = CASES[case]
    there = _where_it_is(where)
    assert set(there) <= {before, after}
    with suppress(BridgeError):  # it was done before
        act(where)
    assert _where_it_is(where) == [after]
    beside = [Path(f"{_file(where, after)}{ending}") for ending in (REASON, ENDED)]
    assert any(path.exists() and path.stat().st_size for path in beside) is has_reason


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("renaming")
def test_death_at_every_call(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, case: str, after: bool
) -> None:
    call, died = 0, True
    while died:
        call += 1
        monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / f"state{call}"))
        where = _prepared(Tree(str(tmp_path / str(call))), CASES[case][0])
        died, _ = _run_and_die(lambda where, settings, out: CASES[case][3](where), where, settings, call, after)
        _check(where, case)
    assert call > 1


@pytest.mark.parametrize("case", CASES)
@pytest.mark.usefixtures("renaming")
def test_an_error_at_every_call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, case: str) -> None:
    number, reached = 0, True
    while reached:
        number += 1
        monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / f"state{number}"))
        where = _prepared(Tree(str(tmp_path / str(number))), CASES[case][0])
        faulty = FaultyOs(at=number, act=_fail_with(ERRNOS[number % len(ERRNOS)]))
        with monkeypatch.context() as patch, suppress(OSError, BridgeError):
            patch.setattr(durable, "find_function", _counted(faulty))
            patch.setattr(durable, "os", faulty)
            CASES[case][3](where)
        reached = len(faulty.calls) >= number
        _check(where, case)
    assert number > 1
