"""The other ends, as a client's session has them: a socket that listens, a program that takes what is queued."""

from __future__ import annotations

import json
import shutil
import socket
import sys
import tempfile
import threading
from pathlib import Path
from typing import Any

from ai_bridge.reach.means import claude

TOKEN = "0123456789abcdef0123456789abcdef"
_QUEUE = """#!{python}
import json, os, sys
with open({calls!r}, "a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
if os.path.exists({refuses!r}):
    sys.exit("Error: no rollout found")
"""


class SessionSocket:
    """A session's socket, as a client binds it; `said` holds the lines of each connection, as JSON."""

    def __init__(self) -> None:
        self._directory = tempfile.mkdtemp(prefix="s-", dir="/tmp")  # a socket's path has 107 bytes at most
        self.path = f"{self._directory}/s"
        self.said: list[list[Any]] = []
        self._listener: socket.socket | None = None
        self.listen()

    @property
    def variables(self) -> dict[str, str]:
        """What the client tells its servers."""
        return {claude.SOCKET: self.path, claude.TOKEN: TOKEN}

    @property
    def notices(self) -> list[str]:
        """The text of every notice so far."""
        return [line["message"]["content"] for lines in self.said for line in lines if line["type"] == "user"]

    def listen(self) -> None:
        """Take connections."""
        Path(self.path).unlink(missing_ok=True)
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(self.path)
        self._listener.listen()
        threading.Thread(target=self._take, args=(self._listener,), daemon=True).start()

    def refuse(self) -> None:
        """Take no connections any more; the path stays."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def _take(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                self.said.append([json.loads(line) for line in lines])

    def close(self) -> None:
        self.refuse()
        shutil.rmtree(self._directory)


class Queue:
    """A program `codex` that records what it is called with; `folder` belongs first in the PATH."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._calls, self._refuses = folder / "calls", folder / "refuses"
        folder.mkdir()
        program = folder / "codex"
        program.write_text(
            _QUEUE.format(python=sys.executable, calls=str(self._calls), refuses=str(self._refuses)),
        )
        program.chmod(0o755)

    @property
    def calls(self) -> list[list[str]]:
        """The words of every call so far."""
        if not self._calls.exists():
            return []
        return [json.loads(line) for line in self._calls.read_text().splitlines() if line.endswith("]")]

    def refuse(self, yes: bool = True) -> None:
        """Fail from now on, or take messages again."""
        self._refuses.touch() if yes else self._refuses.unlink()
