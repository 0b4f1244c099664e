"""Standard input and output as pipes, so that the server knows when the client has taken a reply.

The library's own streams make two thread hops per call, and know only when the kernel got a reply. This module
asks the kernel how much of the reply is still in the pipe. It also moves the two ends to private descriptors, so
that a stray print or a child process cannot break the protocol.
"""

from __future__ import annotations

import asyncio
import json
import os
import socket
import stat
import sys
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import anyio
from mcp.server.stdio import stdio_server

from ai_bridge.server.client_session import Session
from ai_bridge.system.pipes import unread_bytes

_MAX_LINE = 64 * 1024 * 1024
_FIRST_LOOK_S, _LAST_LOOK_S = 0.0002, 0.02
# How long the server still answers after the input ends: `printf … | ai-bridge mcp` gets its replies.
_LAST_ANSWERS_S = 4.0


@asynccontextmanager
async def streams(session: Session, gone: Callable[[], None]) -> AsyncIterator[tuple[Any, Any]]:
    """Yield the message streams of this process's standard input and output for the SDK's server.

    `gone` is called when nobody reads the output any more.
    """
    source, sink = await _open(*_put_aside(), session, gone)
    async with stdio_server(source, sink) as pair:
        yield pair


def _put_aside() -> tuple[int, int]:
    """Move the client's two ends to private descriptors, and return these (input, output).

    Descriptor 0 then reads nothing, and descriptor 1 writes to standard error.
    """
    fd_in, fd_out = os.dup(0), os.dup(1)
    null = os.open(os.devnull, os.O_RDONLY)
    os.dup2(null, 0)
    os.close(null)
    os.dup2(2, 1)
    return fd_in, fd_out


async def _open(fd_in: int, fd_out: int, session: Session, gone: Callable[[], None]) -> tuple[Any, Any]:
    asked = Asked()
    if stat.S_ISSOCK(os.fstat(fd_in).st_mode) and os.path.sameopenfile(fd_in, fd_out):
        os.close(fd_out)
        reader, writer = await asyncio.open_connection(sock=socket.socket(fileno=fd_in), limit=_MAX_LINE)
        sink = _PipeOut(writer, fd_in, session, asked, gone)
        sink.was_reset = lambda: reader.exception() is not None
        return _PipeIn(reader, asked), sink
    source = await _reader(fd_in) if _is_pipe(fd_in) else anyio.wrap_file(_text_file(fd_in))
    if not _is_pipe(fd_out):
        return _PipeIn(source, asked), _FileOut(fd_out, session, asked)
    return _PipeIn(source, asked), _PipeOut(await _writer(fd_out), fd_out, session, asked, gone)


def _is_pipe(fd: int) -> bool:
    """Tell whether asyncio can wait for the descriptor: it is a pipe, a socket or a terminal."""
    mode = os.fstat(fd).st_mode
    return sys.platform != "win32" and (stat.S_ISFIFO(mode) or stat.S_ISSOCK(mode) or os.isatty(fd))


def _text_file(fd: int) -> Any:
    return open(fd, encoding="utf-8", errors="replace")


async def _reader(fd: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader(limit=_MAX_LINE)
    loop = asyncio.get_running_loop()
    await loop.connect_read_pipe(lambda: asyncio.StreamReaderProtocol(reader), os.fdopen(fd, "rb", 0))
    return reader


async def _writer(fd: int) -> asyncio.StreamWriter:
    loop = asyncio.get_running_loop()
    transport, protocol = await loop.connect_write_pipe(asyncio.streams.FlowControlMixin, os.fdopen(fd, "wb", 0))
    return asyncio.StreamWriter(transport, protocol, None, loop)


class Asked:
    """The requests that the server has read and not answered yet."""

    def __init__(self) -> None:
        self._open: set[str] = set()

    def record(self, line: str, is_answer: bool) -> None:
        """Add the request in a line that was read, or, if `is_answer`, remove the one that a written line answers."""
        try:
            found = json.loads(line)
        except (ValueError, RecursionError):
            return
        if not isinstance(found, dict):
            return
        words = found.get("params")
        if found.get("method") == "notifications/cancelled" and isinstance(words, dict):
            self._open.discard(str(words.get("requestId")))
        if "id" not in found or ("method" in found) == is_answer or _is_wait(found):
            return
        (self._open.discard if is_answer else self._open.add)(str(found["id"]))

    async def settled(self) -> None:
        """Wait until all requests are answered, but at most `_LAST_ANSWERS_S` seconds."""
        with anyio.move_on_after(_LAST_ANSWERS_S):
            while self._open:
                await anyio.sleep(_LAST_LOOK_S)


def _is_wait(request: dict[str, Any]) -> bool:
    """Tell whether a request waits for mail or subscribes: the end of the input ends both."""
    words = request.get("params")
    is_wait = isinstance(words, dict) and words.get("name") == "peer_wait"
    return is_wait or request.get("method") == "subscriptions/listen"


def _repaired(line: str) -> str:
    """Return the line with `?` in place of each lone surrogate, because the SDK would not answer such a request."""
    if "\\ud" not in line.lower():
        return line
    try:
        return json.dumps(json.loads(line), ensure_ascii=False).encode("utf-8", "replace").decode() + "\n"
    except (ValueError, RecursionError):
        return line


class _PipeIn:
    """The client's lines. At their end, the server hears of it only after the open requests are answered."""

    def __init__(self, reader: Any, asked: Asked) -> None:
        self._reader = reader
        self._asked = asked

    def __aiter__(self) -> _PipeIn:
        return self

    async def __anext__(self) -> str:
        try:
            line = await self._reader.readline()
        except OSError:  # a terminal that hung up, a connection that was reset
            line = b""
        except ValueError:
            print(f"a line of more than {_MAX_LINE} bytes was ignored", file=sys.stderr)
            return "\n"
        if not line:
            await self._asked.settled()
            raise StopAsyncIteration
        text: str = _repaired(line if isinstance(line, str) else line.decode("utf-8", "replace"))
        self._asked.record(text, is_answer=False)
        return text


class _PipeOut:
    """The client's end for replies; a reply that shows mail is settled once the client has read it."""

    def __init__(
        self, writer: asyncio.StreamWriter, fd: int, session: Session, asked: Asked, gone: Callable[[], None]
    ) -> None:
        writer.transport.set_write_buffer_limits(high=0)  # so that a drain waits until the kernel has it all
        self._writer = writer
        self._fd = os.dup(fd)  # the writer closes its own, and another file may get that number
        self._session = session
        self._asked = asked
        self._gone = gone
        self._text = ""
        # If one socket is both ends, a reset may reach the reader first, and the kernel then reports it no more.
        self.was_reset: Callable[[], bool] = lambda: False

    async def write(self, text: str) -> None:
        """Keep the text for the next `flush`."""
        self._text += text

    async def flush(self) -> None:
        """Write the kept text; if it answers with mail, wait for the client to read it, and settle the mail."""
        text, self._text = self._text, ""
        request = _answered(text, self._session)
        taken = False
        try:
            self._writer.write(text.encode())
            await self._writer.drain()
            self._asked.record(text, is_answer=True)
            taken = request is None or await self._taken()
        except OSError:  # the client closed its end
            self._gone()
        finally:
            if request is not None and not taken:
                self._session.finish(request, taken=False)
        if request is not None and taken:
            await anyio.to_thread.run_sync(self._session.finish, request, taken)

    async def _taken(self) -> bool:
        """Wait until the client has read all that was written; False if it left before."""
        pause = _FIRST_LOOK_S
        while (left := unread_bytes(self._fd)) > 0:
            if self._writer.transport.is_closing():
                self._gone()
                return False
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LAST_LOOK_S)
        await asyncio.sleep(0)
        return left == 0 and not self.was_reset()


class _FileOut:
    """Standard output that is no pipe; a reply counts as taken once it is written and flushed."""

    def __init__(self, fd: int, session: Session, asked: Asked) -> None:
        self._asked = asked
        self._file = anyio.wrap_file(open(fd, "w", encoding="utf-8", newline=""))  # noqa: SIM115 - it lives as long as we do
        self._session = session
        self._request: str | int | None = None

    async def write(self, text: str) -> None:
        self._request = _answered(text, self._session)
        self._asked.record(text, is_answer=True)
        await self._file.write(text)

    async def flush(self) -> None:
        try:
            await self._file.flush()
        except BaseException:
            self._session.finish(self._request, taken=False)
            raise
        if self._request is not None:
            self._session.finish(self._request, taken=True)


def _answered(text: str, session: Session) -> str | int | None:
    """Return the request that this line answers with mail, else None; after an error the mail stays unread."""
    if not session.waiting:
        return None
    line = json.loads(text)
    request = line.get("id")
    if request is None or "method" in line or not session.awaits(request):
        return None
    if "result" in line:
        return request  # type: ignore[no-any-return]
    session.finish(request, taken=False)
    return None
