"""Excerpts: exactly the lines that were named, never a file that was not, and what git knows of it."""

from __future__ import annotations

import errno
import os
import subprocess
from pathlib import Path

import pytest

from ai_bridge.clients import project as named_project
from ai_bridge.errors import BridgeError, DiskError
from ai_bridge.message import excerpt
from ai_bridge.message.excerpt import (
    Excerpt,
    FileTooLarge,
    LeadsOutside,
    NoReference,
    NoSuchLine,
    NotRegular,
    NotText,
    ReversedLines,
    load,
    parse_reference,
)
from ai_bridge.system import git as git_
from tests.support.project import commit, git

LIMIT = 10_000


def take(text: str, limit: int = LIMIT) -> Excerpt:
    """Load what is named from the project one is in."""
    return load(parse_reference(text), _project_folder(), limit)


def _project_folder() -> str:
    """Return the folder of the project as those who send find it."""
    return named_project.folder() or excerpt.project_folder()


# --- references -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "path", "first", "last"),
    [
        ("a.py", "a.py", None, None),
        ("a.py:7", "a.py", 7, 7),
        ("a.py:7-9", "a.py", 7, 9),
        ("a.py:7-", "a.py", 7, None),
        ("a:b:7-9", "a:b", 7, 9),
        ("a b\n-c:07", "a b\n-c", 7, 7),
        ("a.py:", "a.py:", None, None),
        ("a.py:x", "a.py:x", None, None),
        ("a.py:-9", "a.py:-9", None, None),
        ("a.py:7-9-", "a.py:7-9-", None, None),
        ("a.py:\u0667", "a.py:\u0667", None, None),
        (":7", ":7", None, None),
        ("a.py:" + "9" * 5000, "a.py:" + "9" * 5000, None, None),
    ],
)
def test_a_reference_is_a_path_and_perhaps_lines(
    project: Path, text: str, path: str, first: int | None, last: int | None
) -> None:
    found = parse_reference(text)
    assert (found.path, found.first, found.last) == (path, first, last)


@pytest.mark.parametrize("name", ["odd:7", "odd:7-9", "odd:7-"])
def test_a_file_whose_very_name_ends_like_lines_wins(project: Path, name: str) -> None:
    (project / "odd").write_text("not this\n" * 9)
    (project / name).write_text("this\n")
    found = take(name)
    assert (found.path, found.raw, found.whole) == (name, b"this\n", True)


@pytest.mark.parametrize("text", ["", "a\0b", "\ud800"])
def test_what_can_name_no_file_is_refused(text: str) -> None:
    with pytest.raises(NoReference, match=r"names no file: give PATH, PATH:LINE"):
        parse_reference(text)


def test_reversed_lines_are_refused_with_what_is_meant() -> None:
    with pytest.raises(ReversedLines, match=r"^the lines 9-7 of a.py are reversed: write 7-9$"):
        parse_reference("a.py:9-7")


# --- the project folder -----------------------------------------------------------------------------------


def test_the_project_is_named_by_the_client_else_by_git_else_the_directory_one_is_in(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    inner = project / "a" / "b"
    inner.mkdir(parents=True)
    monkeypatch.chdir(inner)
    assert _project_folder() == str(inner)
    git(project, "init", "-q")
    assert _project_folder() == str(project)
    (project / "link").symlink_to(inner)
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(project / "link"))
    assert _project_folder() == str(inner)
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(project / "none"))
    assert _project_folder() == str(project)


def test_a_working_directory_that_was_deleted_is_said(project: Path) -> None:
    os.rmdir(project)
    with pytest.raises(DiskError, match="working directory: it does not exist"):
        excerpt.project_folder()
    with pytest.raises(DiskError, match=r"^a: it does not exist"):
        load(parse_reference("a"), str(project), LIMIT)


# --- lines ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "total"),
    [
        (b"", 0),
        (b"\n", 1),
        (b"a", 1),
        (b"a\n", 1),
        (b"a\nb", 2),
        (b"a\n\n", 2),
        (b"a\rb\rc", 1),
        (b"a\r\nb\r\n", 2),
        ("a\u2028b\x0bc\x85d\n".encode(), 1),
        (b"\n\n\n", 3),
    ],
)
def test_only_line_feeds_end_a_line(project: Path, raw: bytes, total: int) -> None:
    (project / "f").write_bytes(raw)
    whole = take("f")
    assert (whole.raw, whole.first, whole.last, whole.total, whole.whole) == (raw, 1, total, total, True)
    assert len(whole.lines()) == total
    if total:
        assert take("f:1-").raw == raw
        assert b"".join(take(f"f:{number}").raw for number in range(1, total + 1)) == raw


@pytest.mark.parametrize(
    ("lines", "raw", "first", "last"),
    [
        (":2", b"two\n", 2, 2),
        (":1-2", b"one\ntwo\n", 1, 2),
        (":2-", b"two\nthree", 2, 3),
        (":3", b"three", 3, 3),
        (":1-3", b"one\ntwo\nthree", 1, 3),
    ],
)
def test_an_excerpt_holds_the_lines_that_were_named(
    project: Path, lines: str, raw: bytes, first: int, last: int
) -> None:
    (project / "f").write_bytes(b"one\ntwo\nthree")
    found = take(f"f{lines}")
    assert (found.raw, found.first, found.last, found.total, found.whole) == (raw, first, last, 3, False)
    assert found.lines() == raw.decode().removesuffix("\n").split("\n")


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        (":4", "f has only 3 lines, counted from 1, and no line 4: name lines that it has"),
        (":2-4", "no line 4"),
        (":4-", "no line 4"),
        (":0", "no line 0"),
        (":0-2", "no line 0"),
        (":999999999999", "no line 999999999999"),
    ],
)
def test_lines_that_the_file_does_not_have_are_refused(project: Path, lines: str, says: str) -> None:
    (project / "f").write_bytes(b"one\ntwo\nthree\n")
    with pytest.raises(NoSuchLine, match=says):
        take(f"f{lines}")


def test_an_empty_file_has_no_line_to_name(project: Path) -> None:
    (project / "f").touch()
    with pytest.raises(NoSuchLine, match="only 0 lines"):
        take("f:1-")


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["with blank", "grüße 🎉", "-rf", "--", "new\nline", "*", ":(top)x", "é\udcff", "'\"\\"]
)
def test_odd_names_are_taken_as_they_are(project: Path, name: str) -> None:
    (project / name).write_text("x\n")
    digits = commit(project)
    found = take(name)
    assert (found.path, found.raw, found.commit, found.modified) == (name, b"x\n", digits, False)


def test_a_path_is_told_from_the_project_with_forward_slashes(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    git(project, "init", "-q")
    (project / "a" / "b").mkdir(parents=True)
    (project / "a" / "f").write_text("x")
    monkeypatch.chdir(project / "a" / "b")
    assert take("../f").path == "a/f"
    assert take(str(project / "a" / "f")).path == "a/f"


# --- what leads outside -----------------------------------------------------------------------------------


@pytest.fixture
def outside(project: Path) -> Path:
    """A file beside the project."""
    path = project.parent / "secret"
    path.write_text("secret\n")
    return path


@pytest.mark.parametrize("way", ["../secret", "link", "folder/secret", "{project}/link", "{project}/folder/secret"])
def test_a_way_out_of_the_project_is_refused_with_the_path_to_name(project: Path, outside: Path, way: str) -> None:
    (project / "link").symlink_to(outside)
    (project / "folder").symlink_to(outside.parent)
    with pytest.raises(LeadsOutside) as caught:
        take(way.format(project=project))
    assert f"leads out of the project folder {project}" in str(caught.value)
    assert str(caught.value).endswith(f"name it by its absolute path {outside}")
    assert take(str(outside)).raw == b"secret\n"


def test_an_absolute_path_through_another_name_of_the_project_is_no_way_out(project: Path, outside: Path) -> None:
    (project / "link").symlink_to(outside)
    (project / "sub").mkdir()
    (project / "sub" / "link").symlink_to(outside)
    (project.parent / "alias").symlink_to(project)
    (project.parent / "alias of sub").symlink_to(project / "sub")
    for way in ("alias/link", "alias of sub/link", "project/../project/link"):
        with pytest.raises(LeadsOutside):
            take(str(project.parent / way))


def test_a_file_elsewhere_is_sent_when_it_is_named_by_its_absolute_path(
    project: Path, outside: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(project.parent))
    alias = project.parent / "alias"
    alias.symlink_to(outside)
    for way in (str(outside), "~/secret", str(alias), f"{outside}:1"):
        found = take(way)
        assert (found.path, found.raw) == (str(outside), b"secret\n")


def test_a_folder_whose_name_only_begins_alike_is_outside(project: Path) -> None:
    beside = project.with_name("project-2")
    beside.mkdir()
    (beside / "f").write_text("x")
    with pytest.raises(LeadsOutside):
        take("../project-2/f")


def test_a_link_that_stays_inside_is_the_file_it_leads_to(project: Path) -> None:
    (project / "real").write_text("x")
    (project / "link").symlink_to("real")
    assert take("link").path == "real"


def test_a_relative_path_counts_from_the_directory_one_is_in(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "f").write_text("x")
    monkeypatch.setenv("CLAUDE_PROJECT_DIR", str(project))
    monkeypatch.chdir(project.parent)
    (project.parent / "f").write_text("not this")
    with pytest.raises(LeadsOutside):
        take("f")
    assert take("project/f").path == "f"


# --- what is no text file ---------------------------------------------------------------------------------


def test_only_regular_files_are_read_and_nothing_blocks(project: Path) -> None:
    (project / "dir").mkdir()
    os.mkfifo(project / "fifo")
    (project / "loop").symlink_to("loop")
    for way, kind in {"dir": "a directory", ".": "a directory", "fifo": "a FIFO", "/dev/zero": "a device"}.items():
        with pytest.raises(NotRegular, match=f"^{way} is {kind}: "):
            take(way)
    with pytest.raises(NotRegular, match="loop is a symbolic link"):
        take("loop")


@pytest.mark.parametrize(
    ("raw", "offset"),
    [
        (b"ab\xff", 2),
        (b"ab\0c", 2),
        ("utf-16".encode("utf-16"), 0),
        (b"\xed\xa0\x80", 0),
        (b"a\n" * 50 + b"\x80", 100),
    ],
)
def test_what_is_no_text_is_refused_wherever_the_lines_are(project: Path, raw: bytes, offset: int) -> None:
    (project / "f").write_bytes(raw)
    with pytest.raises(NotText, match=rf"^f is not UTF-8 text \(byte {offset}\): tell its path"):
        take("f:1")


def test_a_file_over_the_limit_is_refused_without_being_read(project: Path) -> None:
    with open(project / "sparse", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(FileTooLarge, match=r"sparse is larger than the limit of 10000 bytes \(setting max_att"):
        take("sparse:1")
    (project / "f").write_bytes(b"x" * LIMIT)
    assert len(take("f").raw) == LIMIT
    (project / "f").write_bytes(b"x" * (LIMIT + 1))
    with pytest.raises(FileTooLarge):
        take("f")


def test_a_file_that_tells_no_size_is_read_to_its_end() -> None:
    assert b"Name:" in take("/proc/self/status").raw


@pytest.mark.parametrize("way", ["none", "none:3", "f/below", "x" * 300, "a/" * 3000])
def test_a_file_that_cannot_be_opened_is_named_as_it_was_written(project: Path, way: str) -> None:
    (project / "f").touch()
    with pytest.raises(DiskError) as caught:
        take(way)
    assert str(caught.value).startswith(f"{way.removesuffix(':3')}: ")


def test_a_file_one_may_not_read_is_said(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "f").write_text("x")

    def denied(*_: object) -> bytes:
        raise PermissionError(errno.EACCES, "denied", "/somewhere")

    monkeypatch.setattr(excerpt.untrusted, "open_regular", denied)
    with pytest.raises(DiskError, match=r"^f: permission denied"):
        take("f")


@pytest.mark.parametrize("way", ["\x1b[31m", "new\nline"])
def test_a_refusal_is_one_harmless_line(project: Path, way: str) -> None:
    for made in (os.mkdir, os.rmdir):
        made(project / way)
        with pytest.raises(BridgeError) as caught:
            take(way)
        assert str(caught.value).isprintable()


# --- git --------------------------------------------------------------------------------------------------


def test_the_commit_is_told_and_whether_the_file_differs_from_it(project: Path) -> None:
    for name in ("same", "changed", "staged", "ignored"):
        (project / name).write_text("1\n")
    (project / ".gitignore").write_text("new ignored\n")
    digits = commit(project)
    for name in ("changed", "staged", "new", "new ignored"):
        (project / name).write_text("2\n")
    git(project, "add", "staged")
    found = {name: take(name) for name in ("same", "changed", "staged", "new", "new ignored", "ignored")}
    assert {one.commit for one in found.values()} == {digits}
    assert {name for name, one in found.items() if one.modified} == {"changed", "staged", "new", "new ignored"}


def test_the_commit_is_that_of_the_repository_the_file_lies_in(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (project / "f").write_text("x")
    commit(project)
    inner = project / "inner"
    inner.mkdir()
    (inner / "f").write_text("y")
    digits = commit(inner)
    monkeypatch.setenv("GIT_DIR", str(project / ".git"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(project / ".git" / "index"))
    found = take("inner/f")
    assert (found.path, found.commit, found.modified) == ("inner/f", digits, False)


def test_line_ends_that_git_converts_are_no_change(project: Path) -> None:
    (project / ".gitattributes").write_text("*.txt text eol=crlf\n")
    (project / "f.txt").write_bytes(b"a\r\nb\r\n")
    commit(project)
    found = take("f.txt")
    assert (found.raw, found.modified) == (b"a\r\nb\r\n", False)


def test_without_a_commit_there_is_none(project: Path) -> None:
    (project / "f").write_text("x")
    assert (take("f").commit, take("f").modified) == (None, False)
    git(project, "init", "-q")
    assert (take("f").commit, take("f").modified) == (None, False)


def test_without_git_there_is_no_commit(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "f").write_text("x")
    commit(project)
    monkeypatch.setenv("PATH", str(project))
    assert take("f").commit is None


@pytest.mark.parametrize("script", ["exit 128", "exec sleep 60", "echo noise >&2; exit 1"])
def test_a_git_that_fails_or_hangs_is_no_git(
    project: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], script: str
) -> None:
    programs = project / "bin"
    programs.mkdir()
    (programs / "git").write_text(f"#!/bin/sh\n{script}\n")
    (programs / "git").chmod(0o755)
    (project / "f").write_text("x")
    monkeypatch.setenv("PATH", f"{programs}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(git_, "_PATIENCE_S", 0.05)
    assert (take("f").raw, take("f").commit) == (b"x", None)
    assert capfd.readouterr() == ("", "")


def test_looking_takes_no_lock_of_git_and_changes_nothing(project: Path) -> None:
    (project / "f").write_text("x")
    commit(project)
    os.utime(project / "f", (1, 1))
    before = {path: path.lstat().st_mtime_ns for path in project.rglob("*")}
    assert take("f").modified is False
    assert {path: path.lstat().st_mtime_ns for path in project.rglob("*")} == before


def test_the_text_that_is_sent_is_the_text_that_is_compared(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The file changes after it was read: what was read is still what the commit has."""
    (project / "f").write_text("committed\n")
    commit(project)
    real = excerpt.untrusted.read_all

    def read_and_change(*words: int) -> bytes:
        raw = real(*words)
        (project / "f").write_text("changed meanwhile\n")
        return raw

    monkeypatch.setattr(excerpt.untrusted, "read_all", read_and_change)
    first = take("f")
    assert (first.raw, first.modified) == (b"committed\n", False)
    second = take("f")
    assert (second.raw, second.modified) == (b"changed meanwhile\n", True)


def test_a_repository_that_came_with_a_clone_runs_nothing(project: Path, tmp_path: Path) -> None:
    """A bare repository among the files of another, whose settings ask for a filter and a monitor."""
    ran = tmp_path / "ran"
    docs = project / "docs"
    (project / "f").write_text("x")
    commit(project)
    for folder in ("refs", "objects"):
        (docs / folder).mkdir(parents=True)
    (docs / "HEAD").write_text("ref: refs/heads/main\n")
    (docs / "config").write_text(
        f"[core]\n\tbare = false\n\tworktree = .\n\tfsmonitor = touch {ran}\n"
        f"[filter 'e']\n\tclean = touch {ran}; cat\n".replace("'", '"')
    )
    (docs / ".gitattributes").write_text("*.md filter=e\n")
    (docs / "notes.md").write_text("hello\n")
    assert take("docs/notes.md").raw == b"hello\n"
    subprocess.run(["git", "-C", str(project), "config", "filter.e.clean", f"touch {ran}; cat"], check=True)
    (project / ".gitattributes").write_text("* filter=e\n")
    take("docs/notes.md")
    assert not ran.exists()


def test_a_link_put_in_the_way_after_the_check_leads_nowhere(
    project: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "outside" / "s.txt").write_text("secret")
    (project / "sub").mkdir()
    (project / "sub" / "s.txt").write_text("plain")
    real = excerpt.untrusted.open_regular

    def swap_and_open(path: str) -> tuple[int, os.stat_result]:
        (project / "sub").rename(project / "was")
        (project / "sub").symlink_to(tmp_path / "outside")
        return real(path)

    monkeypatch.setattr(excerpt.untrusted, "open_regular", swap_and_open)
    with pytest.raises(LeadsOutside):
        take("sub/s.txt")
