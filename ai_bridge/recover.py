"""Recover, at a router's start: release what a dead router held, and set aside what killed it too often."""

import os
import time

from ai_bridge import durable, message, reading
from ai_bridge.errors import Malformed, ReleasedTooOften
from ai_bridge.outbox import PROCESSING, Outbox
from ai_bridge.route import Router, Step

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_RELEASES = 3
_STALE_TEMPORARY_S = 86_400


def recover(router: Router) -> "Iterator[Step]":
    """Release what was claimed for the agents the router serves, yielding each step.

    The caller holds their router locks, so whoever claimed it is dead. A message found claimed after
    `MAX_RELEASES` releases is rejected instead.
    """
    counts = _ReleaseCounts(router)
    outboxes = router.look()
    held = [
        (outbox, name) for outbox in outboxes for name in outbox.names(PROCESSING) if _is_ours(router, outbox, name)
    ]
    counts.add([f"{outbox.owner}/{name}" for outbox, name in held])
    for outbox, name in held:
        times = counts.get(f"{outbox.owner}/{name}")
        if times > MAX_RELEASES:
            yield router.reject(outbox, name, ReleasedTooOften(times=times - 1))
        else:
            yield _release(outbox, name)
    for outbox in outboxes:
        outbox.complete()
        _remove_stale(outbox)


def _is_ours(router: Router, outbox: Outbox, name: str) -> bool:
    """Tell whether a claimed file was claimed for an agent this router serves."""
    to: list[str] = []
    if router.may_be_ours(name):
        try:
            to = message.parse(
                reading.read_file(outbox.file(PROCESSING, name), router.settings.max_message_bytes)
            ).recipients
        except (Malformed, OSError):
            to = []
    return router.serves_mover(outbox, name, to)


def _release(outbox: Outbox, name: str) -> Step:
    """Put a claimed file back; where its name was taken meanwhile, under a free one."""
    free, number = name, 0
    while True:
        try:
            outbox.move("release", name, free)
        except FileExistsError:
            number += 1
            free = f"{name.removesuffix('.txt')}~{number}.txt"
        else:
            return Step("release", outbox, free, "a router that died had claimed it")


class _ReleaseCounts:
    """How often each file was released by `recover`: kept in the state directory, for files still held then."""

    def __init__(self, router: Router) -> None:
        self._path = router.mailboxes.state_file("released", ",".join(sorted(router.serves))[:200])
        self._counts: dict[str, int] = {}
        try:
            with open(self._path, encoding="utf-8", errors="surrogateescape") as file:
                lines = [line.rstrip("\n").partition(" ") for line in file]
            self._counts = {key: int(count) for count, _, key in lines if count.isdigit()}
        except OSError:
            return

    def get(self, key: str) -> int:
        return self._counts.get(key, 0)

    def add(self, keys: list[str]) -> None:
        """Count one more release of each key and forget all others; written before anything is released."""
        before, self._counts = self._counts, {key: self._counts.get(key, 0) + 1 for key in keys}
        if before == self._counts:
            return
        durable.make_directory(os.path.dirname(self._path))
        text = "".join(f"{count} {key}\n" for key, count in self._counts.items())
        durable.replace_own(self._path, text.encode("utf-8", "surrogateescape"))


def _remove_stale(outbox: Outbox) -> None:
    """Remove what senders that died left half written a day ago; a message was never accepted from there."""
    try:
        with os.scandir(outbox.temporary) as entries:
            old = [entry.path for entry in entries if time.time() - entry.stat().st_mtime > _STALE_TEMPORARY_S]
    except OSError:
        return
    for path in old:
        durable.remove(path)
