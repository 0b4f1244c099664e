"""A process from the tests' template is what a real start gives; each kind of start is made for real here."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from ai_bridge.mailboxes.tree import Tree
from tests.support import started
from tests.support.command import BY_CLICK, BY_ENTRY
from tests.support.wait import until
from tests.support.wire import hello

SCRIPT = Path(sys.executable).with_name("ai-bridge")
COLLAB = Path(sys.executable).with_name("ai-collab")
LINES: dict[str, tuple[Any, ...]] = {
    "version": (*BY_ENTRY, "--version"),
    "help": (*BY_ENTRY, "--help"),
    "by click": (*BY_CLICK, "config"),
    "by its script": (SCRIPT, "list", "--agent", "gemini"),
    "collab": (COLLAB, "status"),
    "collab's help": (COLLAB, "start", "--help"),
    "a refusal": (*BY_ENTRY, "list", "--agent", "nobody"),
    "a wrong option": (*BY_ENTRY, "list", "--nonsense"),
    "send to nobody": (*BY_ENTRY, "send", "nobody", "--from", "claude"),
    "hook": (*BY_ENTRY, "hook", "gemini"),
    "who I am": (*BY_ENTRY, "status"),
    "health": (*BY_ENTRY, "health"),
}
LOOK = r"""
import json, os, signal, sys, threading
print(json.dumps({
    "parent": os.getppid(), "group": os.getpgrp() == os.getpid(), "session": os.getsid(0) == os.getpid(),
    "folder": os.getcwd(), "environment": dict(os.environ), "argv": sys.argv, "original": sys.orig_argv,
    "path": sys.path, "umask": os.umask(0), "name": __name__, "fds": sorted(os.listdir("/proc/self/fd")),
    "handlers": {name: str(signal.getsignal(getattr(signal, name))) for name in ("SIGINT", "SIGTERM", "SIGPIPE")},
    "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, ())), "threads": threading.active_count(),
    "main": threading.main_thread().native_id == os.getpid() == threading.get_native_id(),
    "streams": [[s.encoding, s.errors, s.line_buffering, s.write_through, s.newlines, s.name, s.mode, s.fileno(),
                 type(s.buffer).__name__] for s in (sys.stdin, sys.stdout, sys.stderr)],
    "input": sys.stdin.read(),
}))
print("to standard error", file=sys.stderr)
"""
started.run_from_template(LOOK)


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    monkeypatch.setattr(started, "_WORTH", 1)


def run(real: bool, words: tuple[Any, ...], text: bytes = b"x", **options: Any) -> tuple[int, bytes, bytes]:
    """Run a command line; returns its exit code and what it printed."""
    kind = started.RealPopen if real else started.Popen
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    with kind(words, **pipes, **options) as process:
        out, err = process.communicate(text, timeout=60)
    return process.returncode, out, err


@pytest.mark.parametrize("line", LINES)
def test_both_answer_the_same(line: str) -> None:
    assert run(False, LINES[line]) == run(True, LINES[line])


@pytest.mark.parametrize("own_session", [False, True])
def test_both_find_the_same_around_them(tmp_path: Path, own_session: bool) -> None:
    options = {"cwd": tmp_path, "env": {**os.environ, "ONLY": "here"}, "start_new_session": own_session}
    words = (sys.executable, "-c", LOOK, "one", "two")
    code, out, err = run(False, words, "grüße\r\n".encode(), **options)
    real = run(True, words, "grüße\r\n".encode(), **options)
    found, expected = json.loads(out), json.loads(real[1])
    assert {name: value for name, value in found.items() if value != expected[name]} == {}
    assert (code, err, found["parent"]) == (real[0], real[2], os.getpid())


def test_both_serve_a_client_and_end_by_its_end_or_a_signal(where: Tree) -> None:
    params = hello({"name": "claude-code", "version": "1"})
    line = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": params}).encode() + b"\n"
    words = (*BY_ENTRY, "mcp")
    assert run(False, words, line) == run(True, words, line)
    for kind in (started.Popen, started.RealPopen):
        process = kind(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        process.stdin.write(line)
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == 1
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
        process.stdin.close()
        process.stdout.close()


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT, signal.SIGTERM])
def test_both_tell_by_which_signal_they_ended(number: signal.Signals, where: Tree) -> None:
    codes = []
    for kind in (started.Popen, started.RealPopen):
        words = (*BY_ENTRY, "wait", "--agent", "gemini")
        with kind(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
            until(lambda pid=process.pid: any("inotify" in name for name in _open_files(pid)))
            process.send_signal(number)
            codes.append(process.wait(30))
    assert codes[0] == codes[1]


def _open_files(pid: int) -> list[str]:
    folder, found = f"/proc/{pid}/fd", []
    for name in os.listdir(folder):
        with suppress(FileNotFoundError):  # closed meanwhile
            found.append(os.readlink(f"{folder}/{name}"))
    return found


def test_an_output_that_nobody_takes_is_the_same_trouble() -> None:
    seen = []
    for kind in (started.Popen, started.RealPopen):
        ours, theirs = os.pipe()
        os.close(ours)
        with kind((*BY_ENTRY, "config"), stdout=theirs, stderr=subprocess.PIPE) as process:
            os.close(theirs)
            seen.append((process.communicate(timeout=60)[1], process.returncode))
    assert seen[0] == seen[1]


@pytest.mark.skipif(not started.template.is_possible(), reason="this system has no such fork")
def test_what_the_template_cannot_show_is_started_for_real(monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[tuple[tuple[Any, ...], dict[str, Any]]] = [
        ((sys.executable, "-P", "-m", "ai_bridge", "--version"), {}),
        ((sys.executable, "-c", "print('any code')"), {}),
        ((*BY_ENTRY, "--version"), {"pass_fds": (0,)}),
        ((*BY_ENTRY, "--version"), {"executable": sys.executable}),
    ]
    forked: list[Any] = []
    monkeypatch.setattr(started.Popen, "_forked", lambda self, request, descriptors: forked.append(request))
    for words, options in lines:
        assert run(False, words, **options)[0] == 0
    assert forked == []
    assert run(False, (*BY_ENTRY, "--version"))[0] == 0
    assert len(forked) == 1


def test_no_template_outlives_who_started_it() -> None:
    script = (
        "import os, subprocess, sys\n"
        "from tests.support import started\n"
        "started._WORTH = 1\n"
        "done = started.Popen([sys.executable, '-m', 'ai_bridge', '--version'], stdout=subprocess.DEVNULL)\n"
        "assert done.wait() == 0\n"
        "(one,) = started._templates.values()\n"
        "print(one._process.pid, flush=True)\n"
        "os.kill(os.getpid(), 9)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=started.ROOT, capture_output=True, check=False)
    assert done.returncode == -9, done.stderr
    until(lambda: _has_ended(int(done.stdout)))


def _has_ended(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] in "ZX"
    except FileNotFoundError:
        return True
