"""Standard input and output as pipes, by which the server knows when the client has taken a reply.

The library's own streams make two thread hops a call and tell when a reply was handed to the kernel; here the
kernel is asked how much of it still lies in the pipe. Standard input and output themselves are put aside, so
that a stray print or a child process cannot break the protocol.
"""

from __future__ import annotations

import asyncio
import json
import os
import stat
import struct
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.stdio import stdio_server

from ai_bridge.server.session import Session

_MAX_LINE = 64 * 1024 * 1024
_FIRST_LOOK_S, _LAST_LOOK_S = 0.0002, 0.02


@asynccontextmanager
async def streams(session: Session) -> AsyncIterator[tuple[Any, Any]]:
    """Yield the message streams of this process's standard input and output for the SDK's server."""
    fd_in, fd_out = _put_aside()
    source: Any = await _PipeIn.open(fd_in) if _is_pipe(fd_in) else anyio.wrap_file(_text_file(fd_in))
    sink: Any = await _PipeOut.open(fd_out, session) if _is_pipe(fd_out) else _FileOut(fd_out, session)
    async with stdio_server(source, sink) as pair:
        yield pair


def _put_aside() -> tuple[int, int]:
    """Move the client's two ends to private descriptors; what remains reads nothing and writes to stderr."""
    fd_in, fd_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return fd_in, fd_out


def _is_pipe(fd: int) -> bool:
    """Tell whether the descriptor is one that asyncio can wait for: a pipe or a socket."""
    mode = os.fstat(fd).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode))


def _text_file(fd: int) -> Any:
    return open(fd, encoding="utf-8", errors="replace")


class _PipeIn:
    """The client's lines, read without a thread."""

    def __init__(self, reader: asyncio.StreamReader) -> None:
        self._reader = reader

    @classmethod
    async def open(cls, fd: int) -> _PipeIn:
        reader = asyncio.StreamReader(limit=_MAX_LINE)
        loop = asyncio.get_running_loop()
        await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", 0))
        return cls(reader)

    def __aiter__(self) -> _PipeIn:
        return self

    async def __anext__(self) -> str:
        line = await self._reader.readline()
        if not line:
            raise StopAsyncIteration
        return line.decode("utf-8", "replace")


class _PipeOut:
    """The client's end for replies; a reply that shows mail is settled once the client has read it."""

    def __init__(self, writer: asyncio.StreamWriter, fd: int, session: Session) -> None:
        self._writer = writer
        self._fd = fd
        self._session = session
        self._text = ""

    @classmethod
    async def open(cls, fd: int, session: Session) -> _PipeOut:
        loop = asyncio.get_running_loop()
        transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(fd, "wb", 0))
        transport.set_write_buffer_limits(high=0)  # so that a drain waits until the kernel has everything
        return cls(asyncio.StreamWriter(transport, protocol, None, loop), fd, session)

    async def write(self, text: str) -> None:
        self._text += text

    async def flush(self) -> None:
        text, self._text = self._text, ""
        request = _answered(text, self._session)
        try:
            self._writer.write(text.encode())
            await self._writer.drain()
            taken = request is None or await self._taken()
        except BaseException:
            self._session.settle(request, taken=False)
            raise
        if request is not None:
            await anyio.to_thread.run_sync(self._session.settle, request, taken)

    async def _taken(self) -> bool:
        """Wait until the client has read all that was written; False where it left without."""
        pause = _FIRST_LOOK_S
        while (left := _unread_bytes(self._fd)) > 0:
            if self._writer.transport.is_closing():
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK_S)
        return left == 0


class _FileOut:
    """Standard output that is no pipe: taken is what was written and flushed."""

    def __init__(self, fd: int, session: Session) -> None:
        self._file = anyio.wrap_file(open(fd, "w", encoding="utf-8", newline=""))  # noqa: SIM115 - it lives as long as we do
        self._session = session
        self._request: str | int | None = None

    async def write(self, text: str) -> None:
        self._request = _answered(text, self._session)
        await self._file.write(text)

    async def flush(self) -> None:
        try:
            await self._file.flush()
        except BaseException:
            self._session.settle(self._request, taken=False)
            raise
        self._session.settle(self._request, taken=True)


def _answered(text: str, session: Session) -> str | int | None:
    """Return the request this line answers with mail; an error that answers it gives the mail back."""
    if not session.waiting:
        return None
    line = json.loads(text)
    request = line.get("id")
    if request is None or "method" in line or not session.awaits(request):
        return None
    if "result" in line:
        return request  # type: ignore[no-any-return]
    session.settle(request, taken=False)
    return None


def _unread_bytes(fd: int) -> int:
    """Return how many written bytes the client has not read yet; -1 where it left without reading them."""
    import fcntl
    import termios

    if stat.S_ISFIFO(os.fstat(fd).st_mode):
        return _ask(fcntl.ioctl, fd, termios.FIONREAD)
    left = _ask(fcntl.ioctl, fd, getattr(termios, "TIOCOUTQ", termios.FIONREAD))
    return -1 if left == 0 and _was_reset(fd) else left


def _ask(ioctl: Callable[..., bytes], fd: int, question: int) -> int:
    try:
        answer: int = struct.unpack("i", ioctl(fd, question, struct.pack("i", 0)))[0]
    except OSError:  # a system that cannot say: what the kernel has is taken
        return 0
    return answer


def _was_reset(fd: int) -> bool:
    """Tell whether the other end of a socket was closed with bytes unread."""
    import socket

    with socket.socket(fileno=os.dup(fd)) as peer:
        return peer.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) != 0
