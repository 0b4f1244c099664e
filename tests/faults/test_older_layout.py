"""The process dies before or after each call that changes the disk while it takes over mail of the older layout."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import DIRECTORIES, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.faults.test_every_call import _run_and_die
from tests.mailboxes.test_older_layout import TEXT, make_older, older_id, put
from tests.support.mail import route

pytestmark = pytest.mark.sweeps


def _contents(where: Tree) -> Counter[bytes]:
    """Return how often each content is in the tree, by the directories alone; two names of one file count once."""
    found: Counter[bytes] = Counter()
    inodes: set[int] = set()
    for outbox in ("claude", "gemini"):
        for directory in DIRECTORIES.values():
            folder = Path(where.path, f"{outbox}-outbox", directory)
            for path in folder.glob("*.txt") if folder.is_dir() else ():
                if path.stat().st_ino not in inodes:
                    inodes.add(path.stat().st_ino)
                    found[path.read_bytes()] += 1
    return found


def _take_over(where: Tree, settings: Settings, out: int) -> None:
    for outbox in where.outboxes():
        for state in (UNREAD, READ):
            outbox.unordered(state)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.usefixtures("renaming")
def test_death_at_every_call_loses_and_doubles_nothing(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, after: bool
) -> None:
    call, died = 0, True
    while died:
        call += 1
        monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / f"state{call}"))
        where = Tree(str(make_older(tmp_path / str(call))))
        put(where, UNREAD, "odd", "no message at all")
        put(where, READ, "same", same := TEXT.format(id="same", sender="claude", to="gemini"))
        put(where, READ, "same", same, "same.gemini.txt")
        before = _contents(where)
        died, _ = _run_and_die(_take_over, where, settings, call, after)
        assert _contents(where).keys() == before.keys()
        _take_over(where, settings, -1)
        before[same.encode()] = 1
        assert _contents(where) == before
        route(where, settings)
        names = os.listdir(where.outbox("claude").directory(UNREAD))
        assert f"{older_id('claude', UNREAD)}.gemini.txt" in names
        assert sorted(os.listdir(where.outbox("claude").directory(READ))) == [
            f"{older_id('claude', READ)}.gemini.txt",
            "same.gemini.txt",
        ]
    assert call > 6
