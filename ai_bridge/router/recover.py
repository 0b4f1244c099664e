"""Recover, at a router's start: release what a dead router claimed, and reject what was released too often."""

import json
import os
import time
from contextlib import suppress

from ai_bridge.errors import Malformed, disk_error
from ai_bridge.mailboxes.outbox import PROCESSING, Outbox
from ai_bridge.message import message
from ai_bridge.router.route import Router
from ai_bridge.router.step import Step
from ai_bridge.system import durable, state_files, untrusted

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_RELEASES = 3
_STALE_TEMPORARY_S = 86_400


class ReleasedTooOften(Malformed):
    sentence = "the router died {times} times while it held this message: restore it once the cause is found"


def recover(router: Router, counted: bool = True) -> "Iterator[Step]":
    """Release the files claimed for the agents that the router serves, yielding each step.

    The caller holds the router locks of these agents, so the process that claimed the files is dead. After
    `MAX_RELEASES` releases a message is rejected instead. A link claims many at once, so its releases are not
    `counted`. Also completes the outboxes' directories and removes old temporary files.
    """
    counts = _ReleaseCounts(router)
    outboxes = router.refresh()
    held = [
        (outbox, name) for outbox in outboxes for name in outbox.visible(PROCESSING) if _is_ours(router, outbox, name)
    ]
    if counted:
        counts.add([f"{outbox.owner}/{name}" for outbox, name in held])
    for outbox, name in held:
        yield _released(router, outbox, name, counts.get(f"{outbox.owner}/{name}") if counted else 0)
    for outbox in outboxes:
        _tidy(outbox)


def _released(router: Router, outbox: Outbox, name: str, times: int) -> Step:
    try:
        if times > MAX_RELEASES:
            return router.reject(outbox, name, ReleasedTooOften(times=times - 1))
        return Step("release", outbox, outbox.release(name), "a router that died had claimed it")
    except OSError as error:
        return Step("retry", outbox, name, str(disk_error(outbox.path, error)))


def _is_ours(router: Router, outbox: Outbox, name: str) -> bool:
    """Tell whether a claimed file was claimed for an agent this router serves."""
    to: list[str] = []
    if router.may_be_ours(name):
        try:
            to = message.parse(
                untrusted.read_file(outbox.file(PROCESSING, name), router.settings.max_message_bytes)
            ).recipients
        except (Malformed, OSError):
            to = []
    return router.serves_mover(outbox, name, to)


class _ReleaseCounts:
    """How often `recover` released each file, in the state directory; only files found claimed the last time."""

    def __init__(self, router: Router) -> None:
        self._path = router.mailboxes.state_file("released", ",".join(sorted(router.serves))[:200])
        self._counts: dict[str, int] = {}
        with suppress(OSError, ValueError, RecursionError):  # after a damaged file the counts begin at 0
            with open(self._path, encoding="ascii") as file:
                found = json.load(file)
            self._counts = {key: count for key, count in found.items() if isinstance(count, int)}

    def get(self, key: str) -> int:
        """Return how often the file of that key was found claimed."""
        return self._counts.get(key, 0)

    def add(self, keys: list[str]) -> None:
        """Count one more release of each key, and forget all others; writes the file before anything is released."""
        before, self._counts = self._counts, {key: self._counts.get(key, 0) + 1 for key in keys}
        if before == self._counts:
            return
        state_files.remember(self._path, json.dumps(self._counts).encode("ascii"))


def _tidy(outbox: Outbox) -> None:
    """Make missing directories, and remove files that dead senders left half written more than a day ago."""
    with suppress(OSError):
        outbox.complete()
        with os.scandir(untrusted.real_directory(outbox.temporary)) as entries:
            old = [entry.path for entry in entries if time.time() - entry.stat().st_mtime > _STALE_TEMPORARY_S]
        for path in old:
            durable.remove(path)
