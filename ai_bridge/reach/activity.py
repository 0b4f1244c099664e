"""Whether a session is at work, known from its hooks. Hooks reach a working session sooner than anything else.

A hook that is a process of its own leaves a note in the state directory, where the session's server finds it.
"""

from __future__ import annotations

import threading
import time
from contextlib import suppress

from ai_bridge import clients
from ai_bridge.agents.session_keys import digest
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import state_files

# How often a thread that waits for a hook looks for its note. It waits for seconds, and only while mail is there.
_LOOK_S = 0.2
_EVENT_BYTES = 256


class Activity:
    """The turn of one session: hooks record their events here, and a thread that wants to push asks first."""

    def __init__(self) -> None:
        self._heard = 0.0
        self._works = False
        self._changed = threading.Event()
        self._note = ""
        self._mark: state_files.Mark | None = None

    def follow(self, mailboxes: Tree, key: str) -> None:
        """From now on, also count the hooks of the session `key` that leave notes."""
        self._note = _note(mailboxes, key)
        self._hear()

    def record(self, event: str) -> None:
        """Record that a hook for `event` ran just now, and wake the thread that waits for a change."""
        self._record(event, time.monotonic())
        self._changed.set()

    def _record(self, event: str, heard: float) -> None:
        self._works = not is_idle_after(event)
        self._heard = heard

    def is_at_work(self) -> bool:
        """Tell whether a turn was going on when a hook ran last; its end may have run no hook."""
        self._hear()
        return self._works

    def left_to_hooks_s(self, hooks_s: float) -> float:
        """Return for how many seconds to leave the session to its hooks; 0.0 if it is idle or has no hooks."""
        self._hear()
        return max(self._heard + hooks_s - time.monotonic(), 0.0) if self._works else 0.0

    def await_change(self, timeout_s: float) -> None:
        """Wait until a hook runs or the session ends, at most `timeout_s` seconds."""
        deadline = time.monotonic() + timeout_s
        while (left_s := deadline - time.monotonic()) > 0:
            if self._changed.wait(min(left_s, _LOOK_S) if self._note else left_s) or self._hear():
                break
        self._changed.clear()

    def end(self) -> None:
        """Wake the thread that waits for a change, because the session ends."""
        self._changed.set()

    def _hear(self) -> bool:
        """Record the event of a note that was written since the last look; tell whether there was one."""
        try:
            mark = state_files.mark(self._note)
        except OSError:
            return False
        if mark == self._mark:
            return False
        age_s = max(time.time() - state_files.written_s(self._note), 0.0)
        self._mark = mark
        self._record(
            state_files.recall(self._note, _EVENT_BYTES).decode("ascii", "replace"), time.monotonic() - age_s
        )
        return True


def leave_note(mailboxes: Tree, key: str, event: str) -> None:
    """Write for the server of the session `key` that its hook for `event` runs now; a full disk is no trouble."""
    with suppress(OSError):
        state_files.remember(_note(mailboxes, key), event.encode("ascii", "replace")[:_EVENT_BYTES], flush=False)


def _note(mailboxes: Tree, key: str) -> str:
    return mailboxes.state_file("turns", digest(key))


def is_idle_after(event: str) -> bool:
    """Tell whether a session is idle after `event`; a session that only begins does not work yet.

    Such an event is recorded only once its hook has noted what it announces: the push would be sooner.
    """
    hooks = (client.hooks for client in clients.ALL)
    return any(event in (one.begins, one.turn_end, one.ends) for one in hooks)
