"""The one module that changes the disk: whole or absent, never replacing, whichever call fails."""

from __future__ import annotations

import errno
import os
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.drop import drop, drop_all
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable
from tests.support.disk import FaultyOs
from tests.support.mail import LIMIT, post, send, send_batch

pytestmark = pytest.mark.real_flush

Rename = Callable[[str, str], object]


def _unsupported(name: str) -> Callable[..., int] | None:
    return None


def _without_renameat2(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "find_function", _unsupported)


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


def _recorded(monkeypatch: pytest.MonkeyPatch) -> FaultyOs:
    """Have every call that changes the disk noted from now on, those of the C library, too."""
    seen, real = FaultyOs(), durable.find_function

    def noted(name: str) -> Callable[..., int] | None:
        found = real(name)
        return seen.wrapped(name, found) if found is not None else None

    monkeypatch.setattr(durable, "os", seen)
    monkeypatch.setattr(durable, "find_function", noted)
    return seen


SENDS: dict[str, tuple[Callable[[Tree], object], int]] = {
    "one": (lambda where: send(where, "claude", Draft(["gemini"], "x"), LIMIT), 1),
    "to two": (lambda where: send(where, "claude", Draft(["gemini", "codex"], "x"), LIMIT), 2),
    "to three": (lambda where: send(where, "claude", Draft(["*"], "x"), LIMIT), 3),
    "a batch": (lambda where: send_batch(where, "claude", [Draft(["gemini"], "x") for _ in range(4)], LIMIT), 4),
    "a batch of a link": (
        lambda where: drop_all(where.outbox("claude"), [(f"{n}.gemini.txt", b"x") for n in range(5)]),
        5,
    ),
    "a copy": (lambda where: drop(where.outbox("claude"), "m.gemini.txt", b"x", 1), 1),
}


@pytest.mark.parametrize("way", SENDS)
@pytest.mark.parametrize("has_syncfs", [True, False])
def test_every_way_to_send_flushes_what_was_written_before_it_is_published_and_its_names_after(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, has_syncfs: bool
) -> None:
    where, (act, files) = Tree(str(tmp_path / "m")), SENDS[way]
    where.make(["claude", "gemini", "codex", "mini"])
    post(where)  # the first one makes the directory of what was issued, too
    if not has_syncfs:
        _without_renameat2(monkeypatch)
    before, seen = len(os.listdir("/proc/self/fd")), _recorded(monkeypatch)
    act(where)
    monkeypatch.undo()
    order = [call for call in seen.calls if call in ("write", "fsync", "syncfs", "link")]
    flushes = ["syncfs"] if has_syncfs and files > 2 else ["fsync"] * files
    assert order == [*["write"] * files, *flushes, *["link"] * files, "fsync"]
    assert len(os.listdir("/proc/self/fd")) == before


def test_every_directory_that_is_made_has_its_name_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(durable, "flush_directory", flushed.append)
    assert durable.make_directory(str(tmp_path / "a" / "b" / "c"))
    assert flushed == [str(tmp_path), str(tmp_path / "a"), str(tmp_path / "a" / "b")]
    assert not durable.make_directory(str(tmp_path / "a" / "b"))
    assert len(flushed) == 3


def test_an_own_file_is_flushed_before_it_replaces_and_its_name_after_but_not_a_cache(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen = _recorded(monkeypatch)
    durable.replace_own(str(tmp_path / "a"), b"answered")
    assert seen.calls == ["open", "write", "fsync", "close", "replace", "open", "fsync", "close"]
    seen.calls.clear()
    durable.replace_own(str(tmp_path / "a"), b"cached", flush=False)
    assert seen.calls == ["open", "write", "close", "replace"]
    assert (tmp_path / "a").read_bytes() == b"cached"


def test_what_a_thread_of_the_same_number_left_that_died_is_removed(tmp_path: Path) -> None:
    left = tmp_path / f"a.{os.getpid()}-{threading.get_ident()}.new"
    left.write_bytes(b"half")
    durable.replace_own(str(tmp_path / "a"), b"whole")
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a", b"whole")]


def test_what_is_removed_for_good_has_its_name_flushed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "a").touch()
    seen = _recorded(monkeypatch)
    assert durable.remove(str(tmp_path / "a"), flush=True)
    assert seen.calls == ["unlink", "open", "fsync", "close"]
    assert not durable.remove(str(tmp_path / "a"), flush=True)


@pytest.mark.parametrize("number", [errno.EINVAL, errno.EIO])
def test_only_a_file_system_that_knows_no_flush_of_directories_is_forgiven_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(path: str) -> None:
        raise OSError(number, os.strerror(number), path)

    monkeypatch.setattr(durable, "flush_directory", refuse)
    if number == errno.EINVAL:
        durable.replace_own(str(tmp_path / "a"), b"x")
    else:
        with pytest.raises(OSError, match="Input/output"):
            durable.replace_own(str(tmp_path / "a"), b"x")
    assert (tmp_path / "a").read_bytes() == b"x"


def test_one_message_is_written_flushed_published_and_its_directory_flushed_in_this_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where = Tree(str(tmp_path))
    where.make(["claude", "gemini"])
    post(where)  # the first one makes the directory of what was issued, too
    seen = FaultyOs()
    monkeypatch.setattr(durable, "os", seen)
    post(where)
    order = [call for call in seen.calls if call in ("write", "fsync", "link", "unlink")]
    assert order == ["write", "fsync", "link", "unlink", "fsync"]


# --- removing a directory with all in it ------------------------------------------------------------------


def _filled(base: Path) -> Path:
    """Return a directory with files, folders and links that lead out of it, to `kept` beside it."""
    (base / "kept").mkdir()
    (base / "kept" / "file").write_text("kept")
    tree = base / "tree"
    (tree / "a" / "b").mkdir(parents=True)
    (tree / "a" / "b" / "file").write_text("x")
    (tree / "a" / "closed").write_text("x")
    (tree / "a" / "closed").chmod(0o400)
    (tree / "to-folder").symlink_to(base / "kept")
    (tree / "a" / "to-file").symlink_to(base / "kept" / "file")
    (tree / "dangling").symlink_to("nowhere")
    os.mkfifo(tree / "fifo")
    return tree


def test_a_tree_goes_with_all_in_it_and_what_its_links_lead_to_stays(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(durable, "flush_directory", flushed.append)
    durable.remove_tree(str(_filled(tmp_path)))
    assert [path.name for path in tmp_path.iterdir()] == ["kept"]
    assert (tmp_path / "kept" / "file").read_text() == "kept"
    assert flushed == [str(tmp_path)]


def test_a_link_to_a_tree_is_refused_and_so_is_a_tree_that_is_gone(tmp_path: Path) -> None:
    tree, link = _filled(tmp_path), tmp_path / "link"
    link.symlink_to(tree)
    before = sorted(tree.rglob("*"))
    with pytest.raises(OSError, match="symbolic links") as caught:
        durable.remove_tree(str(link))
    assert (caught.value.errno, caught.value.filename) == (errno.ELOOP, str(link))
    assert (sorted(tree.rglob("*")), link.is_symlink()) == (before, True)
    with pytest.raises(FileNotFoundError):
        durable.remove_tree(str(tmp_path / "gone"))


@pytest.mark.parametrize("place", ["tree", "tree/a/b"])
def test_nothing_goes_if_something_is_mounted_in_the_tree(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    tree = _filled(tmp_path)
    before = sorted(tree.rglob("*"))
    monkeypatch.setattr(os.path, "ismount", lambda path: path == str(tmp_path / place))
    with pytest.raises(OSError, match="busy") as caught:
        durable.remove_tree(str(tree))
    assert caught.value.filename == str(tmp_path / place)
    assert sorted(tree.rglob("*")) == before


def test_a_tree_that_could_not_go_at_once_goes_the_next_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tree = _filled(tmp_path)
    kept = os.rmdir

    def refuse(path: str, *args: object, **words: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    monkeypatch.setattr(os, "rmdir", refuse)
    with pytest.raises(OSError, match="Input/output"):
        durable.remove_tree(str(tree))
    assert tree.exists()
    monkeypatch.setattr(os, "rmdir", kept)
    durable.remove_tree(str(tree))
    assert not tree.exists()
