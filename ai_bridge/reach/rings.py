"""What a session was told of: no message twice, by whatever means, and by whichever process tells.

It is remembered in the state directory under the session's key, for what is unread only. Whoever tells holds a lock
from the look at what is new until it is told.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from ai_bridge.agents.session_keys import digest
from ai_bridge.errors import Malformed
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.system import state_files, untrusted
from ai_bridge.system.locks import Lock

# Whoever tells just now may tell of all this: it is not worth a client's waiting.
_PATIENCE_S = 0.2
# Some millions of unread messages.
_LIMIT = 1_000_000_000
_TOLD, _SHOWN = "told", "shown"

# By message: when its file came there (a rename changes a file's ctime), and whether its body was shown, too.
_Memory = dict[str, tuple[int, str]]


class Ring:
    """The right to tell a session of the messages `news`; to be settled, told or not."""

    def __init__(self, told: Rings, lock: Lock, news: list[Waiting], unread: list[Waiting], showing: bool) -> None:
        self.news = news
        self._told = told
        self._lock = lock
        self._gone = told.remembered().keys() - {_name(one) for one in unread}
        self._how = _SHOWN if showing else _TOLD

    def finish(self, told: bool) -> None:
        """Remember the messages if the session was told of them, and let others tell; the second time do nothing."""
        if not self._lock.held:
            return
        try:
            if told:
                self._told.remember(self.news, self._how, self._gone)
        finally:
            self._lock.release()


class Rings:
    """What one session of `agent` was told; `key` is what stands for the session.

    `passing`: this process ends once it has told. Where the disk takes no note it then tells nothing, for the next
    would tell the same again and again.
    """

    def __init__(self, mailboxes: Tree, agent: str, key: str, passing: bool = False) -> None:
        self._of = (agent, key)
        self._passing = passing
        self._lock_file = mailboxes.lock_file("told", agent)
        self._path = mailboxes.state_file("told", f"{agent}-{digest(key)[:16]}")
        self._read: tuple[object, _Memory] = (None, {})
        # What the disk did not take.
        self._unwritten: _Memory = {}
        self._mutex = threading.Lock()

    def forget(self) -> None:
        """Forget everything: the session begins anew, and remembers nothing."""
        with self._mutex:
            self._note({})

    def is_of(self, agent: str, key: str) -> bool:
        """Tell whether this is of that session."""
        return self._of == (agent, key)

    def claim(
        self,
        look: Callable[[], list[Waiting]],
        is_meant: Callable[[Waiting], bool] = lambda one: True,
        showing: bool = False,
    ) -> Ring | None:
        """Return the claim to tell of what is meant and new among all that `look` finds; to show it, if `showing`.

        None where there is nothing, or another tells.
        """
        if not self._news(look(), is_meant, showing):
            return None
        lock = Lock(self._lock_file)
        if not lock.acquire("told", "", _PATIENCE_S):
            return None
        try:
            unread = look()  # another may have told, or read, meanwhile
            news = self._news(unread, is_meant, showing)
            if news and self._may_tell():
                return Ring(self, lock, news, unread, showing)
        except BaseException:
            lock.release()
            raise
        lock.release()
        return None

    def _news(self, unread: list[Waiting], is_meant: Callable[[Waiting], bool], showing: bool) -> list[Waiting]:
        known = self.remembered() if unread else {}
        return [one for one in unread if is_meant(one) and _is_new(one, known, showing)]

    def is_news(self, one: Waiting) -> bool:
        """Tell whether the session was not told of the message."""
        return _is_new(one, self.remembered(), showing=False)

    def _may_tell(self) -> bool:
        """Tell whether what is told will be remembered; only who is passing need ask."""
        return not self._passing or self._is_written(self.remembered())

    # --- the memory -------------------------------------------------------------------------------------

    def remember(self, news: list[Waiting], how: str, gone: set[str]) -> None:
        """Note that the session knows of these, and forget what is gone."""
        with self._mutex:
            kept = {name: noted for name, noted in self.remembered().items() if name not in gone}
            self._note(kept | {_name(one): (_came(one), how) for one in news})

    def add(self, seen: list[Waiting]) -> None:
        """Note that the session knows of these, too: it was shown them."""
        with self._mutex:
            known = self.remembered()
            if new := {_name(one): (_came(one), _SHOWN) for one in seen if _is_new(one, known, showing=True)}:
                self._note(known | new)

    def _note(self, memory: _Memory) -> None:
        """Note just these; where the disk refuses, only this process knows."""
        self._unwritten = {} if self._is_written(memory) else memory

    def _is_written(self, memory: _Memory) -> bool:
        lines = [f"{name}\t{came}\t{how}" for name, (came, how) in sorted(memory.items())]
        try:
            state_files.remember(self._path, "\0".join(lines).encode("utf-8", "surrogateescape"), flush=False)
        except OSError:
            return False
        return True

    def remembered(self) -> _Memory:
        """Return what was noted of; not to be changed."""
        return self._written() | self._unwritten if self._unwritten else self._written()

    def _written(self) -> _Memory:
        """Return what the disk tells, read again only where it was written anew."""
        try:
            mark = state_files.mark(self._path)
            if self._read[0] != mark:
                self._read = (mark, _parsed(untrusted.read_file(self._path, _LIMIT)))
        except (OSError, Malformed):
            return {}
        return self._read[1]


def _parsed(raw: bytes) -> _Memory:
    """Return what a file of notes tells; a line that is none tells nothing."""
    found: _Memory = {}
    for line in raw.decode("utf-8", "surrogateescape").split("\0"):
        name, came, how = ["", "", *line.rsplit("\t", 2)][-3:]
        if name and came.isascii() and came.isdigit():
            found[name] = (int(came), how)
    return found


def _is_new(one: Waiting, known: _Memory, showing: bool) -> bool:
    """Tell whether the session does not know of it; what a person restored since is new again."""
    noted = known.get(_name(one))
    return noted is None or noted[0] != _came(one) or (showing and noted[1] != _SHOWN)


def _name(one: Waiting) -> str:
    return f"{one.sender}/{one.name}"


def _came(one: Waiting) -> int:
    """Return when the file came there, in nanoseconds; 0 where it is gone."""
    try:
        return os.lstat(one.path).st_ctime_ns
    except OSError:
        return 0
