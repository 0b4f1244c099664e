"""A full or read-only disk is a finding of health, be it the file system, its inodes or the rights."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from ai_bridge.health import report, storage
from ai_bridge.health.finding import NOTE, WRONG, Finding
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings

Disk = Callable[..., None]
STATVFS = os.statvfs


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Disk:
    """Let the system report a disk that is as it is, but for the fields given."""

    def be(**fields: int) -> None:
        names = ["f_bsize", "f_frsize", "f_blocks", "f_bfree", "f_bavail", "f_files", "f_ffree", "f_favail"]
        names += ["f_flag", "f_namemax"]

        def told(path: str) -> os.statvfs_result:
            found = STATVFS(path)
            return os.statvfs_result([fields.get(name, getattr(found, name)) for name in names])

        monkeypatch.setattr(os, "statvfs", told)

    return be


def _found(where: Tree, settings: Settings) -> list[Finding]:
    return list(storage.examine(where, settings, where.path))


def test_of_a_disk_with_room_nothing_is_told(where: Tree, settings: Settings, disk: Disk) -> None:
    disk(f_frsize=4096, f_bavail=1_000_000)
    assert _found(where, settings) == []
    disk(f_blocks=0, f_bavail=0)  # it has no size at all
    assert _found(where, settings) == []


@pytest.mark.parametrize(
    "fields", [{"f_bavail": 0}, {"f_bavail": 9, "f_frsize": 4096}, {"f_files": 9, "f_favail": 0}]
)
def test_a_full_disk_is_critical(where: Tree, settings: Settings, disk: Disk, fields: dict[str, int]) -> None:
    disk(**{"f_blocks": 1_000_000, **fields})
    found = _found(where, settings)[0]
    assert (found.where, found.level) == ("storage", WRONG)
    assert found.what == f"{where.path}: the disk is full; free some space and try again"
    assert found.fix == f"df -h {where.path}"
    assert report.examine(where, settings, where.agents()).level == WRONG


def test_a_disk_that_has_no_room_for_the_largest_message_is_a_warning(
    where: Tree, settings: Settings, disk: Disk
) -> None:
    disk(f_blocks=1_000_000, f_frsize=1024, f_bavail=500, f_files=0)
    found = _found(where, settings)[0]
    assert found.level == NOTE
    assert found.what.startswith(f"only 500 KiB are free at {where.path}: ")


def test_a_read_only_file_system_is_critical(where: Tree, settings: Settings, disk: Disk) -> None:
    disk(f_flag=os.ST_RDONLY)
    found = _found(where, settings)[0]
    assert (found.level, "the file system is read-only" in found.what) == (WRONG, True)


@pytest.mark.parametrize("inner", ["", "claude-outbox"])
def test_a_directory_that_this_user_may_not_write_is_critical(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch, inner: str
) -> None:
    path = os.path.join(where.path, inner).rstrip("/")
    monkeypatch.setattr(os, "access", lambda asked, mode: asked != path or not mode & os.W_OK)
    (found,) = list(storage.examine(where, settings, os.path.dirname(where.path)))
    assert (found.level, found.what) == (WRONG, f"{path}: permission denied; check who owns it and its mode")


def test_the_state_directory_counts_too(where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    state = os.environ["AI_BRIDGE_STATE"]
    os.makedirs(state, exist_ok=True)
    monkeypatch.setattr(os, "access", lambda asked, _: asked != state)
    (found,) = [one for one in report.examine(where, settings, where.agents()).around if one.where == "storage"]
    assert found.what.startswith(f"{state}: permission denied")
