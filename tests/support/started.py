"""Processes that tests start: those that run `ai-bridge` come from a template, all others are real starts."""

from __future__ import annotations

import inspect
import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

from tests.support import template
from tests.support.checkout import ROOT

RealPopen = subprocess.Popen
# The interpreter and the C library read these when they start.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "COV_CORE_", "COVERAGE_")
_BY_CLICK = "from ai_bridge.cli.main import bridge; bridge(prog_name='ai-bridge')"
_FIRST_WORDS = (["-m", "ai_bridge"], ["-c", _BY_CLICK])
_SCRIPTS = tuple(str(Path(sys.executable).with_name(name)) for name in ("ai-bridge", "ai-collab"))
_MOST_TEMPLATES = 3


class _Template:
    """One template process, whose environment says `at_start` of what is read at a start."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._lock = threading.Lock()
        self._channel, theirs = socket.socketpair()
        words = [sys.executable, "-m", "tests.support.template", str(theirs.fileno())]
        self._process = RealPopen(
            words, stdin=subprocess.DEVNULL, pass_fds=[theirs.fileno()], env=environment, cwd=ROOT
        )
        theirs.close()

    def start(self, request: template.Request, descriptors: list[int]) -> int:
        """Have a process forked; returns its number."""
        with self._lock:
            template.send(self._channel, request, descriptors)
            return int.from_bytes(self._channel.recv(8, socket.MSG_WAITALL))

    def end(self) -> None:
        """End the template."""
        self._channel.close()
        self._process.wait()


_templates: dict[tuple[tuple[str, str], ...], _Template] = {}
_IS_POSSIBLE = template.is_possible()


def end() -> None:
    """End the templates."""
    while _templates:
        _templates.popitem()[1].end()


class Popen(subprocess.Popen):  # type: ignore[type-arg]
    """A `subprocess.Popen` that has its process forked where the template is a faithful stand-in for a start."""

    def _execute_child(self, *words: Any, **options: Any) -> None:
        start = super()._execute_child  # type: ignore[misc]
        asked = inspect.signature(start).bind(*words, **options).arguments
        environment = dict(os.environ if asked["env"] is None else asked["env"])
        found = _template_for(asked, environment)
        if found is None:
            start(*words, **options)
            return
        request = {
            "words": [os.fspath(word) for word in asked["args"]],
            "environment": environment,
            "folder": os.fspath(asked["cwd"] or os.getcwd()),
            "umask": _umask(),
            "own_session": asked["start_new_session"],
            "group": asked["process_group"],
            "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
        }
        ends = (asked["p2cread"], asked["c2pwrite"], asked["errwrite"])
        self.pid = found.start(request, [end if end >= 0 else number for number, end in enumerate(ends)])
        self._child_created = True
        self._close_pipe_fds(*(asked[name] for name in _PIPES))  # type: ignore[attr-defined]


_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
# What a caller may have asked for that a fork from the template does not do: its default, or the start is a real one.
_PLAIN = {
    "executable": None,
    "preexec_fn": None,
    "close_fds": True,
    "pass_fds": (),
    "shell": False,
    "restore_signals": True,
    "gid": None,
    "gids": None,
    "uid": None,
    "umask": -1,
}


def _template_for(asked: dict[str, Any], environment: dict[str, str]) -> _Template | None:
    """Return the template that can stand in for this start, or None for one that must be real."""
    if not _IS_POSSIBLE or not _is_ours(asked["args"]):
        return None
    if any(asked[name] not in (plain, ()) for name, plain in _PLAIN.items()):
        return None
    if not os.path.isdir(asked["cwd"] or os.getcwd()):
        return None
    key = tuple(sorted(item for item in environment.items() if item[0].startswith(_READ_AT_START)))
    if key not in _templates and len(_templates) < _MOST_TEMPLATES:
        _templates[key] = _Template(environment)
    return _templates.get(key)


def _is_ours(words: Any) -> bool:
    """Tell whether a command line is one that the template can run."""
    if not isinstance(words, list | tuple) or not words:
        return False
    return str(words[0]) in _SCRIPTS or (words[0] == sys.executable and list(words[1:3]) in _FIRST_WORDS)


def _umask() -> int:
    """Return this process's umask, without a moment in which it is another one."""
    with open("/proc/self/status", "rb") as status:
        (line,) = (line for line in status if line.startswith(b"Umask:"))
    return int(line.split()[1], 8)
