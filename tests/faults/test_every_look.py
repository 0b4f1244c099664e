"""Each call by which a command looks at the disk fails once: the command reports it at most, and nothing is lost."""

from __future__ import annotations

import builtins
import errno
import io
import os
import re
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ai_bridge.cli import common, entry, main, reader  # noqa: F401 - each child would import them
from ai_bridge.cli.commands import mail, router, show  # noqa: F401 - each child would import them
from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import MALFORMED, READ, REASON
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.mail import post, route, states

pytestmark = pytest.mark.sweeps

ERRNOS = (errno.EIO, errno.EACCES, errno.EMFILE, errno.ESTALE, errno.ENOSPC, errno.ENOMEM)
BY_PATH = (
    *("open", "stat", "lstat", "scandir", "listdir", "mkdir", "unlink", "rename", "replace", "link"),
    *("utime", "chmod"),
)
BY_DESCRIPTOR = ("read", "write", "fstat", "fsync", "ftruncate", "lseek", "close")


class Faults:
    """Counts the calls that concern what lies under `bases`; the one of number `at` fails."""

    def __init__(self, bases: list[str], at: int, number: int) -> None:
        self._bases = tuple(bases)
        self._at = at
        self._number = number
        self._ours: set[int] = set()
        self.calls = 0

    def install(self) -> None:
        """Stand in for the calls, in this process, for good."""
        for name in (*BY_PATH, *BY_DESCRIPTOR):
            setattr(os, name, self._wrapped(name, getattr(os, name)))
        real = builtins.open

        def open_(file: Any, *args: Any, **kwargs: Any) -> Any:
            if isinstance(file, str) and self._is_ours(file):
                self._count(file)
            return real(file, *args, **kwargs)

        builtins.open = io.open = open_  # type: ignore[assignment]

    def _wrapped(self, name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def call(*args: Any, **kwargs: Any) -> Any:
            if not args or not self._is_ours(args[0]):
                return real(*args, **kwargs)
            if name == "close":
                self._ours.discard(args[0])
                real(*args)
                self._count(None)
                return None
            self._count(args[0] if isinstance(args[0], str) else None)
            result = real(*args, **kwargs)
            if name == "open":
                self._ours.add(result)
            return result

        return call

    def _is_ours(self, what: object) -> bool:
        return what in self._ours if isinstance(what, int) else str(what).startswith(self._bases)

    def _count(self, path: str | None) -> None:
        self.calls += 1
        if self.calls == self._at:
            raise OSError(self._number, os.strerror(self._number), *([path] if path else []))


class Done:
    """What a command came to: its exit code, what it said, and whether the call that was to fail was made."""

    def __init__(self, code: int, out: str, err: str, reached: bool) -> None:
        self.code, self.out, self.err, self.reached = code, out, err, reached


def _run(tmp_path: Path, bases: list[str], at: int, words: tuple[str, ...]) -> Done:
    """Run a command in a child of this process, with that call failing."""
    files = [tmp_path / name for name in ("out", "err", "calls")]
    child = os.fork()
    if child == 0:
        code = 70
        try:
            for fd, file in enumerate(files[:2], 1):
                os.dup2(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), fd)
            sys.stdout = sys.__stdout__ = open(1, "w", encoding="utf-8")  # type: ignore[misc]  # noqa: SIM115
            sys.argv = ["ai-bridge", *words]
            code = _inner(bases, at, files[2])
        except BaseException:
            os.write(2, traceback.format_exc().encode())
        finally:
            os._exit(code)
    code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    out, err, calls = (file.read_text() for file in files)
    return Done(code, out, err, int(calls) >= at)


def _inner(bases: list[str], at: int, calls: Path) -> int:
    faults, noted = Faults(bases, at, ERRNOS[at % len(ERRNOS)]), os.open(calls, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    faults.install()
    try:
        entry.ai_bridge()
    except SystemExit as end:
        sys.stdout.flush()
        return end.code if isinstance(end.code, int) else 0 if end.code is None else 71
    finally:
        os.pwrite(noted, str(faults.calls).encode(), 0)
    return 72


LOOKS = {
    "list": (("list", "--agent", "gemini"), 0),
    "list, in JSON": (("list", "--agent", "gemini", "--json"), 0),
    "show": (("show", "FIRST"), 0),
    "show, raw": (("show", "--raw", "FIRST"), 0),
    "status": (("status", "--agent", "gemini"), 0),
    "status of a message": (("status", "SECOND"), 0),
    "health": (("health",), 1),
    "peek": (("read", "--agent", "gemini", "--peek"), 0),
}
READS = {"read": ("read", "--agent", "gemini"), "read, in JSON": ("read", "--agent", "gemini", "--json")}


def _prepare(base: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> tuple[Tree, list[str]]:
    """Make mailboxes with one message that is unread, and one that is dropped; returns their IDs, too."""
    monkeypatch.setenv("AI_BRIDGE_STATE", str(base / "state"))
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", str(base / "mailboxes"))
    where = Tree(str(base / "mailboxes"))
    where.make(["claude", "gemini"])
    first = post(where, "one")
    route(where, settings)
    return where, [first, post(where, "two")]


def _bases(base: Path) -> list[str]:
    return [str(base / "mailboxes"), str(base / "state")]


def _check_said(done: Done, usual: int) -> None:
    """At most one sentence, and one wherever the command was refused."""
    assert "Traceback" not in done.err
    assert done.code in (0, 1, 2, usual)
    assert re.fullmatch(r"([^\n]+\n)?", done.err)
    if done.code == 1 != usual:
        assert done.err.startswith("error: ")


@pytest.mark.parametrize("case", LOOKS)
def test_a_look_that_fails_says_why_and_changes_nothing(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    where, (first, second) = _prepare(tmp_path, settings, monkeypatch)
    words, usual = LOOKS[case]
    words = tuple({"FIRST": first, "SECOND": second}.get(word, word) for word in words)
    at, reached = 0, True
    while reached:
        at += 1
        done = _run(tmp_path, _bases(tmp_path), at, words)
        _check_said(done, usual)
        assert "standard output" not in done.err
        assert _everywhere(where) == sorted([first, second])
        reached = done.reached
    assert done.code == usual
    assert READ not in states(where, "claude")
    assert at > 5


@pytest.mark.parametrize("case", READS)
def test_a_read_that_fails_acknowledges_only_what_it_showed_and_the_next_one_goes_on(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    at, reached = 0, True
    while reached:
        at += 1
        where, ids = _prepare(tmp_path / str(at), settings, monkeypatch)
        done = _run(tmp_path, _bases(tmp_path / str(at)), at, READS[case])
        _check_said(done, 0)
        assert _everywhere(where) == sorted(ids)
        read = {label(name)[0] for name in states(where, "claude").get(READ, [])}
        assert {id_ for id_ in read if id_ not in done.out} == set()
        left = {one.id for one in fetch(where, "gemini", settings)}
        aside = _set_aside(where)
        assert len(read) + len(left) + len(aside) == len(read | left | aside) == len(ids)
        reached = done.reached
    assert read == set(ids)
    assert at > 20


def _set_aside(where: Tree) -> set[str]:
    """Return the messages that the pass rejected: only one whose file this user may not read."""
    outbox = where.outbox("claude")
    names = states(where, "claude").get(MALFORMED, [])
    assert all("may not be read" in Path(outbox.file(MALFORMED, name) + REASON).read_text() for name in names)
    return {label(name)[0] for name in names}


def _everywhere(where: Tree) -> list[str]:
    """Return the ID of every message file there is, in whatever state."""
    return sorted(label(name)[0] for names in states(where, "claude").values() for name in names)
