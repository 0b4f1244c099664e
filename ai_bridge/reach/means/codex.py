"""Codex CLI: hooks, its daemon, and a queue for each of its threads.

Source: the client itself. `codex queue` hands a message to the thread of a live session, and the session reads it
when its turn has ended. The daemon does it at once, and says whether the thread has it.
"""

from __future__ import annotations

import os
from contextlib import suppress

from ai_bridge.reach.means import codex_daemon
from ai_bridge.reach.ways import NotReached, Ways

_PATIENCE_S = 20.0


class Codex(Ways):
    """Needs hooks, trusted once, to reach a session at work without its daemon, and nothing else."""

    def can_push(self, key: str) -> bool:
        return bool(key) and (os.path.exists(codex_daemon.socket_path()) or _program() is not None)

    def push(self, key: str, notice: str, urgent: bool = False) -> bool:
        if os.path.exists(codex_daemon.socket_path()):
            with suppress(OSError, codex_daemon.DaemonRefused):  # the queue is there without it, too
                return codex_daemon.deliver(key, notice, urgent)
        self._queue(key, notice)
        return False

    def _queue(self, key: str, notice: str) -> None:
        import subprocess  # the hooks of other clients start faster without it

        words = [_program() or "codex", "queue", "--thread", key, "--message", notice]
        try:
            done = subprocess.run(
                words, stdin=subprocess.DEVNULL, capture_output=True, timeout=_PATIENCE_S, check=False
            )
        except (OSError, subprocess.TimeoutExpired, ValueError) as trouble:
            raise NotReached(client=self.client.own_name, why=f"codex queue did not end well: {trouble}") from None
        if done.returncode:
            why = done.stderr.decode("utf-8", "replace").strip()[-200:]
            raise NotReached(client=self.client.own_name, why=f"codex queue said: {why}")


def _program() -> str | None:
    """Return the program that started us if it is Codex, else the `codex` on the PATH; None if there is none."""
    import shutil

    try:
        parent = os.readlink(f"/proc/{os.getppid()}/exe")
    except OSError:
        parent = ""
    return parent if os.path.basename(parent).startswith("codex") else shutil.which("codex")


WAYS = Codex
