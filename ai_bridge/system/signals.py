"""Signals: threads that leave them to the thread that waits, and programs that put another one in their place."""

import signal
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


_BLOCKED = ("SIGTERM", "SIGINT", "SIGHUP")


@contextmanager
def signals_blocked() -> "Iterator[None]":
    """Keep threads started in this block from taking signals, which would not wake the thread that waits for them."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _blocked())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def unblock() -> None:
    """Let this thread take those signals, as a program must that another one put in its own place by `exec`."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _blocked())


def _blocked() -> "list[signal.Signals]":
    return [signal.Signals[name] for name in _BLOCKED]
