"""What is remembered is recalled whole or not at all, and a mark changes with its file."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.system import durable, state_files

WRITES = [b"", b"x", b"\0\xff\n" * 1000]


@pytest.mark.parametrize("content", WRITES)
@pytest.mark.parametrize("flush", [True, False])
def test_what_is_remembered_is_recalled(tmp_path: Path, content: bytes, flush: bool) -> None:
    path = str(tmp_path / "not" / "yet" / "made")
    state_files.remember(path, b"before", flush=flush)
    state_files.remember(path, content, flush=flush)
    assert state_files.recall(path, 4096) == content
    assert os.listdir(os.path.dirname(path)) == ["made"]
    assert os.stat(path).st_mode & 0o777 == 0o600
    assert os.stat(os.path.dirname(path)).st_mode & 0o777 == 0o700


@pytest.mark.parametrize("flush", [True, False])
def test_only_what_must_survive_a_power_cut_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flush: bool
) -> None:
    (tmp_path / "there").mkdir()
    flushed: list[int] = []
    monkeypatch.setattr(os, "fsync", flushed.append)
    state_files.remember(str(tmp_path / "there" / "file"), b"x", flush=flush)
    assert bool(flushed) == flush


def test_a_write_that_fails_leaves_what_was_remembered(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = str(tmp_path / "file")
    state_files.remember(path, b"before")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "write_all", full)
    with pytest.raises(OSError, match="No space left"):
        state_files.remember(path, b"after")
    assert state_files.recall(path, 4096) == b"before"


def test_where_a_file_stands_in_the_place_of_the_directory_nothing_is_remembered(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(OSError, match="file"):
        state_files.remember(str(tmp_path / "file" / "inside"), b"x")
    assert state_files.recall(str(tmp_path / "file" / "inside"), 4096) == b""


def test_nothing_is_recalled_of_what_is_no_file_or_is_too_large(tmp_path: Path) -> None:
    (tmp_path / "large").write_bytes(b"12345")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("large")
    assert state_files.recall(str(tmp_path / "large"), 5) == b"12345"
    assert state_files.recall(str(tmp_path / "large"), 4) == b""
    for name in ("gone", "pipe", "link", "."):
        assert state_files.recall(str(tmp_path / name), 4096) == b""


def test_a_mark_changes_if_the_file_is_replaced_or_written_and_else_stays(tmp_path: Path) -> None:
    path = str(tmp_path / "file")
    state_files.remember(path, b"one")
    marks = [state_files.mark(path)]
    assert state_files.mark(path) == marks[0]
    os.rename(path, tmp_path / "before")  # keeps its inode in use
    state_files.remember(path, b"two")
    os.utime(path, ns=(0, marks[0][2]))
    marks.append(state_files.mark(path))
    os.utime(path, ns=(0, 1))
    marks.append(state_files.mark(path))
    durable.append(path, b"!")
    os.utime(path, ns=(0, 1))
    marks.append(state_files.mark(path))
    assert len(set(marks)) == len(marks)


def test_the_mark_of_a_link_is_its_own_if_it_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    (tmp_path / "link").symlink_to("file")
    assert state_files.mark(str(tmp_path / "link")) == state_files.mark(str(tmp_path / "file"))
    assert state_files.mark(str(tmp_path / "link"), follow=False) != state_files.mark(str(tmp_path / "file"))


def test_what_is_not_there_has_no_mark(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        state_files.mark(str(tmp_path / "gone"))
