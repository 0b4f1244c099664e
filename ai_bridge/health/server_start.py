"""Whether a registered server starts and answers if it is run as its client would run it."""

from __future__ import annotations

import json
import os
import select
import subprocess
import time
from typing import Any

from ai_bridge import clients
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding, install_command
from ai_bridge.health.switches import at
from ai_bridge.install.registered import Registration

# A client's model waits a few seconds at most for its tools.
SLOW_MS = 5000
_PATIENCE_S = 20.0
_MOST_HEARD = 16_000_000


def started(one: Registration) -> Finding:
    """Start the server as the client would, ask it for its tools, stop it, and return the finding."""
    assert one.server is not None
    words = [one.server.command, *one.server.args]
    given = clients.by_name(one.client).files.server.given
    environment = {name: value for name, value in os.environ.items() if given is None or name in given}
    environment.update(one.server.env)
    began = time.monotonic()
    try:
        tools = _tools(words, environment)
    except (OSError, ValueError) as trouble:
        return Finding("server", WRONG, f"{' '.join(words)}: {trouble}", " ".join(words))
    took_ms = (time.monotonic() - began) * 1000
    said = f"{len(tools)} tools after {took_ms:.0f} ms"
    if "peer_read" not in tools:
        return Finding("server", WRONG, f"{said}, and peer_read is not among them", install_command(one.client))
    return Finding("server", OK if took_ms < SLOW_MS else NOTE, said)


def _tools(words: list[str], environment: dict[str, str]) -> list[str]:
    """Return the names of a server's tools; raises OSError, or ValueError if the server does not answer."""
    hello = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "doctor", "version": "1"}}
    asked = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": hello},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/list"},
    ]
    with subprocess.Popen(
        words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=environment
    ) as server:
        try:
            said = _conversation(server, "".join(f"{json.dumps(line)}\n" for line in asked))
        finally:
            server.kill()
    tools = at(said, "result", "tools")
    return [str(at(tool, "name")) for tool in tools] if isinstance(tools, list) else []


def _conversation(server: subprocess.Popen[bytes], lines: str) -> dict[str, Any]:
    """Send the lines and return the answer to the second request; raises ValueError if none comes."""
    assert server.stdin is not None
    assert server.stdout is not None
    assert server.stderr is not None
    server.stdin.write(lines.encode())
    server.stdin.flush()
    deadline, heard = time.monotonic() + _PATIENCE_S, b""
    while (left_s := deadline - time.monotonic()) > 0:
        if not select.select([server.stdout], [], [], left_s)[0]:
            break
        chunk = os.read(server.stdout.fileno(), 65536)
        heard += chunk
        *lines_heard, _ = heard.split(b"\n")
        for line in lines_heard:
            if at(answer := json.loads(line), "id") == 2:
                return dict(answer)
        if len(heard) > _MOST_HEARD:
            raise ValueError("it says more than any answer is long")
        if not chunk:
            server.wait()
            why = server.stderr.read(2000).decode("utf-8", "replace").strip().split("\n")[-1]
            raise ValueError(f"it ended, and said: {why or 'nothing'}")
    raise ValueError(f"it did not answer within {_PATIENCE_S:g} s")
