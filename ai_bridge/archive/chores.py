"""The chores of a router: it fulfils wishes, ends expired mail, and archives old mail beside its work."""

import threading
import time
from collections.abc import Iterator

from ai_bridge.archive import expire, fulfil, threads, wishes
from ai_bridge.archive.threads import Run
from ai_bridge.archive.wishes import ARCHIVE
from ai_bridge.errors import BridgeError
from ai_bridge.machines import this_machine
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system import durable, times
from ai_bridge.text import counted

# How often the setting `archive_after` is looked at, at most.
_EVERY_S = 3600.0
# How often unread mail is looked through for what has expired, at most.
_EXPIRY_S = 30.0


class Chores:
    """The chores of one router. A thread archives, so that no mail waits for it; at most one runs at a time."""

    def __init__(self, mailboxes: Tree, settings: Settings) -> None:
        self._mailboxes = mailboxes
        after = settings.archive_after
        self._after_s = times.parse_duration(after, "archive_after") if after else -1
        self._next_at = self._expiry_at = time.monotonic()
        self._thread: threading.Thread | None = None
        self._is_stopped = threading.Event()
        self._said: list[str] = []
        self._lasting: set[tuple[str, str]] = set()

    def tend(self, is_asked: bool) -> Iterator[str]:
        """Fulfil wishes if there are any, end expired mail, and begin to archive if due; yields lines for the log.

        Raises OSError or `BridgeError`.
        """
        while self._said:
            yield self._said.pop(0)
        if is_asked:
            yield from fulfil.fulfil(self._mailboxes)
        if time.monotonic() >= self._expiry_at:
            self._expiry_at = time.monotonic() + _EXPIRY_S
            yield from expire.sweep(self._mailboxes, self._lasting)
        if self._thread is None or not self._thread.is_alive():
            self._begin(is_asked)

    def stop(self) -> None:
        """Have the thread end after the messages in hand, and wait for it."""
        self._is_stopped.set()
        self.join()

    def join(self) -> None:
        """Wait until nothing is being archived."""
        if self._thread is not None:
            self._thread.join()

    def _begin(self, is_asked: bool) -> None:
        """Begin the next run, if one is due."""
        age_s, wish = self._asked() if is_asked else (-1, "")
        if age_s < 0 and self._after_s >= 0 and time.monotonic() >= self._next_at:
            age_s, self._next_at = self._after_s, time.monotonic() + _EVERY_S
        if age_s >= 0:
            self._thread = threading.Thread(target=self._archive, args=(age_s, wish), name="archive", daemon=True)
            self._thread.start()

    def _asked(self) -> tuple[int, str]:
        """Return the age in seconds, and the path, of the first wish to archive on this machine; (-1, '') if none."""
        here = this_machine.here()
        for wish in wishes.asked(self._mailboxes):
            if wish.what == ARCHIVE and wish.on == here and wish.of.isascii() and wish.of.isdigit():
                return int(wish.of[:12]), wish.path
        return -1, ""

    def _archive(self, age_s: int, wish: str) -> None:
        """Archive all that is due, and remove the wish for it, if there is one; an error is noted for the log."""
        run = Run()
        try:
            for _ in threads.steps(self._mailboxes, age_s, run):
                if self._is_stopped.is_set():
                    return
            if wish:
                durable.remove(wish, flush=True)
        except (OSError, BridgeError) as trouble:
            self._said.append(f"not all old mail was archived: {trouble}")
        if run.messages:
            self._said.append(f"archived {counted(run.messages, 'message')} of {counted(run.threads, 'thread')}")
