"""Asks Syncthing to scan changed files now, so that they reach other machines within 0.25 s.

Otherwise Syncthing waits for its own watcher: a second at best, ten by default. Nothing depends on this: if Syncthing
does not answer, mail is only slower. If `ai-bridge sync setup` was never run, it costs one failed open. Source:
Syncthing's REST API, POST /rest/db/scan.
"""

import os
from _thread import allocate_lock  # importing `threading` would slow every start

from ai_bridge.errors import Malformed
from ai_bridge.mailboxes import changes
from ai_bridge.system import untrusted
from ai_bridge.system.directories import memory_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    import socket
    from threading import Event

FOLDER = changes.SYNCED
_LIMIT = 16_384
_PATIENCE_S = 0.5
_ANSWER_S = 30.0
# If more files than this changed, whole directories are named.
_MOST = 40

# One thread must not walk through a set while another adds to it.
_mutex = allocate_lock()
_changed: "dict[str, set[str]]" = {}
_places: "dict[str, SyncedFolder | None]" = {}
_worker: "Event | None" = None


class SyncedFolder:
    """Syncthing's `url` and `key`, the ID of its `folder` with the mailboxes, and their path in it (`prefix`)."""

    __slots__ = ("folder", "key", "prefix", "url")

    def __init__(self, url: str, key: str, folder: str, prefix: str = "") -> None:
        self.url = url
        self.key = key
        self.folder = folder
        self.prefix = prefix


def place(mailboxes: str) -> "SyncedFolder | None":
    """Return how Syncthing syncs the mailboxes at that path, from the disk; None if no set-up was run."""
    try:
        raw = untrusted.read_file(memory_of(FOLDER, os.path.realpath(mailboxes)), _LIMIT)
    except (OSError, Malformed):
        return None
    import json

    try:
        found = json.loads(raw)
        return SyncedFolder(*(str(found[name]) for name in ("url", "key", "folder", "prefix")))
    except (ValueError, KeyError, TypeError):
        return None


def place_once(mailboxes: str) -> "SyncedFolder | None":
    """Return the same as `place`, which is asked once until `forget`."""
    if mailboxes not in _places:
        _places[mailboxes] = place(mailboxes)
    return _places[mailboxes]


def attach() -> None:
    """From now on note each change that this process makes in any mailboxes."""
    changes.listen(add)


def add(mailboxes: str, *paths: str) -> None:
    """Note that these files of the mailboxes came or went; `flush`, or the thread of `begin`, passes it on."""
    if place_once(mailboxes) is None:
        return
    with _mutex:
        _changed.setdefault(mailboxes, set()).update(paths)
    if _worker is not None:
        _worker.set()


def forget() -> None:
    """Forget which mailboxes Syncthing syncs, so that it is looked up again: for processes that live long."""
    _places.clear()


def flush(answer: bool = False) -> None:
    """Ask Syncthing to scan all that was noted; if `answer`, wait until it has done so.

    If Syncthing does not run, nothing is raised.
    """
    with _mutex:
        told = dict(_changed)
        _changed.clear()
    for mailboxes, paths in told.items():
        where = _places.get(mailboxes) or place(mailboxes)
        if where is not None:
            try:
                _ask(where, _within(where, mailboxes, paths), answer)
            except (OSError, ValueError):  # Syncthing does not run just now: it scans when it starts
                continue


class PassedOn:
    """A block whose changes are passed on at its end: for programs that live long and have no thread for it."""

    def __enter__(self) -> None:
        attach()
        forget()

    def __exit__(self, *_: object) -> None:
        flush()


def begin() -> None:
    """Attach, and start a thread that passes changes on, one request at a time: for processes that live long."""
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

    with signals_blocked():  # else it might take a signal that must wake another thread
        threading.Thread(target=tell, name="nudge", daemon=True).start()


def _within(where: SyncedFolder, mailboxes: str, paths: "set[str]") -> list[str]:
    """Return the paths as Syncthing names them, or their directories if there are many."""
    if len(paths) > _MOST:
        paths = {os.path.dirname(path) for path in paths}
    inside = (os.path.relpath(path, mailboxes) for path in paths)
    return sorted(os.path.normpath(os.path.join(where.prefix, path)) for path in inside)


def _ask(where: SyncedFolder, paths: list[str], answer: bool) -> None:
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

    # Syncthing signs its certificate itself, and the key is given to this machine's own address only.
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(connection, server_hostname=host)
