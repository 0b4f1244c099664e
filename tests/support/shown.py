"""What a reply shows, read back out of its text; and what a test's own hand puts on the disk."""

from __future__ import annotations

import re
from pathlib import Path

from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.memory_file import memories
from ai_bridge.system.locks import holder

NOTHING = "No unread mail for claude."
_FENCED = re.compile(r"--- mail ([0-9a-f]{8}) ---\n(.*?)\n--- end \1 ---", re.DOTALL)


def bodies(text: str) -> list[str]:
    """Return what stands between the fences, exactly."""
    return [body for _, body in _FENCED.findall(text)]


def fences(text: str) -> set[str]:
    """Return the words the fences of a reply are made of."""
    return {word for word, _ in _FENCED.findall(text)}


def is_being_read(where: Tree, agent: str = "claude") -> bool:
    """Tell whether a session holds the agent's mail just now: reads it, or waits for its reply to be taken."""
    return holder(where.lock_file("reader", agent)) is not None


def hand_drop(where: Tree, id_: str, body: str, owner: str = "gemini", to: str = "claude") -> Path:
    """Put a file straight into an outbox, as any shell could."""
    path = Path(where.outbox(owner).file(DROPPED, f"{id_}.{to}.txt"))
    path.write_bytes(f"ID: {id_}\nFrom: {owner}\nTo: {to}\nSubject: by hand\n\n{body}".encode())
    return path


def hand_unread(where: Tree, id_: str, owner: str = "gemini", to: str = "claude") -> Path:
    """Return the path of a message's name among what is delivered, for a test to put something else there."""
    return Path(where.outbox(owner).file(UNREAD, f"{id_}.{to}.txt"))


def settle(where: Tree, **values: float | bool) -> None:
    """Write the settings that everybody who uses the mailboxes has from now on."""
    lines = [f"{name} = {str(value).lower()}\n" for name, value in values.items()]
    Path(where.path, "settings.toml").write_text("".join(lines))


def rung(where: Tree, agent: str) -> list[str]:
    """Return how far the sessions of an agent are with each message that they were rung for."""
    return [one.how for memory in memories(where, agent) for one in memory.entries.values()]
