"""A hand-written JSON-RPC client of the server, for tests that need the very bytes of the pipe in their hands."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import select
import signal
import socket
import struct
import subprocess
import termios
import time
from pathlib import Path
from typing import Any

PATIENCE_S = 60.0
MODERN = "2026-07-28"
_META = "io.modelcontextprotocol/"

Json = dict[str, Any]


class Answer:
    """What a tool call came back with."""

    def __init__(self, result: Json) -> None:
        self.result = result
        self.text: str = result["content"][0]["text"]
        self.is_error: bool = result.get("isError", False)


class Wire:
    """One client: the server's process, and our two ends, `fd_in` (we write) and `fd_out` (we read)."""

    def __init__(
        self, process: subprocess.Popen[bytes], ends: tuple[int, int], client: str, era: str, stderr: Path
    ) -> None:
        self.process = process
        self.fd_in, self.fd_out = ends
        self._stderr = stderr
        self.progress: list[Json] = []
        self.notices: list[Json] = []
        self._client = {"name": client, "version": "1"}
        self._era = era
        self._last = 0
        self._asked: set[int] = set()
        self._buffer = b""
        self._replies: dict[int | str, Json] = {}

    # --- requests ---------------------------------------------------------------------------------------

    def open(self) -> Json:
        """Begin as a client of its era does; returns what the server says of itself."""
        if self._era == "modern":
            return self.request("server/discover", {})
        said = self.request("initialize", hello(self._client))
        self.notify("notifications/initialized", {})
        return said

    def request(self, method: str, params: Json) -> Json:
        """Ask, and return the result; a protocol error fails the test."""
        return result_of(self.reply(self.ask(method, params)))

    def ask(self, method: str, params: Json, **meta: object) -> int:
        """Send a request without waiting for its reply; returns its number."""
        self._last += 1
        self._asked.add(self._last)
        self.write(self.line(self._last, method, params, **meta))
        return self._last

    def line(self, number: int, method: str, params: Json, **meta: object) -> Json:
        """Return a request as it goes over the pipe."""
        envelope: Json = dict(meta)
        if self._era == "modern":
            envelope |= {f"{_META}protocolVersion": MODERN, f"{_META}clientInfo": self._client}
            envelope[f"{_META}clientCapabilities"] = {}
        whole = {**params, "_meta": envelope} if envelope else params
        return {"jsonrpc": "2.0", "id": number, "method": method, "params": whole}

    def notify(self, method: str, params: Json) -> None:
        self.write({"jsonrpc": "2.0", "method": method, "params": params})

    def cancel(self, number: int | str) -> None:
        self._asked.discard(int(number))
        self.notify("notifications/cancelled", {"requestId": number, "reason": "the user pressed Esc"})

    def write(self, *lines: Json) -> None:
        self.write_raw(as_lines(*lines))

    def write_raw(self, raw: bytes) -> None:
        while raw:
            raw = raw[os.write(self.fd_in, raw) :]

    # --- tools ------------------------------------------------------------------------------------------

    def tools(self) -> list[Json]:
        listed: list[Json] = self.request("tools/list", {})["tools"]
        return listed

    def ask_tool(self, tool: str, words: Json | None = None, **meta: object) -> int:
        """Call a tool without waiting for its reply; returns the request's number."""
        return self.ask("tools/call", {"name": tool, "arguments": words or {}}, **meta)

    def call(self, tool: str, **words: object) -> Answer:
        return self.answer(self.ask_tool(tool, words))

    def answer(self, number: int) -> Answer:
        """Wait for the reply to a tool call; a protocol error fails the test."""
        return Answer(result_of(self.reply(number)))

    def text(self, tool: str, **words: object) -> str:
        """Call a tool that is expected to do what it is asked."""
        answer = self.call(tool, **words)
        assert not answer.is_error, answer.text
        return answer.text

    def refusal(self, tool: str, **words: object) -> str:
        """Call a tool that is expected to refuse."""
        answer = self.call(tool, **words)
        assert answer.is_error, answer.text
        return answer.text

    # --- replies ----------------------------------------------------------------------------------------

    def reply(self, number: int) -> Json:
        """Wait, within bounds, for the reply to a request; replies to others are kept for later."""
        deadline = time.monotonic() + PATIENCE_S
        while number not in self._replies:
            self._sort(self._next_line(deadline))
        self._asked.discard(number)
        return self._replies.pop(number)

    def has_replied(self, number: int) -> bool:
        """Tell whether a reply was among what was read so far."""
        return number in self._replies

    def until_progress(self, times: int = 1) -> None:
        """Wait, within bounds, for so many progress notifications."""
        deadline = time.monotonic() + PATIENCE_S
        while len(self.progress) < times:
            self._sort(self._next_line(deadline))

    def _sort(self, raw: bytes) -> None:
        line = json.loads(raw)
        if line.get("method") == "notifications/progress":
            self.progress.append(line["params"])
        elif "method" in line:
            self.notices.append(line)
        else:
            self._replies[line["id"]] = line

    def noticed(self, method: str) -> list[Json]:
        """Return the parameters of all notifications of that kind so far, having read what there is."""
        while select.select([self.fd_out], [], [], 0)[0]:
            self._buffer += self.read_some()
        while b"\n" in self._buffer:
            self._sort(self._next_line(time.monotonic()))
        return [line.get("params", {}) for line in self.notices if line["method"] == method]

    def _next_line(self, deadline: float) -> bytes:
        while b"\n" not in self._buffer:
            self._buffer += self.read_some(deadline)
        line, _, self._buffer = self._buffer.partition(b"\n")
        return line

    def read_some(self, deadline: float | None = None) -> bytes:
        """Read what there is, waiting within bounds; the server's end fails the test."""
        left = PATIENCE_S if deadline is None else max(0.0, deadline - time.monotonic())
        ready, _, _ = select.select([self.fd_out], [], [], left)
        assert ready, "no reply came in time"
        part = os.read(self.fd_out, 65536)
        assert part, "the server closed its end"
        return part

    def unread_bytes(self) -> int:
        """Return how much of what the server wrote still lies in the pipe."""
        count: int = struct.unpack("i", fcntl.ioctl(self.fd_out, termios.FIONREAD, b"\0" * 4))[0]
        return count

    # --- the server's process ---------------------------------------------------------------------------

    def descriptors(self) -> int:
        """Return how many files the server has open."""
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def open_files(self) -> list[str]:
        """Return what the server has open: paths, and what the kernel calls pipes and the like."""
        directory, found = f"/proc/{self.process.pid}/fd", []
        for descriptor in os.listdir(directory):
            with contextlib.suppress(FileNotFoundError):  # closed meanwhile
                found.append(os.readlink(f"{directory}/{descriptor}"))
        return found

    def has_open(self, path: str) -> bool:
        """Tell whether the server has the file open."""
        return os.path.realpath(path) in self.open_files()

    def said(self) -> str:
        """Return what the server wrote to standard error."""
        return self._stderr.read_text()

    def is_idle(self) -> bool:
        """Tell whether the server runs and has answered all it was asked."""
        return self.process.poll() is None and not self._asked

    # --- the end ----------------------------------------------------------------------------------------

    def close_in(self) -> None:
        """Send EOF."""
        self.fd_in = _closed(self.fd_in)

    def close_out(self) -> None:
        """Leave what the server wrote unread."""
        self.fd_out = _closed(self.fd_out)

    def leave(self) -> int:
        """Go away without reading anything more; returns the server's exit code."""
        self.close_out()
        self.close_in()
        return self.ended()

    def signal(self, number: signal.Signals) -> int:
        """Send a signal that is to end the server; returns its exit code."""
        self.process.send_signal(number)
        return self.ended()

    def ended(self) -> int:
        """Wait, within bounds, for the server's end; returns its exit code."""
        return self.process.wait(PATIENCE_S)

    def end(self) -> None:
        """End the server, whatever it does."""
        self.close_in()
        self.close_out()
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


def hello(client: Json) -> Json:
    """Return the parameters of a handshake."""
    return {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": client}


def as_lines(*lines: Json) -> bytes:
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


def result_of(reply: Json) -> Json:
    assert "error" not in reply, reply
    result: Json = reply["result"]
    return result


def _closed(fd: int) -> int:
    if fd >= 0:
        os.close(fd)
    return -1


def ends(kind: str) -> tuple[int, int, int, int]:
    """Return (the server's input, our writing end, our reading end, the server's output), as pipes or sockets."""
    if kind == "pipes":
        theirs_in, ours_in = os.pipe()
        ours_out, theirs_out = os.pipe()
        return theirs_in, ours_in, ours_out, theirs_out
    first, second = (end.detach() for end in socket.socketpair())
    if kind == "one socket":
        return first, second, os.dup(second), os.dup(first)
    third, fourth = (end.detach() for end in socket.socketpair())
    return first, second, third, fourth
