"""The daemon of Codex CLI: it answers whether a thread is at work, and takes a text for it at once.

Source: the client itself (0.169). The daemon listens on a Unix socket in Codex's own folder. It speaks WebSocket,
with one JSON-RPC message per text frame.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ai_bridge import __version__

if TYPE_CHECKING:
    from websockets.sync.client import ClientConnection

_SOCKET = ("app-server-control", "app-server-control.sock")
_PATIENCE_S = 5.0
# A thread that is read may be long.
_OPTIONS: dict[str, Any] = {
    "open_timeout": _PATIENCE_S,
    "close_timeout": 0.1,
    "max_size": None,
    "compression": None,
}
_ACTIVE, _IN_PROGRESS = "active", "inProgress"


class DaemonRefused(Exception):
    """The daemon is there and refuses a request; the text is its reason."""


def socket_path() -> str:
    """Return the path of the daemon's socket, which is there only while the daemon runs."""
    home = os.environ.get("CODEX_HOME") or os.path.join(os.path.expanduser("~"), ".codex")
    return os.path.join(home, *_SOCKET)


def deliver(thread: str, text: str, urgent: bool) -> bool:
    """Give a text to a thread; returns True if the thread has it, and not only its queue.

    An idle thread begins a turn with the text. If the thread is at work, an urgent text comes between two of its tool
    calls, and any other waits for the end of the turn. Raises `DaemonRefused`, or OSError if no daemon answers.
    """
    said = [{"type": "text", "text": text}]
    with _connected() as daemon:
        if not _is_at_work(daemon, thread):
            daemon.call("turn/start", threadId=thread, input=said)
            return True
        if urgent and (turn := _turn(daemon, thread)):
            daemon.call("turn/steer", threadId=thread, expectedTurnId=turn, input=said)
            return True
        daemon.call("thread/queue/add", threadId=thread, clientUserMessageId=os.urandom(8).hex(), input=said)
        return False


def _is_at_work(daemon: _Daemon, thread: str) -> bool:
    read = daemon.call("thread/read", threadId=thread)
    return bool(read["thread"]["status"]["type"] == _ACTIVE)


def _turn(daemon: _Daemon, thread: str) -> str:
    """Return the ID of the turn that goes on; '' if it has ended by now."""
    turns = daemon.call("thread/read", threadId=thread, includeTurns=True)["thread"]["turns"]
    return next((str(one["id"]) for one in reversed(turns) if one["status"] == _IN_PROGRESS), "")


class _Daemon:
    """A connection to the daemon."""

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._number = 0

    def call(self, method: str, **words: Any) -> dict[str, Any]:
        """Return the result of a request; raises `DaemonRefused` or OSError."""
        self._number += 1
        self.send(id=self._number, method=method, params=words)
        while True:
            said = json.loads(self._connection.recv(_PATIENCE_S))
            if said.get("id") != self._number or "method" in said:
                continue  # a notification
            if "error" in said:
                raise DaemonRefused(str(said["error"].get("message", "")))
            return dict(said["result"])

    def send(self, **message: Any) -> None:
        """Send one message."""
        self._connection.send(json.dumps(message))


@contextmanager
def _connected() -> Iterator[_Daemon]:
    """Connect and introduce this program. Every trouble of the connection is an OSError, or a `DaemonRefused`."""
    from websockets.exceptions import WebSocketException
    from websockets.sync.client import unix_connect

    try:
        with unix_connect(
            socket_path(),
            "ws://localhost/",
            open_timeout=_PATIENCE_S,
            close_timeout=0.1,
            max_size=None,
            compression=None,
        ) as connection:
            daemon = _Daemon(connection)
            client = {"name": "ai-bridge", "title": "ai-bridge", "version": __version__}
            daemon.call("initialize", clientInfo=client, capabilities={"experimentalApi": True})
            daemon.send(method="initialized")
            yield daemon
    except (WebSocketException, ValueError, LookupError, TypeError, AttributeError) as trouble:
        raise OSError(f"the daemon of Codex CLI answered otherwise: {trouble}") from None
