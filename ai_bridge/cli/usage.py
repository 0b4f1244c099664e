"""Answers a wrong command line with the line that may have been meant, which works as it is typed."""

from __future__ import annotations

import shlex

# The options of every command, each with whether it takes a value.
_COMMON = {"--json": False, "--agent": True, "--mailboxes": True}
# What to type for a word that people try; by its letters alone, another command would be suggested.
MEANT = {
    "who": "`ai-bridge peers` lists the agents",
    "agents": "`ai-bridge peers` lists the agents",
    "inbox": "`ai-bridge list` lists what awaits you",
    "ls": "`ai-bridge list` lists what awaits you",
    "watch": "`ai-bridge wait` ends when mail comes, and `ai-bridge logs -f` follows the router",
    "thread": "`ai-bridge threads` lists the threads, and `ai-bridge history --thread ID` shows one",
    "ack": "`ai-bridge acknowledge ID` marks a message as read",
    "approve": "`ai-bridge allow THREAD` lets held mail go on",
}


def asked(words: list[str]) -> list[str]:
    """Return the words of a command line, with `help`, `help COMMAND` and `version` as the options they stand for."""
    if words[:1] == ["version"]:
        return ["--version"]
    return [*words[1:2], "--help"] if words[:1] == ["help"] else words


def reordered(words: list[str]) -> str:
    """Return the line with the options of a command behind it; '' if none stands before it."""
    before: list[str] = []
    rest = list(words)
    while rest and (name := rest[0].partition("=")[0]) in _COMMON:
        takes_two = _COMMON[name] and "=" not in rest[0]
        before, rest = [*before, *rest[: 1 + takes_two]], rest[1 + takes_two :]
    command = rest[:1] if rest and not rest[0].startswith("-") else ["COMMAND"]
    return shlex.join([*command, *rest[1:], *before]) if before else ""
