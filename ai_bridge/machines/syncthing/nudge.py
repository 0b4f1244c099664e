"""Asks Syncthing to look at once at what was just dropped or moved: it is elsewhere in a quarter of a second.

Without it Syncthing waits for its own watcher, a second at best and ten by default. Nothing rests on this: where
nobody answers, it is only slower. Source: Syncthing's REST API, POST /rest/db/scan. Costs one failed open where
`ai-bridge sync setup` was never run.
"""

import os
from _thread import allocate_lock  # the module `threading` would cost every start

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes import changes
from ai_bridge.system import untrusted
from ai_bridge.system.directories import memory_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from threading import Event

FOLDER = "synced"
_LIMIT = 16_384
_PATIENCE_S = 0.5
_ANSWER_S = 30.0
# Where more was changed than this, whole directories are named.
_MOST = 40

# A set that one thread adds to must not be walked through by another.
_mutex = allocate_lock()
_changed: "dict[str, set[str]]" = {}
_places: "dict[str, Place | None]" = {}
_worker: "Event | None" = None


class Place:
    """Where Syncthing listens, the `key` it wants, and which of its folders holds the mailboxes, at `prefix`."""

    __slots__ = ("folder", "key", "prefix", "url")

    def __init__(self, url: str, key: str, folder: str, prefix: str = "") -> None:
        self.url = url
        self.key = key
        self.folder = folder
        self.prefix = prefix


def place(mailboxes: str) -> "Place | None":
    """Return how the mailboxes at that path are kept in step; None where no set-up was run."""
    try:
        raw = untrusted.read_file(memory_of(FOLDER, mailboxes), _LIMIT)
    except (OSError, Malformed):
        return None
    import json

    try:
        found = json.loads(raw)
        return Place(*(str(found[name]) for name in ("url", "key", "folder", "prefix")))
    except (ValueError, KeyError, TypeError):
        return None


def known(mailboxes: str) -> "Place | None":
    """Return what `place` does, looked up once until `forget`."""
    if mailboxes not in _places:
        _places[mailboxes] = place(mailboxes)
    return _places[mailboxes]


def attach() -> None:
    """Hear from now on of each change that this process makes in any mailboxes."""
    changes.listen(note)


def note(mailboxes: str, *paths: str) -> None:
    """Note that these files of the mailboxes came or went; `flush` tells of it, or the thread of `begin`."""
    if known(mailboxes) is None:
        return
    with _mutex:
        _changed.setdefault(mailboxes, set()).update(paths)
    if _worker is not None:
        _worker.set()


def forget() -> None:
    """Look anew whether mailboxes are kept in step: now and then, in a process that lives long."""
    _places.clear()


def flush(answer: bool = False) -> None:
    """Tell of all that was noted; wait until Syncthing has looked, if `answer`."""
    with _mutex:
        told = dict(_changed)
        _changed.clear()
    for mailboxes, paths in told.items():
        where = _places.get(mailboxes) or place(mailboxes)
        if where is not None:
            try:
                _ask(where, _within(where, mailboxes, paths), answer)
            except (OSError, ValueError):  # it does not run just now: it will look when it starts
                continue


def begin() -> None:
    """Attach, and tell of changes from a thread of its own, one request at a time: for processes that live long."""
    global _worker
    attach()
    if _worker is not None:
        return
    import threading

    from ai_bridge.system.signals import signals_blocked

    _worker = event = threading.Event()

    def tell() -> None:
        while True:
            event.wait()
            event.clear()
            flush(answer=True)

    with signals_blocked():  # else it might take one, and the thread that waits for it sleep on
        threading.Thread(target=tell, name="nudge", daemon=True).start()


def _within(where: Place, mailboxes: str, paths: "set[str]") -> list[str]:
    """Return the paths as Syncthing names them, or their directories where these are many."""
    if len(paths) > _MOST:
        paths = {os.path.dirname(path) for path in paths}
    inside = (os.path.relpath(path, mailboxes) for path in paths)
    return sorted(os.path.normpath(os.path.join(where.prefix, path)) for path in inside)


def _ask(where: Place, paths: list[str], answer: bool) -> None:
    from urllib.parse import quote, urlsplit

    target = urlsplit(where.url)
    subs = "".join(f"&sub={quote(path)}" for path in paths)
    with _connected(target.scheme, target.hostname or "", target.port or 8384) as connection:
        connection.sendall(
            f"POST /rest/db/scan?folder={quote(where.folder)}{subs} HTTP/1.1\r\nHost: {target.netloc}\r\n"
            f"X-API-Key: {where.key}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n".encode()
        )
        if answer:
            connection.settimeout(_ANSWER_S)
            while connection.recv(4096):
                pass


def _connected(scheme: str, host: str, port: int) -> "socket.socket":
    import socket

    connection = socket.create_connection((host, port), _PATIENCE_S)
    if scheme != "https":
        return connection
    import ssl

    # Its certificate is of its own making, and the key is given to this machine's own address only.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)
