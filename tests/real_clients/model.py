"""A model for the real clients, in the test's own process: it answers as planned and keeps what it was asked."""

from __future__ import annotations

import json
import threading
import time
from collections import deque
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from tests.real_clients.dialects import DIALECTS, Answer, Dialect, Event, Json

NOTHING_PLANNED = "Noted."
# Of a loaded machine with two cores.
PATIENCE_S = 40.0


class Request:
    """What a client asked its model: all of it, and what is new in it since the model's last answer."""

    def __init__(self, number: int, dialect: Dialect, body: Json) -> None:
        self.number = number
        self.at = time.time()
        self.dialect = dialect
        self.body = body
        self.texts, self.results = dialect.new(body)

    @property
    def new(self) -> str:
        """All that is new in it, as text."""
        return "\n".join([*self.texts, *self.results])

    def __repr__(self) -> str:
        return f"<{self.number}: {self.new[-600:]!r}>"


class Model:
    """Serves at `address`; `requests` are those of a session's turns, in order, and no others.

    What was planned comes first. All further requests are answered by `rule`.
    """

    def __init__(self) -> None:
        self.requests: list[Request] = []
        self.rule: Callable[[Request], Answer] = lambda request: NOTHING_PLANNED
        self._planned: deque[Answer] = deque()
        self._changed = threading.Condition()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(self))
        self._server.daemon_threads = True
        self.address = f"http://127.0.0.1:{self._server.server_address[1]}"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))

    def __enter__(self) -> Model:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    # --- for tests --------------------------------------------------------------------------------------

    def plan(self, *answers: Answer) -> None:
        """Give these answers to the next requests, one each; all further ones are answered by the rule."""
        with self._changed:
            self._planned.extend(answers)

    def find(self, wanted: Callable[[Request], bool], after: int = 0) -> Request | None:
        """Return the first request that is wanted, of those after the first so many."""
        with self._changed:
            return next((one for one in self.requests[after:] if wanted(one)), None)

    def wait_for(self, wanted: Callable[[Request], bool], after: int = 0, seconds: float = PATIENCE_S) -> Request:
        """Wait, within bounds, for a request that is wanted; fails the test where none comes."""
        with self._changed:
            self._changed.wait_for(lambda: any(wanted(one) for one in self.requests[after:]), seconds)
            found = next((one for one in self.requests[after:] if wanted(one)), None)
            assert found is not None, f"no such request in {seconds:g} s; since then: {self.requests[after:]}"
            return found

    def asks_within(self, seconds: float) -> bool:
        """Tell whether a request comes within so many seconds from now."""
        with self._changed:
            before = len(self.requests)
            return self._changed.wait_for(lambda: len(self.requests) > before, seconds)

    def wait_until_quiet(self, seconds: float = 1.0) -> int:
        """Wait, within bounds, until no request came for so long; returns how many there were."""
        deadline = time.monotonic() + PATIENCE_S
        while self.asks_within(seconds):
            assert time.monotonic() < deadline, f"the client never came to rest: {self.requests[-3:]}"
        return len(self.requests)

    # --- for the server's threads -----------------------------------------------------------------------

    def answer(self, dialect: Dialect, body: Json) -> list[Event]:
        """Note a request, if it is of a turn, and return the answer to it.

        Clients also ask for titles and the like: without offering any tool.
        """
        with self._changed:
            number = len(self.requests) + 1
            if not body.get("tools"):
                return dialect.events(body, '{"title": "a title"}', 0)
            request = Request(number, dialect, body)
            self.requests.append(request)
            answer = self._planned.popleft() if self._planned else self.rule(request)
            self._changed.notify_all()
        return dialect.events(body, answer, number)


def _handler(model: Model) -> type[BaseHTTPRequestHandler]:
    return type("_HandlerOfModel", (_Handler,), {"model": model})


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    model: Model

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        self._reply("application/json", b'{"data": [], "models": []}')

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_POST(self) -> None:
        raw = self.rfile.read(int(self.headers.get("content-length") or 0))
        dialect = next((one for one in DIALECTS if one.path in self.path), None)
        if dialect is None or "count" in self.path.lower():
            return self._reply("application/json", b'{"input_tokens": 10, "totalTokens": 10}')
        body = json.loads(raw)
        events = self.model.answer(dialect, body)
        if "stream" in self.path or body.get("stream"):
            return self._reply("text/event-stream", b"".join(_line(name, data) for name, data in events))
        self._reply("application/json", json.dumps(events[0][1]).encode())

    def _reply(self, kind: str, raw: bytes) -> None:
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(raw)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(raw)


def _line(name: str, data: Json) -> bytes:
    named = f"event: {name}\n" if name else ""
    return f"{named}data: {json.dumps(data)}\n\n".encode()
