"""The template process: it has imported what the commands need, and forks a ready process for each that is asked for.

A new interpreter takes most of the time that a short test has: 0.2 s for a command, 1 s for a server. The process
that is forked here begins in a few milliseconds. It is a child of whoever asked (CLONE_PARENT), has that one's
environment, folder, umask and three descriptors, and runs the same entry points.

A process from the template cannot show: what a start imports and how long it takes; what the interpreter makes of
its flags and its PYTHON variables; what happens if a standard descriptor is closed; a command line of its own in
`ps`; a hash seed of its own. Tests of these start a real interpreter.

Run as `python -m tests.support.template DESCRIPTOR`, the descriptor being a UNIX stream socket. The process has one
thread, and ends at the socket's end.
"""

from __future__ import annotations

import atexit
import ctypes
import gc
import importlib.util
import io
import os
import pickle
import pkgutil
import platform
import runpy
import signal
import socket
import struct
import sys
import threading
import types
from typing import Any

# What is imported before the first fork, besides all of `ai_bridge`.
_NEEDED = ("click", "mcp.server.stdio", "mcp.server.lowlevel", "mcp_types", "anyio._backends._asyncio", "watchdog")
_WANTED = ("nats",)
_SIZE = struct.Struct("!Q")
_PR_GET_TID_ADDRESS = 40
_CLONE_PARENT, _CLONE_CHILD_CLEARTID, _CLONE_CHILD_SETTID = 0x8000, 0x200000, 0x1000000
# The number of clone(2), and the place of `child_tid` among its arguments.
_CLONE = {"x86_64": (56, 3), "aarch64": (220, 4)}

Request = dict[str, Any]


# --- what goes over the socket ------------------------------------------------------------------------------


def send(channel: socket.socket, request: Request, descriptors: list[int]) -> None:
    """Ask for a process with these descriptors as its standard input, output and error."""
    raw = pickle.dumps(request)
    socket.send_fds(channel, [_SIZE.pack(len(raw))], descriptors)
    channel.sendall(raw)


def _receive(channel: socket.socket) -> tuple[Request, list[int]] | None:
    """Return the next request and its descriptors, or None at the socket's end."""
    head, descriptors, _, _ = socket.recv_fds(channel, _SIZE.size, 3)
    if len(head) < _SIZE.size:
        return None
    with channel.makefile("rb", buffering=0) as stream:
        raw = b""
        size = _SIZE.unpack(head)[0]
        while len(raw) < size:
            part = stream.read(size - len(raw))
            if not part:
                return None
            raw += part
    request: Request = pickle.loads(raw)
    return request, descriptors


# --- the fork -----------------------------------------------------------------------------------------------


def is_possible() -> bool:
    """Tell whether this system can fork a process for its parent."""
    return sys.platform == "linux" and platform.machine() in _CLONE and _tid_address() is not None


def _tid_address() -> int | None:
    """Return where the C library keeps this thread's number: a fork must write the new one there."""
    address = ctypes.c_void_p()
    failed = ctypes.PyDLL(None).prctl(_PR_GET_TID_ADDRESS, ctypes.byref(address), 0, 0, 0)
    return None if failed else address.value


def _fork_for_parent() -> int:
    """Do what `os.fork` does, but have the parent of this process for the parent of the new one."""
    number, place = _CLONE[platform.machine()]
    flags = _CLONE_PARENT | _CLONE_CHILD_SETTID | _CLONE_CHILD_CLEARTID | signal.SIGCHLD
    words = [ctypes.c_long(value) for value in (number, flags, 0, 0, 0, 0)]
    words[place + 1] = ctypes.c_long(_tid_address() or 0)
    python = ctypes.pythonapi
    call = ctypes.PyDLL(None, use_errno=True).syscall
    call.restype = ctypes.c_long
    python.PyOS_BeforeFork()
    pid: int = call(*words)
    if pid == 0:
        python.PyOS_AfterFork_Child()
    else:
        python.PyOS_AfterFork_Parent()
    if pid < 0:
        raise OSError(ctypes.get_errno(), "clone")
    return pid


# --- the new process ----------------------------------------------------------------------------------------


def _become(request: Request, descriptors: list[int]) -> None:
    """Make this process one that was just started with these words, environment, folder and descriptors."""
    for number, descriptor in enumerate(descriptors):
        os.dup2(descriptor, number, inheritable=True)
    os.closerange(3, max(int(name) for name in os.listdir("/proc/self/fd")) + 1)
    os.environ.clear()
    os.environ.update(request["environment"])
    os.umask(request["umask"])
    if request["folder"] is not None:
        os.chdir(request["folder"])
    if request["own_session"]:
        os.setsid()
    elif request["group"] >= 0:
        os.setpgid(0, request["group"])
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.pthread_sigmask(signal.SIG_SETMASK, request["mask"])
    _open_streams()


def _open_streams() -> None:
    """Open the three standard streams as the interpreter does at its start."""
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        was = getattr(sys, name)
        is_raw = isinstance(was.buffer, io.RawIOBase)  # with PYTHONUNBUFFERED
        raw: Any = open(number, "wb" if number else "rb", 0 if is_raw else -1, closefd=False)  # noqa: SIM115 - it stays
        lines = number == 2 or raw.isatty()
        stream = io.TextIOWrapper(raw, was.encoding, was.errors, "\n", lines, write_through=bool(is_raw))
        stream.mode = "r" if number == 0 else "w"
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)


def _live(words: list[str]) -> None:
    """Run a command line and end as the interpreter does, without the time that it takes to free every object."""
    code: Any = 0
    try:
        _run(words)
    except SystemExit as end:
        if not isinstance(end.code, int | None):
            raise
        code = end.code or 0
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    try:
        for stream in (sys.stdout, sys.stderr):
            if stream is not None and not stream.closed:
                stream.flush()
    except OSError:
        sys.exit(code)  # the interpreter meets the same trouble, and says so in its own words
    os._exit(code & 0xFF)


def _run(words: list[str]) -> None:
    """Run a command line: `[python, "-m", module, ...]`, `[python, "-c", code, ...]` or `[script, ...]`."""
    sys.orig_argv = words
    if words[1:2] == ["-m"]:
        sys.path[0] = os.getcwd()
        sys.argv = ["-m", *words[3:]]
        runpy.run_module(words[2], run_name="__main__", alter_sys=True)
    elif words[1:2] == ["-c"]:
        sys.path[0] = ""
        sys.argv = ["-c", *words[3:]]
        sys.modules["__main__"] = main = types.ModuleType("__main__")
        exec(compile(words[2], "<string>", "exec"), main.__dict__)
    else:
        sys.path[0] = os.path.dirname(words[0])
        sys.argv = words
        runpy.run_path(words[0], run_name="__main__")


# --- the template -------------------------------------------------------------------------------------------


def _load() -> None:
    """Import everything, and keep the collector from touching, and so copying, what is shared."""
    import ai_bridge

    found = [name for _, name, _ in pkgutil.walk_packages(ai_bridge.__path__, "ai_bridge.")]
    for name in (*_NEEDED, *(name for name in found if not name.endswith("__main__"))):
        importlib.import_module(name)
    for name in _WANTED:
        if importlib.util.find_spec(name) is not None:
            importlib.import_module(name)
    gc.collect()
    gc.freeze()


def _serve(channel: socket.socket) -> list[str] | None:
    """Fork for each request; returns in the new processes, with their words, and at the end, with None."""
    while received := _receive(channel):
        request, descriptors = received
        pid = _fork_for_parent()
        if pid == 0:
            channel.detach()
            _become(request, descriptors)
            words: list[str] = request["words"]
            return words
        channel.sendall(_SIZE.pack(pid))
        for descriptor in descriptors:
            os.close(descriptor)
    return None


def _main() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # a Ctrl-C is for pytest, whose end is ours
    channel = socket.socket(fileno=int(sys.argv[1]))
    _load()
    assert threading.active_count() == 1
    words = _serve(channel)
    if words is not None:
        _live(words)


if __name__ == "__main__":
    _main()
