"""The readers for which benchmarks/latency.py waits: each prints the instant at which it had a message.

usage: readers.py wait MAILBOXES | mcp MAILBOXES | hop FROM TO     (an instant is a line of `time.monotonic_ns`)
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys
import time

import common
import pipe_client

from ai_bridge import settings
from ai_bridge.inbox.wait import wait_for_mail
from ai_bridge.mailboxes.tree import Mailboxes

_MOVED_TO = 0x80  # linux/inotify.h, IN_MOVED_TO
_ONE_EVENTS_BYTES = 4096
# After a reply the server needs an instant to see that it was taken, and to acknowledge what it showed.
_SETTLING_S = 0.01


def main() -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))  # so that the server is ended too
    kind, *paths = sys.argv[1:]
    {"wait": wait, "mcp": mcp, "hop": hop}[kind](*paths)


def wait(mailboxes: str) -> None:
    """Block in the wait that `ai-bridge wait` makes; acknowledge what came."""
    where = Mailboxes(mailboxes)
    loaded = settings.load(mailboxes)
    while True:
        found = wait_for_mail(where, common.READER, loaded)
        _print_now()
        for one in found:
            one.acknowledge()


def mcp(mailboxes: str) -> None:
    """Block in a server's peer_wait; acknowledge what came by reading it."""
    with pipe_client.connected(pipe_client.mcp(mailboxes)) as client:
        while True:
            answer = client.call("peer_wait", timeout_s=600)
            if "unread for" in answer:
                _print_now()
                client.call("peer_read")
                time.sleep(_SETTLING_S)


def hop(source: str, target: str) -> None:
    """Pass on by a rename whatever is renamed into a directory, told by nothing but inotify."""
    libc = ctypes.CDLL(None, use_errno=True)
    fd = libc.inotify_init1(os.O_CLOEXEC)
    if fd < 0 or libc.inotify_add_watch(fd, os.fsencode(source), _MOVED_TO) < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), source)
    while True:
        event = os.read(fd, _ONE_EVENTS_BYTES)
        name = event[16:].rstrip(b"\0").decode()
        os.rename(os.path.join(source, name), os.path.join(target, name))
        _print_now()


def _print_now() -> None:
    print(time.monotonic_ns(), flush=True)


if __name__ == "__main__":
    main()
