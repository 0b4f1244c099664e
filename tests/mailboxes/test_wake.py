"""Wake: anything that may be an arrival ends the wait, whatever the kernel can do; nothing is left running."""

from __future__ import annotations

import ctypes
import errno
import os
import shutil
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from ai_bridge.mailboxes import wake as wake_
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import NotMailboxes, Tree
from ai_bridge.mailboxes.wake import Wake, hinted, parts
from ai_bridge.system import directory_events
from tests.support.wait import until

LONG_S = 60.0
SHORT_S = 0.1


@pytest.fixture
def watched(tmp_path: Path) -> Path:
    made = tmp_path / "watched"
    made.mkdir()
    return made


@pytest.fixture(autouse=True)
def _nothing_is_left() -> Iterator[None]:
    """Check that no thread and no descriptor outlives its wake for long."""
    before = _threads_and_descriptors()
    yield
    until(lambda: all(now <= then for now, then in zip(_threads_and_descriptors(), before, strict=True)), 5)


def _threads_and_descriptors() -> tuple[int, int]:
    return threading.active_count(), len(os.listdir("/proc/self/fd"))


def _no_inotify(*_: object) -> None:
    raise OSError(errno.EMFILE, "inotify instance limit reached")


def _by_inotify(monkeypatch: pytest.MonkeyPatch) -> None:
    """The ordinary way."""


def _by_observer(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(directory_events, "InotifyWatch", _no_inotify)


def _by_polling(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "watchdog.observers.inotify_c", None)
    monkeypatch.setitem(sys.modules, "watchdog.observers", None)


WAYS = {"inotify": _by_inotify, "observer": _by_observer, "polling": _by_polling}


@pytest.fixture(params=WAYS)
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    WAYS[request.param](monkeypatch)


def _quiet(wake: Wake) -> None:
    """Take up what the past still has to tell, so that the next wake is that of what comes next."""
    while wake.wait(SHORT_S):
        pass


def _rename_in(watched: Path) -> None:
    (watched.parent / "made elsewhere").write_text("x")
    os.rename(watched.parent / "made elsewhere", watched / "a.txt")


def _link_in(watched: Path) -> None:
    (watched.parent / "made elsewhere").write_text("x")
    os.link(watched.parent / "made elsewhere", watched / "a.txt")


def _write(watched: Path) -> None:
    (watched / "a.txt").write_text("x")


def _make_directory(watched: Path) -> None:
    (watched / "new-outbox").mkdir()


ARRIVALS = [_rename_in, _link_in, _write, _make_directory]


@pytest.mark.usefixtures("_each_way")
@pytest.mark.parametrize("arrive", ARRIVALS)
def test_every_kind_of_arrival_wakes(watched: Path, arrive: Callable[[Path], None]) -> None:
    with Wake(lambda: [str(watched)], poll_s=0.01) as wake:
        _quiet(wake)
        arrive(watched)
        assert wake.wait(LONG_S)


def test_polling_on_request_wakes(watched: Path) -> None:
    with Wake(lambda: [str(watched)], poll=True, poll_s=0.01) as wake:
        assert any(thread.name == "poll" for thread in threading.enumerate())
        _quiet(wake)
        _rename_in(watched)
        assert wake.wait(LONG_S)


def test_a_file_wakes_again_when_its_writer_closes_it(watched: Path) -> None:
    with Wake(lambda: [str(watched)]) as wake, (watched / "a.txt").open("w") as file:
        _quiet(wake)
        file.write("x")
        file.close()
        assert wake.wait(LONG_S)


@pytest.mark.usefixtures("_each_way")
def test_what_arrives_between_the_scan_and_the_wait_wakes(watched: Path) -> None:
    with Wake(lambda: [str(watched)], poll_s=0.01) as wake:
        _write(watched)
        assert wake.wait(LONG_S)


@pytest.mark.usefixtures("_each_way")
def test_the_time_ends_where_nothing_arrives(watched: Path) -> None:
    with Wake(lambda: [str(watched)], poll_s=0.01) as wake:
        _quiet(wake)
        assert not wake.wait(0.02)
        assert not wake.wait(-1.0)


class _CountedWake(Wake):
    """Counts its wakes."""

    count = 0

    def set(self, directory: str | None = None) -> None:
        self.count += 1
        super().set(directory)


def test_a_departure_is_not_even_noticed_so_no_arrival_is_held_back_behind_it(watched: Path) -> None:
    for number in range(20):
        (watched / f"{number}.txt").write_text("x")
    with _CountedWake(lambda: [str(watched)]) as wake:
        for number in range(20):
            os.rename(watched / f"{number}.txt", watched.parent / f"{number}.txt")
        (watched.parent / "subject").mkdir()
        os.rename(watched.parent / "subject", watched / "subject")  # the kernel keeps the order of events
        assert wake.wait(LONG_S)
        assert wake.count == 1


def test_an_overflow_of_the_kernels_queue_wakes(watched: Path) -> None:
    from watchdog.observers.inotify_c import InotifyConstants, InotifyEvent

    with Wake(lambda: [str(watched)]) as wake:
        _quiet(wake)
        assert isinstance(wake._watch, directory_events.InotifyWatch)
        wake._watch._inotify.handle_event(InotifyEvent(-1, InotifyConstants.IN_Q_OVERFLOW, 0, b""))
        assert wake.wait(LONG_S)


def _delete(watched: Path) -> None:
    shutil.rmtree(watched)


def _move_away(watched: Path) -> None:
    watched.rename(watched.parent / "moved away")


@pytest.mark.parametrize("lose", [_delete, _move_away])
@pytest.mark.parametrize("ways", [_by_inotify, _by_polling])
def test_a_directory_that_was_lost_and_made_again_is_watched_again(
    watched: Path, monkeypatch: pytest.MonkeyPatch, ways: Callable[..., None], lose: Callable[[Path], None]
) -> None:
    ways(monkeypatch)
    with Wake(lambda: [str(watched)], poll_s=0.01) as wake:
        _quiet(wake)
        lose(watched)
        assert wake.wait(LONG_S)
        _quiet(wake)
        watched.mkdir()
        assert wake.wait(LONG_S)
        _quiet(wake)
        _rename_in(watched)
        assert wake.wait(LONG_S)


@pytest.mark.usefixtures("_each_way")
def test_a_directory_named_later_is_looked_at_at_once_and_watched(watched: Path, tmp_path: Path) -> None:
    named = [str(watched)]
    with Wake(lambda: named, poll_s=0.01) as wake:
        _quiet(wake)
        (tmp_path / "later").mkdir()
        named.append(str(tmp_path / "later"))
        assert wake.wait(LONG_S)
        _quiet(wake)
        _write(tmp_path / "later")
        assert wake.wait(LONG_S)


def test_a_directory_no_longer_named_wakes_nobody(watched: Path, tmp_path: Path) -> None:
    named = [str(watched), str(tmp_path)]
    with _CountedWake(lambda: named) as wake:
        named.pop(0)
        _quiet(wake)
        before = wake.count
        _make_directory(watched)
        _make_directory(tmp_path)
        assert wake.wait(LONG_S)
        assert wake.count == before + 1


def test_without_an_inotify_instance_it_polls(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from watchdog.observers import inotify_c

    def limit_reached() -> int:
        ctypes.set_errno(errno.EMFILE)
        return -1

    monkeypatch.setattr(inotify_c, "inotify_init", limit_reached)
    with Wake(lambda: [str(watched)], poll_s=0.01) as wake:
        assert any(thread.name == "poll" for thread in threading.enumerate())
        _quiet(wake)
        _rename_in(watched)
        assert wake.wait(LONG_S)


@pytest.mark.parametrize("part", ["Mask", "InotifyFD.add_callback", "InotifyConstants.IN_ONLYDIR"])
def test_a_library_whose_private_part_changed_still_wakes(
    watched: Path, monkeypatch: pytest.MonkeyPatch, part: str
) -> None:
    assert directory_events.slow_because() == ""
    monkeypatch.delattr(f"watchdog.observers.inotify_c.{part}")
    assert directory_events.slow_because() == f"watchdog.observers.inotify_c has another {part.partition('.')[0]}"
    monkeypatch.undo()
    monkeypatch.setattr(directory_events, "_import_inotify", _no_private_part)
    with Wake(lambda: [str(watched)], poll_s=0.01) as wake:
        _quiet(wake)
        _rename_in(watched)
        assert wake.wait(LONG_S)


def _no_private_part() -> None:
    raise ImportError("watchdog.observers.inotify_c has another Mask")


def test_a_directory_that_cannot_be_watched_stops_nothing(watched: Path) -> None:
    named = [str(watched / "missing"), str(watched / "a file"), str(watched)]
    (watched / "a file").write_text("x")
    with Wake(lambda: named) as wake:
        _quiet(wake)
        _rename_in(watched)
        assert wake.wait(LONG_S)


def test_a_signal_handler_may_wake(watched: Path) -> None:
    with Wake(lambda: [str(watched)]) as wake:
        _quiet(wake)
        before = signal.signal(signal.SIGUSR1, lambda *_: wake.set())
        try:
            timer = threading.Timer(0.02, os.kill, [os.getpid(), signal.SIGUSR1])
            timer.start()
            assert wake.wait(LONG_S)
            timer.join()
        finally:
            signal.signal(signal.SIGUSR1, before)


@pytest.mark.usefixtures("_each_way")
def test_closing_wakes_whoever_still_waits(watched: Path) -> None:
    wake = Wake(lambda: [str(watched)], poll_s=0.01)
    _quiet(wake)
    woken: list[bool] = []
    waiting = threading.Thread(target=lambda: woken.append(wake.wait(LONG_S)))
    waiting.start()
    wake.close()
    waiting.join(LONG_S)
    assert woken == [True]


@pytest.mark.usefixtures("_each_way")
def test_a_wake_that_cannot_begin_leaves_nothing_behind() -> None:
    def gone() -> list[str]:
        raise NotMailboxes(path="/gone")

    with pytest.raises(NotMailboxes):
        Wake(gone, poll_s=0.01)


# --- hints ------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_each_way")
def test_a_wake_hints_at_where_it_came_from(watched: Path, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    with Wake(lambda: [str(watched), str(tmp_path / "other")], poll_s=0.01) as wake:
        _quiet(wake)
        _write(watched)
        assert wake.wait(LONG_S)
        assert wake.changed == {str(watched)}


@pytest.mark.parametrize("ways", [_by_inotify, _by_observer])
def test_where_a_directory_comes_everything_is_to_be_looked_at(
    watched: Path, monkeypatch: pytest.MonkeyPatch, ways: Callable[..., None]
) -> None:
    ways(monkeypatch)
    with Wake(lambda: [str(watched)]) as wake:
        _quiet(wake)
        _make_directory(watched)
        assert wake.wait(LONG_S)
        assert wake.changed is None


def test_without_a_hint_everything_is_to_be_looked_at(watched: Path) -> None:
    with Wake(lambda: [str(watched)], poll=True, poll_s=LONG_S) as wake:
        wake.set(str(watched))
        wake.set()
        assert wake.wait(LONG_S)
        assert wake.changed is None
        wake.set(str(watched))
        assert wake.wait(LONG_S)
        assert wake.changed == {str(watched)}
        assert not wake.wait(0.0)
        assert wake.changed is None


def test_after_a_look_at_hints_only_the_directories_need_not_be_named_anew(watched: Path) -> None:
    named = [[str(watched)], [str(watched)]]
    with Wake(lambda: named.pop(), poll=True, poll_s=LONG_S) as wake:
        assert not wake.wait(0.0, rescan=False)
        assert len(named) == 1
        assert not wake.wait(0.0)
    assert named == []


def test_hints_are_taken_without_waiting_and_a_wake_for_everywhere_is_left(where: Tree) -> None:
    with Wake(list, poll=True, poll_s=LONG_S) as wake:
        assert hinted(where, wake) == []
        wake.set(where.outbox("claude").directory(UNREAD))
        assert [outbox.owner for outbox in hinted(where, wake)] == ["claude"]
        assert not wake.wait(0.0)
        wake.set()
        assert hinted(where, wake) == []
        assert wake.wait(0.0)
        assert wake.changed is None


def test_a_scan_is_made_in_parts_that_leave_nothing_out(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wake_, "_PART", 2)
    where.make(["codex", "qwen", "zed"])
    assert [[outbox.owner for outbox in part] for part in parts(where.outboxes())] == [
        ["claude", "codex"],
        ["gemini", "qwen"],
        ["zed"],
    ]


# --- network file systems -----------------------------------------------------------------------------------


@pytest.mark.parametrize("ways", [_by_inotify, _by_polling])
def test_on_a_network_file_system_arrivals_are_found_by_listing(
    watched: Path, monkeypatch: pytest.MonkeyPatch, ways: Callable[..., None]
) -> None:
    ways(monkeypatch)
    others: set[str] = set()

    class Shared:
        """What another machine does is in the listing, and neither an event nor a time tells of it."""

        def __getattr__(self, name: str) -> object:
            return getattr(os, name)

        def listdir(self, path: str) -> list[str]:
            return [*os.listdir(path), *others]

    monkeypatch.setattr(directory_events, "os", Shared())
    with Wake(lambda: [str(watched)], poll_s=0.01, is_network=True) as wake:
        assert any(thread.name == "poll" for thread in threading.enumerate())
        _quiet(wake)
        others.add("from elsewhere.txt")
        assert wake.wait(LONG_S)
        assert wake.changed == {str(watched)}
        _quiet(wake)
        _rename_in(watched)
        assert wake.wait(LONG_S)


def test_on_a_local_disk_nothing_is_listed(watched: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with Wake(lambda: [str(watched)], poll=True, poll_s=0.01) as wake:
        _quiet(wake)
        monkeypatch.setattr(directory_events, "_names", lambda path: pytest.fail("listed"))
        _rename_in(watched)
        assert wake.wait(LONG_S)


def test_on_a_network_file_system_events_of_this_machine_still_wake(watched: Path) -> None:
    with Wake(lambda: [str(watched)], poll_s=LONG_S, is_network=True) as wake:
        _quiet(wake)
        _rename_in(watched)
        assert wake.wait(LONG_S / 2)


def test_mailboxes_on_a_share_are_polled(where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from ai_bridge import settings as settings_
    from tests.support.mounts import mounted, table

    loaded = settings_.load(where.path, {"poll_s": 0.01})
    with Wake.over(where, loaded, lambda: [where.path]):
        assert not any(thread.name == "poll" for thread in threading.enumerate())
    table(tmp_path, monkeypatch, mounted("nfs4", where.path))
    with Wake.over(where, loaded, lambda: [where.path]):
        assert any(thread.name == "poll" for thread in threading.enumerate())
