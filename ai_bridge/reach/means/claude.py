"""Claude Code: hooks, and the socket of the session, through which its own server can speak to it at any time.

Source: the client itself. Every session binds a Unix socket, and gives its servers the path and a token. A server
that is started only to list its tools gets neither.
"""

from __future__ import annotations

import os
import stat

from ai_bridge.reach.ways import NotReached, Ways

SOCKET, TOKEN = "CLAUDE_CODE_MESSAGING_SOCKET", "CLAUDE_CODE_MESSAGING_TOKEN"
_PATIENCE_S = 2.0


class Claude(Ways):
    """Needs hooks to reach a session at work, and nothing else."""

    def is_session(self) -> bool:
        return self.can_push("")

    def can_push(self, key: str) -> bool:
        try:
            return stat.S_ISSOCK(os.stat(os.environ[SOCKET]).st_mode)
        except (KeyError, OSError, ValueError):
            return False

    def push(self, key: str, notice: str, urgent: bool = False) -> bool:
        """Send the token, then the notice, as one JSON object per line. The session may hold or refuse it later."""
        import json  # the hooks of other clients start faster without it
        import socket

        lines = [{"type": "user", "message": {"role": "user", "content": notice}}]
        if token := os.environ.get(TOKEN):
            lines.insert(0, {"type": "auth", "token": token})
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as session:
                session.settimeout(_PATIENCE_S)
                session.connect(os.environ[SOCKET])
                session.sendall("".join(f"{json.dumps(line)}\n" for line in lines).encode())
        except (KeyError, OSError) as error:
            raise NotReached(client=self.client.own_name, why=f"its socket took nothing: {error}") from None
        return False


WAYS = Claude
