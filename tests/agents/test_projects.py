"""Each project has a name that no other folder of this user has."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.agents import projects
from tests.support.project import commit, git


def _at(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(folder)


def test_the_second_folder_of_a_name_gets_a_name_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for team, name in (("one", "api"), ("two", "api-2"), ("three", "api-3"), ("one", "api"), ("two", "api-2")):
        _at(tmp_path / team / "api", monkeypatch)
        assert projects.here() == projects.register() == projects.here() == name
    assert projects.root_of("api-2") == str(tmp_path / "two" / "api")
    assert projects.root_of("web") == ""


def test_looking_keeps_no_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for team in ("one", "two"):
        _at(tmp_path / team / "api", monkeypatch)
        assert projects.here() == "api"
    assert not os.path.exists(projects.names_file())


@pytest.mark.parametrize("folder", ["123", "日本", "-", "a\nb %0A", "x" * 60])
def test_any_folder_has_a_name_of_its_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, folder: str) -> None:
    found = []
    for team in ("one", "two"):
        _at(tmp_path / team / folder, monkeypatch)
        found.append(projects.register())
        assert projects.here() == found[-1]
        assert projects.root_of(found[-1]) == str(tmp_path / team / folder)
    assert len(set(found)) == 2
    assert all(name and len(name) <= 32 for name in found)


def test_all_worktrees_and_subfolders_of_a_repository_are_one_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop = tmp_path / "shop"
    (shop / "src" / "deep").mkdir(parents=True)
    (shop / "a").write_text("a")
    commit(shop)
    git(shop, "worktree", "add", "-q", str(tmp_path / "shop-fix"))
    git(shop, "worktree", "add", "-q", str(shop / "inner"))
    (tmp_path / "shop-fix" / "sub").mkdir()
    for folder in (shop, shop / "src" / "deep", tmp_path / "shop-fix" / "sub", shop / "inner"):
        _at(folder, monkeypatch)
        assert projects.register() == "shop"


def test_a_line_that_is_none_harms_no_other(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = Path(projects.names_file())
    path.parent.mkdir(parents=True)
    path.write_bytes(b"\xff\xff\n\napi\nA B\nname@x /y\nweb /somewhere/web\nweb /elsewhere\ncut /of")
    _at(tmp_path / "web", monkeypatch)
    assert projects.register() == "web-2"
    assert projects.root_of("web") == "/somewhere/web"
    assert projects.root_of("cut") == "/of"


def test_a_disk_that_takes_no_name_stops_nobody(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "config").write_text("a file")
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    _at(tmp_path / "web", monkeypatch)
    assert projects.register() == "web"


def test_in_a_deleted_folder_there_is_no_project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    _at(tmp_path / "web", monkeypatch)
    os.rmdir(tmp_path / "web")
    assert projects.register() == projects.here() == ""
