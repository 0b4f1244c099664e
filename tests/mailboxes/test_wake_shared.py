"""One watch serves all that wait: each hears of its own directories, and the last to leave ends the watch."""

from __future__ import annotations

from collections.abc import Iterable

import pytest

from ai_bridge.mailboxes.wake import SharedWatch
from ai_bridge.system.directory_events import Notify, Watch


class Fake:
    """A watch that is told what happens, and remembers what it was asked for."""

    def __init__(self, notify: Notify) -> None:
        self.notify = notify
        self.watched: set[str] = set()
        self.is_closed = False

    def refresh(self, directories: Iterable[str]) -> bool:
        before, self.watched = self.watched, set(directories)
        return not self.watched <= before

    def close(self) -> None:
        self.is_closed = True


class Ground:
    """A shared watch, the watches that it started, and what its members heard."""

    def __init__(self) -> None:
        self.shared = SharedWatch()
        self.started: list[Fake] = []
        self.heard: dict[str, list[str | None]] = {}

    def make(self, notify: Notify) -> Watch:
        self.started.append(Fake(notify))
        return self.started[-1]

    def join(self, name: str, *directories: str) -> Watch:
        heard = self.heard.setdefault(name, [])
        member = self.shared.join(heard.append, self.make)
        assert member.refresh(directories)
        heard.clear()
        return member


@pytest.fixture
def ground() -> Ground:
    return Ground()


def test_there_is_one_watch_from_the_first_to_the_last(ground: Ground) -> None:
    first, second = ground.join("first", "/a"), ground.join("second", "/b")
    (watch,) = ground.started
    assert watch.watched == {"/a", "/b"}
    first.close()
    assert (watch.watched, watch.is_closed) == ({"/b"}, False)
    second.close()
    assert watch.is_closed
    ground.join("third", "/a")
    assert len(ground.started) == 2


def test_each_hears_of_its_own_directories_and_all_of_what_may_be_anywhere(ground: Ground) -> None:
    ground.join("first", "/a", "/both")
    ground.join("second", "/b", "/both")
    ground.heard["first"].clear()
    for directory in ("/a", "/b", "/both", None):
        ground.started[0].notify(directory)
    assert ground.heard == {"first": ["/a", "/both", None], "second": ["/b", "/both", None]}


def test_a_directory_that_another_watches_already_is_new_to_the_one_that_asks(ground: Ground) -> None:
    ground.join("first", "/a")
    second = ground.join("second", "/b")
    assert second.refresh(["/b", "/a"])
    assert not second.refresh(["/b", "/a"])


def test_a_directory_that_came_back_makes_all_the_others_look(ground: Ground) -> None:
    first = ground.join("first", "/a")
    ground.join("second", "/a")
    ground.heard["second"].clear()
    ground.started[0].watched.clear()  # the directory was removed and made again
    assert first.refresh(["/a"])
    assert ground.heard == {"first": [], "second": [None]}


def test_one_that_left_hears_nothing_and_may_leave_again(ground: Ground) -> None:
    first = ground.join("first", "/a")
    ground.join("second", "/a")
    first.close()
    first.close()
    assert not first.refresh(["/c"])
    ground.started[0].notify("/a")
    assert ground.heard["first"] == []
    assert ground.started[0].watched == {"/a"}
