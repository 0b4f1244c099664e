"""The one module that changes the disk: whole or absent, never replacing, whatever call fails."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge import durable
from tests.faults.disk import FaultyOs

Rename = Callable[[str, str], object]


def _unsupported(name: str) -> Callable[..., int] | None:
    return None


def _without_renameat2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "_libc_function", _unsupported)


def _without_links(monkeypatch: pytest.MonkeyPatch) -> None:
    _without_renameat2(monkeypatch)

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(durable.os, "link", refuse)


@pytest.fixture(params=["renameat2", "link", "reservation"])
def _each_way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "link":
        _without_renameat2(monkeypatch)
    if request.param == "reservation":
        _without_links(monkeypatch)


@pytest.mark.usefixtures("_each_way")
class TestEachWayOfRenaming:
    def test_the_file_moves(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("kept")
        assert durable.move(str(tmp_path / "a"), str(tmp_path / "b"))
        assert [entry.name for entry in tmp_path.iterdir()] == ["b"]
        assert (tmp_path / "b").read_text() == "kept"

    def test_a_file_is_never_replaced(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("mine")
        (tmp_path / "b").write_text("theirs")
        with pytest.raises(FileExistsError):
            durable.move(str(tmp_path / "a"), str(tmp_path / "b"))
        assert (tmp_path / "a").read_text() == "mine"
        assert (tmp_path / "b").read_text() == "theirs"

    def test_losing_a_race_is_false(self, tmp_path: Path) -> None:
        assert durable.move(str(tmp_path / "gone"), str(tmp_path / "b")) is False
        assert list(tmp_path.iterdir()) == []

    def test_a_symbolic_link_moves_as_itself(self, tmp_path: Path) -> None:
        (tmp_path / "a").symlink_to("/nowhere")
        assert durable.move(str(tmp_path / "a"), str(tmp_path / "b"))
        assert (tmp_path / "b").is_symlink()

    def test_a_directory_moves_with_what_is_in_it(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "a" / "x").write_text("kept")
        assert durable.move(str(tmp_path / "a"), str(tmp_path / "b"))
        assert (tmp_path / "b" / "x").read_text() == "kept"

    def test_publishing_never_replaces(self, tmp_path: Path) -> None:
        (tmp_path / "a").write_text("mine")
        (tmp_path / "b").write_text("theirs")
        with pytest.raises(FileExistsError):
            durable.publish(str(tmp_path / "a"), str(tmp_path / "b"))
        assert (tmp_path / "b").read_text() == "theirs"


def test_a_rename_that_was_done_though_an_error_was_reported_counts_as_done(tmp_path: Path) -> None:
    """A network file system may lose the reply: then the source is gone and the target is there."""
    (tmp_path / "b").write_text("moved before the reply was lost")
    assert durable.move(str(tmp_path / "a"), str(tmp_path / "b")) is True


def test_a_missing_target_directory_is_an_error_and_not_a_lost_race(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("kept")
    with pytest.raises(FileNotFoundError):
        durable.move(str(tmp_path / "a"), str(tmp_path / "none" / "b"))


@pytest.mark.parametrize("call", ["write", "fsync", "close"])
def test_a_write_that_fails_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, call: str) -> None:
    monkeypatch.setattr(durable, "os", FaultyOs(fail={call: errno.EIO}))
    with pytest.raises(OSError, match="Input/output"):
        durable.write_new(str(tmp_path / "a"), b"data")
    assert list(tmp_path.iterdir()) == []


def test_a_short_write_is_continued(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.write
    monkeypatch.setattr(durable.os, "write", lambda fd, data: real(fd, bytes(data)[:3]))
    durable.write_new(str(tmp_path / "a"), b"ten bytes!")
    assert (tmp_path / "a").read_bytes() == b"ten bytes!"


def test_a_taken_name_is_refused_and_kept(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("theirs")
    with pytest.raises(FileExistsError):
        durable.write_new(str(tmp_path / "a"), b"mine")
    assert (tmp_path / "a").read_text() == "theirs"


def test_a_symbolic_link_is_never_written_through(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to(tmp_path / "victim")
    with pytest.raises(OSError, match="exists"):
        durable.write_new(str(tmp_path / "a"), b"mine")
    assert not (tmp_path / "victim").exists()


def test_many_files_are_flushed_at_once_or_one_by_one(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    paths = [str(tmp_path / name) for name in "abc"]
    for path in paths:
        durable.write_new(path, b"x", flush=False)
    durable.flush_files(str(tmp_path), paths)
    _without_renameat2(monkeypatch)
    seen = FaultyOs()
    monkeypatch.setattr(durable, "os", seen)
    durable.flush_files(str(tmp_path), paths)
    assert seen.calls.count("fsync") == len(paths)


def test_one_message_is_written_flushed_published_and_its_directory_flushed_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ai_bridge.mailboxes import Mailboxes
    from tests.conftest import post

    where = Mailboxes(str(tmp_path))
    where.make(["claude", "gemini"])
    post(where)  # the first one makes the directory of what was issued, too
    seen = FaultyOs()
    monkeypatch.setattr(durable, "os", seen)
    post(where)
    order = [call for call in seen.calls if call in ("write", "fsync", "link", "unlink")]
    assert order == ["write", "fsync", "link", "unlink", "fsync"]
