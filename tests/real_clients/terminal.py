"""A program in a terminal of its own, as a person has it: what it shows, keys for it, and its certain end."""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import signal
import struct
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

ENTER = "\r"
_ROWS, _COLUMNS = 50, 160
_PATIENCE_S = 40.0
_END_S = 10.0
# What a program asks of its terminal, and the answer: of what kind it is, and where the cursor stands.
_ANSWERS = {b"\x1b[c": b"\x1b[?62;c", b"\x1b[6n": b"\x1b[1;1R"}
_CONTROL = re.compile(rb"\x1b\[[0-9;:?<>=]*[ -/]*[@-~]|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)|\x1b[()].|\x1b[=>78M]")
_TAKE_TERMINAL = (
    "import fcntl, os, sys, termios; fcntl.ioctl(0, termios.TIOCSCTTY, 0); os.execvp(sys.argv[1], sys.argv[1:])"
)


class Terminal:
    """A running program; `end` it, whatever happens."""

    def __init__(self, words: Sequence[str], cwd: Path, environment: Mapping[str, str]) -> None:
        self._fd, theirs = os.openpty()
        fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", _ROWS, _COLUMNS, 0, 0))
        self.process = subprocess.Popen(
            [sys.executable, "-c", _TAKE_TERMINAL, *words],
            stdin=theirs, stdout=theirs, stderr=theirs, cwd=cwd, env=dict(environment), start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self._raw = b""
        self._last_output = time.monotonic()
        self._changed = threading.Condition()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # the terminal is gone with its last program
            while data := os.read(self._fd, 65536):
                for question, answer in _ANSWERS.items():
                    if question in data:
                        os.write(self._fd, answer)
                with self._changed:
                    self._raw += data
                    self._last_output = time.monotonic()
                    self._changed.notify_all()

    @property
    def text(self) -> str:
        """All it showed from the beginning, without colours and the like, runs of blanks as one."""
        plain = _CONTROL.sub(b" ", self._raw).decode("utf-8", "replace")
        return re.sub(r"\s+", " ", plain)

    def type(self, keys: str) -> None:
        """Type some keys; raises OSError where the program is gone."""
        os.write(self._fd, keys.encode())

    def wait_for(self, *wanted: str, seconds: float = _PATIENCE_S) -> str:
        """Wait, within bounds, until it showed one of these texts; returns which. Fails the test where none came."""
        with self._changed:
            self._changed.wait_for(lambda: any(one in self.text for one in wanted), seconds)
            found = next((one for one in wanted if one in self.text), None)
            assert found is not None, f"it never showed {wanted}, but: {self.text[-2000:]}"
            return found

    def wait_until_quiet(self, seconds: float = 0.5) -> None:
        """Wait, within bounds, until it showed nothing new for so long."""
        deadline = time.monotonic() + _PATIENCE_S
        with self._changed:
            while (left := self._last_output + seconds - time.monotonic()) > 0 and time.monotonic() < deadline:
                self._changed.wait(left)

    def end(self) -> None:
        """End it, as when a terminal is closed, and then by force."""
        for number in (signal.SIGHUP, signal.SIGTERM, signal.SIGKILL):
            with contextlib.suppress(OSError):
                os.killpg(self.process.pid, number)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(_END_S / 4)
                break
        self.process.wait()

    def kill(self) -> None:
        """Kill it, so that it can tidy nothing up."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def close(self) -> None:
        """Leave the terminal, once all that used it has ended."""
        self._reader.join(_END_S)
        os.close(self._fd)
