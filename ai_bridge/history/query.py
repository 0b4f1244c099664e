"""A question to past mail."""

from __future__ import annotations


class Query:
    """A question to the index; a message must match all that is given.

    `agent`: mail from or to this agent. `peer`: only that mail of the agent's which is from or to this one; without
    `agent`, all mail from or to it. `thread`: the ID of any message of a thread. `words`: words that subject and body
    together hold, "phrases", and beginnings of words with a `*` at their end; nothing else has a meaning. A term
    without a word, like a mark alone, is left out, and a query of such terms only finds nothing. `limit`: the most
    messages, the newest. `before`: only messages older than the one with this ID, or than the file of this name.
    `project`: only mail from or to an agent of this project. `since`: only messages of this time or later; a stamp
    (see `system/times`), '' for all times.
    """

    __slots__ = ("agent", "before", "limit", "peer", "project", "since", "thread", "words")

    def __init__(
        self,
        agent: str | None = None,
        peer: str | None = None,
        thread: str | None = None,
        words: str = "",
        limit: int = 20,
        before: str | None = None,
        project: str = "",
        since: str = "",
    ) -> None:
        self.agent = agent
        self.peer = peer
        self.thread = thread
        self.words = words
        self.limit = limit
        self.before = before
        self.project = project
        self.since = since
