"""Attachments: durable and whole under the name of their content, never replaced, and checked before use."""

from __future__ import annotations

import errno
import hashlib
import os
import time
from pathlib import Path

import pytest

from ai_bridge.errors import DiskError
from ai_bridge.mailboxes import attachments
from ai_bridge.mailboxes.attachments import AlteredAttachment, AmbiguousHash, NoSuchAttachment
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import context
from ai_bridge.system import durable
from tests.support.disk import ERRNOS, FaultyOs


def put(where: Tree, raw: bytes, path: str = "f.py", owner: str = "claude") -> str:
    """Store one content; returns its hash."""
    hash_ = hashlib.sha256(raw).hexdigest()
    attachments.store(where.outbox(owner), {context.file_name(hash_, path): raw})
    return hash_


def lying(where: Tree, owner: str = "claude") -> dict[str, bytes]:
    """Return what lies in an outbox as attached, by name."""
    return {path.name: path.read_bytes() for path in Path(where.outbox(owner).attached).iterdir()}


# --- names ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "ending"),
    [
        ("src/a.py", ".py"),
        ("a.tar.gz", ".gz"),
        ("A.MD", ".MD"),
        ("a", ""),
        (".bashrc", ""),
        ("a.", ""),
        ("a.much-too-long", ""),
        ("a.endless99", ""),
        ("a.p y", ""),
        ("a.\u00e9", ""),
        ("a.py\n", ""),
    ],
)
def test_an_attachment_keeps_the_ending_of_its_file_if_that_is_short_and_plain(path: str, ending: str) -> None:
    assert context.file_name("0" * 64, path) == "0" * 64 + ending


@pytest.mark.parametrize(
    ("text", "may_be"),
    [
        ("0" * 64, True),
        ("01abCDEF", True),
        ("sha256:01abcdef", True),
        ("0" * 7, False),
        ("0" * 65, False),
        ("01abcdeg", False),
        ("01abcdef\n", False),
        ("claude-20261122-032405-271828-k7f2", False),
        ("", False),
    ],
)
def test_at_least_eight_digits_may_be_a_hash(text: str, may_be: bool) -> None:
    assert context.is_hash(text) is may_be


# --- storing ----------------------------------------------------------------------------------------------


def test_a_content_lies_under_its_hash_and_the_same_again_is_one_file(where: Tree) -> None:
    hash_ = put(where, b"x\n")
    os.utime(where.outbox("claude").attached + f"/{hash_}.py", (1, 1))
    before = os.stat(where.outbox("claude").attached + f"/{hash_}.py")
    assert put(where, b"x\n") == hash_
    assert lying(where) == {f"{hash_}.py": b"x\n"}
    after = os.stat(where.outbox("claude").attached + f"/{hash_}.py")
    assert (after.st_ino, after.st_size) == (before.st_ino, before.st_size)
    assert after.st_mtime > time.time() - 3600  # it counts as new, so that nobody deletes it before its message comes
    assert os.listdir(where.outbox("claude").temporary) == []


def test_a_content_is_flushed_before_it_is_published_and_its_directory_after(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(where, b"first")
    seen = FaultyOs()
    monkeypatch.setattr(durable, "os", seen)
    put(where, b"second")
    assert [call for call in seen.calls if call in ("write", "fsync", "link")] == ["write", "fsync", "link", "fsync"]


def test_nothing_to_store_makes_no_directory(where: Tree) -> None:
    attachments.store(where.outbox("claude"), {})
    assert not os.path.exists(where.outbox("claude").attached)


def test_an_outbox_of_the_older_layout_gets_what_it_lacks(where: Tree) -> None:
    os.rmdir(where.outbox("claude").temporary)
    put(where, b"x")
    assert len(lying(where)) == 1


def test_storing_makes_no_agent(where: Tree) -> None:
    with pytest.raises(DiskError, match="nobody-outbox: it does not exist"):
        put(where, b"x", owner="nobody")
    assert where.agents() == ["claude", "gemini"]


@pytest.mark.parametrize("number", ERRNOS)
@pytest.mark.parametrize("call", ["open", "write", "fsync", "link"])
def test_a_disk_that_refuses_is_said_and_nothing_is_left_half_done(
    where: Tree, monkeypatch: pytest.MonkeyPatch, call: str, number: int
) -> None:
    put(where, b"before")
    monkeypatch.setattr(durable, "os", FaultyOs(fail={call: number}))
    with pytest.raises(DiskError):
        put(where, b"x" * 100_000)
    assert list(lying(where).values()) == [b"before"]
    assert os.listdir(where.outbox("claude").temporary) == []


def test_where_another_is_first_with_the_same_content_that_is_fine(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = durable.publish

    def second(temporary: str, final: str) -> None:
        Path(final).write_bytes(Path(temporary).read_bytes())
        real(temporary, final)

    monkeypatch.setattr(durable, "publish", second)
    hash_ = put(where, b"x")
    assert lying(where) == {f"{hash_}.py": b"x"}
    assert os.listdir(where.outbox("claude").temporary) == []


def test_without_hard_links_a_content_is_published_all_the_same(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(durable, "os", FaultyOs(fail={"link": errno.EPERM}))
    hash_ = put(where, b"x")
    assert lying(where) == {f"{hash_}.py": b"x"}


@pytest.mark.parametrize("kind", ["altered", "empty", "fifo", "link", "directory"])
def test_a_name_that_holds_something_else_is_never_replaced_nor_believed(where: Tree, kind: str) -> None:
    hash_ = put(where, b"x")
    path = Path(where.outbox("claude").attached, f"{hash_}.py")
    path.unlink()
    if kind == "fifo":
        os.mkfifo(path)
    elif kind == "link":
        path.symlink_to("/dev/zero")
    elif kind == "directory":
        path.mkdir()
    else:
        path.write_bytes(b"y" if kind == "altered" else b"")
    before = path.lstat().st_ino
    for attempt in (lambda: put(where, b"x"), lambda: attachments.find(where, hash_)):
        with pytest.raises(AlteredAttachment, match=r"no longer holds what was attached: remove it, and"):
            attempt()
    assert path.lstat().st_ino == before
    assert os.listdir(where.outbox("claude").temporary) == []


# --- finding ----------------------------------------------------------------------------------------------


def test_an_attachment_is_found_by_its_hash_or_the_beginning_in_any_outbox(where: Tree) -> None:
    hash_ = put(where, b"x", owner="gemini")
    put(where, b"y")
    path = f"{where.outbox('gemini').attached}/{hash_}.py"
    for text in (hash_, hash_[:8], hash_[:20].upper(), f"sha256:{hash_}"):
        assert attachments.find(where, text) == path


@pytest.mark.parametrize("text", ["00000000", "0" * 64, "0", "", "../../etc/passwd", "x" * 300, "*"])
def test_what_is_no_attachment_is_refused(where: Tree, text: str) -> None:
    put(where, b"x")
    with pytest.raises(NoSuchAttachment, match=r"there is no attachment .* names it$"):
        attachments.find(where, text)


def test_a_beginning_of_several_hashes_is_refused_if_each_has_its_content(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    hash_ = put(where, b"x")
    other = hash_[:10] + "0" * 54
    Path(where.outbox("gemini").attached).mkdir()
    Path(where.outbox("gemini").attached, other).write_bytes(b"")
    assert attachments.find(where, hash_[:10]).endswith(f"{hash_}.py"), "the other is not what its name says"
    monkeypatch.setattr(attachments, "_is_held", lambda *_: True)
    with pytest.raises(AmbiguousHash, match=f"^{hash_[:10]} begins the hashes of 2 attachments: give more"):
        attachments.find(where, hash_[:10])
    assert attachments.find(where, hash_[:11]).endswith(f"{hash_}.py")


def test_of_several_files_of_one_content_one_that_still_has_it_is_found(where: Tree) -> None:
    hash_ = put(where, b"x", "a.md")
    put(where, b"x", "a.py", owner="gemini")
    Path(where.outbox("claude").attached, f"{hash_}.md").write_bytes(b"altered")
    assert attachments.find(where, hash_[:12]) == f"{where.outbox('gemini').attached}/{hash_}.py"


def test_a_file_that_is_larger_than_any_attachment_is_not_read(where: Tree) -> None:
    hash_ = put(where, b"x")
    with open(f"{where.outbox('claude').attached}/{hash_}.py", "wb") as file:
        file.truncate(1 << 40)
    with pytest.raises(AlteredAttachment):
        attachments.find(where, hash_)


def test_what_is_no_attachment_among_them_is_passed_over(where: Tree) -> None:
    hash_ = put(where, b"x")
    for name in (f"{hash_}.not-plain", hash_.upper(), f"{hash_[:63]}", f".{hash_}", "note.txt"):
        Path(where.outbox("claude").attached, name).write_bytes(b"")
    Path(where.outbox("gemini").attached).write_bytes(b"a file")
    assert attachments.find(where, hash_[:8]).endswith(f"{hash_}.py")


def test_an_attachment_one_may_not_read_is_said(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    hash_ = put(where, b"x")

    def denied(path: str) -> tuple[int, os.stat_result]:
        raise PermissionError(errno.EACCES, "denied", path)

    monkeypatch.setattr(attachments.untrusted, "open_regular", denied)
    with pytest.raises(DiskError, match=r"\.py: permission denied"):
        attachments.find(where, hash_)
