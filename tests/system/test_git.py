"""The main worktree is found without git; a directory that only claims to be a worktree is none."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.system.git import main_worktree
from tests.support.project import commit, git


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    made = tmp_path / "shop"
    made.mkdir()
    (made / "a").write_text("a")
    commit(made)
    return made


def test_outside_of_repositories_there_is_none(tmp_path: Path) -> None:
    assert main_worktree(str(tmp_path)) is None


def test_a_bare_repository_is_the_main_one_of_its_worktrees(shop: Path, tmp_path: Path) -> None:
    for name, root in (("code.git", "code.git"), ("code/.bare", "code")):
        git(tmp_path, "clone", "-q", "--bare", str(shop), str(tmp_path / name))
        git(tmp_path / name, "worktree", "add", "-q", str(tmp_path / f"of-{root}"), "-b", "x")
        assert main_worktree(str(tmp_path / f"of-{root}")) == str(tmp_path / root)


def test_a_submodule_is_a_project_of_its_own(shop: Path, tmp_path: Path) -> None:
    outer = tmp_path / "outer"
    outer.mkdir()
    git(outer, "init", "-q")
    git(outer, "-c", "protocol.file.allow=always", "submodule", "--quiet", "add", str(shop), "inner")
    assert (outer / "inner" / ".git").is_file()
    assert main_worktree(str(outer / "inner")) == str(outer / "inner")


def test_a_worktree_that_its_repository_does_not_name_is_a_project_of_its_own(shop: Path, tmp_path: Path) -> None:
    git(shop, "worktree", "add", "-q", str(tmp_path / "fix"))
    (tmp_path / "stranger").mkdir()
    (tmp_path / "stranger" / ".git").write_bytes((tmp_path / "fix" / ".git").read_bytes())
    assert main_worktree(str(tmp_path / "fix")) == str(shop)
    assert main_worktree(str(tmp_path / "stranger")) == str(tmp_path / "stranger")


@pytest.mark.parametrize("content", ["", "gitdir: ", "gitdir: /nowhere\n", "gitdir: \0\n", "x" * 10_000])
def test_a_damaged_git_file_makes_its_folder_the_root(tmp_path: Path, content: str) -> None:
    (tmp_path / ".git").write_text(content)
    assert main_worktree(str(tmp_path)) == str(tmp_path)


def test_a_repository_of_the_home_directory_is_no_project_of_the_folders_in_it() -> None:
    home = Path(os.environ["HOME"])
    (home / ".git").mkdir(parents=True)
    (home / "notes").mkdir()
    assert main_worktree(str(home / "notes")) is None
    assert main_worktree(str(home)) == str(home)
