"""A server that died: the next hook of its session says once how to start it again, because no client does so.

A server leaves a note while it serves a session, and removes it when it ends. So a note whose server is gone says
that the server died.
"""

from __future__ import annotations

from contextlib import suppress

from ai_bridge.agents.session_keys import digest
from ai_bridge.clients.record import Client
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.ways import MARK, Ways, ways_of
from ai_bridge.system import durable, processes, state_files

_BYTES = 256
# Between a client and its hook there are a shell, and perhaps a process of the client's own.
_STEPS = 4


def begin(mailboxes: Tree, key: str) -> None:
    """Write down that this process serves the session `key`; a full disk is no trouble."""
    if key:
        with suppress(OSError):
            state_files.remember(_note(mailboxes, key), _own(), flush=False)


def end(mailboxes: Tree, key: str) -> None:
    """Remove the note of `begin`, unless another process serves the session by now."""
    if key and state_files.recall(_note(mailboxes, key), _BYTES) == _own():
        with suppress(OSError):
            durable.remove(_note(mailboxes, key))


def ways_after(mailboxes: Tree, client: Client, key: str) -> Ways:
    """Return the client's ways for a hook of the session `key`; if its server died, they say so this once.

    Removes the note of a server that died, so that no later hook says it again.
    """
    ways = ways_of(client)
    if key and client.reach.reconnect and _is_dead(mailboxes, key) and _take(mailboxes, key):
        ways.news = (
            f"{MARK} The MCP server ai-bridge of this session has ended, so its tools fail and mail does not wake "
            f"you: ask your user to {client.reach.reconnect}."
        )
    return ways


def _is_dead(mailboxes: Tree, key: str) -> bool:
    """Tell whether a server of this very run of the client died; one of an earlier run ended with that run."""
    server, _, parent = state_files.recall(_note(mailboxes, key), _BYTES).decode("ascii", "replace").partition("\n")
    return processes.is_gone(server) and parent in processes.ancestor_keys(_STEPS)


def _take(mailboxes: Tree, key: str) -> bool:
    """Remove the note; False if another hook did, or if the disk refuses, because each hook would say it again."""
    with suppress(OSError):
        return durable.remove(_note(mailboxes, key))
    return False


def _own() -> bytes:
    return f"{processes.own_key()}\n{processes.parent_key()}".encode()


def _note(mailboxes: Tree, key: str) -> str:
    return mailboxes.state_file("servers", digest(key))
