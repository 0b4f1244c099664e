"""Processes that tests start: those that run `ai-bridge` come from a template, all others are real starts."""

from __future__ import annotations

import inspect
import os
import signal
import socket
import subprocess
import sys
import threading
from collections import Counter
from pathlib import Path
from typing import Any

from tests.support import flush, template
from tests.support.checkout import ROOT

RealPopen = subprocess.Popen
# The interpreter and the C library read these when they start.
_READ_AT_START = ("PYTHON", "LD_", "LC_", "LANG", "TZ", "MALLOC_", "COV_CORE_", "COVERAGE_")
_BY_CLICK = "from ai_bridge.cli.main import bridge; bridge(prog_name='ai-bridge')"
_FIRST_WORDS = [["-m", "ai_bridge"], ["-c", _BY_CLICK]]
_SCRIPTS = tuple(str(Path(sys.executable).with_name(name)) for name in ("ai-bridge", "ai-collab"))
# So many starts with one environment are worth a template of that environment; and so many are kept.
_WORTH, _MOST_TEMPLATES = 3, 4
_PIPES = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
# What a fork does not do though a caller may ask for it: unless it has this value, the start is a real one.
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
_IS_POSSIBLE = template.is_possible()

AtStart = tuple[tuple[str, str], ...]


def run_from_template(code: str) -> None:
    """Have `python -c code` forked, too; what it starts itself is then forked from it."""
    if ["-c", code] not in _FIRST_WORDS:
        _FIRST_WORDS.append(["-c", code])


# --- the templates of this process --------------------------------------------------------------------------


class _Template:
    """A template process, started with that environment."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._lock = threading.Lock()
        self._channel, theirs = socket.socketpair()
        with theirs:
            number = theirs.fileno()
            words = [sys.executable, "-m", "tests.support.template", str(number)]
            self._process = RealPopen(words, stdin=subprocess.DEVNULL, pass_fds=[number], env=environment, cwd=ROOT)

    def start(self, request: template.Request, descriptors: list[int]) -> int:
        """Have a process forked, as a child of this process; returns its number."""
        with self._lock:
            template.send(self._channel, request, descriptors)
            answer = self._channel.recv(8, socket.MSG_WAITALL)
        assert len(answer) == 8, "the template process has ended"
        return int.from_bytes(answer)

    def end(self) -> None:
        self._channel.close()
        self._process.wait()


_templates: dict[AtStart, _Template] = {}
_asked: Counter[AtStart] = Counter()


def end() -> None:
    """End the templates."""
    while _templates:
        _templates.popitem()[1].end()


def _template_for(environment: dict[str, str]) -> _Template | None:
    key = _at_start(environment)
    _asked[key] += 1
    if key not in _templates and _asked[key] >= _WORTH and len(_templates) < _MOST_TEMPLATES:
        _templates[key] = _Template(environment)
    return _templates.get(key)


def _at_start(environment: dict[str, str]) -> AtStart:
    """Return what of an environment is read at a start."""
    return tuple(sorted(item for item in environment.items() if item[0].startswith(_READ_AT_START)))


# --- the processes ------------------------------------------------------------------------------------------


class Popen(RealPopen):  # type: ignore[type-arg]
    """A `subprocess.Popen` that has its process forked if that is as good as a start."""

    def _execute_child(self, *words: Any, **options: Any) -> None:
        start = super()._execute_child  # type: ignore[misc]
        asked = inspect.signature(start).bind(*words, **options).arguments
        environment = dict(os.environ if asked["env"] is None else asked["env"])
        ends = [asked["p2cread"], asked["c2pwrite"], asked["errwrite"]]
        descriptors = [end if end >= 0 else number for number, end in enumerate(ends)]
        pid = self._forked(_request(asked, environment), descriptors) if _is_plain(asked) else None
        if pid is None:
            start(*words, **options)
            return
        self.pid = pid
        self._child_created = True
        self._close_pipe_fds(*(asked[name] for name in _PIPES))  # type: ignore[attr-defined]

    def _forked(self, request: template.Request, descriptors: list[int]) -> int | None:
        """Return the number of a process that was forked, or None where there is no template for it."""
        found = _template_for(request["environment"])
        return None if found is None else found.start(request, descriptors)


class PopenOfForked(Popen):
    """The same for a process that itself came from a template: it has imported all, and forks itself."""

    started_with: AtStart = ()

    def _forked(self, request: template.Request, descriptors: list[int]) -> int | None:
        if _at_start(request["environment"]) != self.started_with:
            return None
        pid = os.fork()
        if pid == 0:
            template.live(request, descriptors)
        return pid


def fork_what_this_process_starts() -> None:
    """Have this process, which came from a template, fork what it starts."""
    PopenOfForked.started_with = _at_start(dict(os.environ))
    subprocess.Popen = PopenOfForked  # type: ignore[misc]


def _is_plain(asked: dict[str, Any]) -> bool:
    """Tell whether a template can run this command line in this way."""
    words = asked["args"]
    if not _IS_POSSIBLE or not isinstance(words, list | tuple) or not words:
        return False
    if str(words[0]) not in _SCRIPTS and (words[0] != sys.executable or list(words[1:3]) not in _FIRST_WORDS):
        return False
    if any(asked[name] != plain for name, plain in _PLAIN.items()):
        return False
    return os.path.isdir(asked["cwd"] or os.curdir)


def _request(asked: dict[str, Any], environment: dict[str, str]) -> template.Request:
    return {
        "words": [os.fspath(word) for word in asked["args"]],
        "environment": environment,
        "folder": os.path.abspath(asked["cwd"] or os.curdir),
        "umask": _umask(),
        "own_session": asked["start_new_session"],
        "group": asked["process_group"],
        "leaves_out_flushes": flush.is_left_out(),
        "mask": signal.pthread_sigmask(signal.SIG_BLOCK, ()),
    }


def _umask() -> int:
    """Return this process's umask, without a moment in which it is another one."""
    with open("/proc/self/status", "rb") as status:
        (line,) = (line for line in status if line.startswith(b"Umask:"))
    return int(line.split()[1], 8)
