"""The command `ai-bridge` as a process of its own, and what it answers."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import termios


def command(*words: str, body: str | bytes = "", **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `ai-bridge` as a process of its own; returns its exit code and what it printed."""
    raw = body.encode() if isinstance(body, str) else body
    done = subprocess.run(
        [sys.executable, "-m", "ai_bridge", *words],
        input=raw,
        capture_output=True,
        timeout=60,
        env={**os.environ, **environment},
        check=False,
    )
    return subprocess.CompletedProcess(done.args, done.returncode, done.stdout.decode(), done.stderr.decode())


BY_CLICK = (sys.executable, "-c", "from ai_bridge.cli.main import bridge; bridge(prog_name='ai-bridge')")


BY_ENTRY = (sys.executable, "-m", "ai_bridge")


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Check that a command was refused by one line which says all of `parts`."""
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: [^\n]+\n", done.stderr)
    for part in parts:
        assert part in done.stderr


def on_terminal(answer: bytes, *words: str, columns: int = 0, **environment: str) -> tuple[int, str]:
    """Run `ai-bridge` on a terminal where somebody types; returns its exit code and all it showed.

    The terminal has so many `columns`; with 0 it reports no width. There is no pager, which would wait for keys.
    """
    ours, theirs = pty.openpty()
    try:
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24 if columns else 0, columns, 0, 0))
        os.write(ours, answer)
        line = [sys.executable, "-m", "ai_bridge", *words]
        kept = {**os.environ, "TERM": "xterm", "PAGER": "cat", **environment}
        done = subprocess.run(line, stdin=theirs, stdout=theirs, stderr=theirs, timeout=60, check=False, env=kept)
        os.write(theirs, b"\0")
        shown = b""
        while not shown.endswith(b"\0"):
            shown += os.read(ours, 65536)
    finally:
        os.close(ours)
        os.close(theirs)
    return done.returncode, shown.decode().replace("\r\n", "\n")


def without_output(
    output: str, *words: str, body: bytes = b"", way: tuple[str, ...] = BY_ENTRY
) -> subprocess.CompletedProcess[str]:
    """Run a command whose standard output is closed, on a full disk, or a pipe that nobody reads any more."""
    script = '"$@" >&-' if output == "closed" else '"$@" >/dev/full' if output == "full" else '"$@"'
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            ["sh", "-c", script, "sh", *way, *words],
            input=body,
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(theirs)
    return subprocess.CompletedProcess(done.args, done.returncode, "", done.stderr.decode())
