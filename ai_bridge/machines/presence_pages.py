"""The other machines: each describes itself on a page that it alone writes, `presence/<home>.md`.

A page counts as fresh by the changes seen here; two machines' clocks are never compared.
"""

import os
import time
from contextlib import suppress

from ai_bridge.errors import Malformed
from ai_bridge.machines import this_machine
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import durable, front_matter, state_files, times, untrusted

FOLDER = "presence"
HEARTBEAT_S = 25.0
OFFLINE_S = 60.0
_ENDING = ".md"
# Enough for some ten thousand sessions.
_PAGE_BYTES = 1_048_576

# The last content of each page. Reading a page costs little, but parsing it at every sweep would cost much.
_parsed: dict[str, tuple[bytes, dict[str, object]]] = {}


def fresh(mailboxes: Tree) -> set[str]:
    """Return the other machines whose page changed less than `OFFLINE_S` seconds ago, as seen here."""
    found = set()
    for name in pages(mailboxes):
        raw, said = read_page(mailboxes, name)
        if raw and is_fresh(mailboxes, name, raw, times.parse_utc(said.get("at"))):
            found.add(name)
    return found


def stated(mailboxes: Tree) -> dict[str, tuple[str, float]]:
    """Return, for each other machine with a page, a text that changes with the page, and the time of its writing.

    The time is the one that the page names, in seconds since the epoch; 0.0 if it names none.
    """
    found = {}
    for name in pages(mailboxes):
        said = read_page(mailboxes, name)[1]
        found[name] = (str(said.get("at")), times.parse_utc(said.get("at")))
    return found


def asked(mailboxes: Tree) -> dict[str, str]:
    """Return the agents for which other machines ask, and the machine that asks: of several, the first by its ID.

    A machine that has gone silent is given no agents: their mail would wait there unread.
    """
    found: dict[str, str] = {}
    for name in pages(mailboxes):
        raw, said = read_page(mailboxes, name)
        agents = _asked_by(said)
        if agents and is_fresh(mailboxes, name, raw, times.parse_utc(said.get("at"))):
            for agent in agents:
                found.setdefault(agent, name)
    return found


def _asked_by(said: dict[str, object]) -> list[str]:
    wants = said.get("wants")
    return [agent for agent in wants if isinstance(agent, str)] if isinstance(wants, dict) else []


def pages(mailboxes: Tree) -> list[str]:
    """Return the IDs of the other machines that have a page, sorted."""
    names = untrusted.listed(os.path.join(mailboxes.path, FOLDER))
    homes = {name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING)} - {this_machine.here()}
    return sorted(filter(this_machine.is_home, homes))


def read_page(mailboxes: Tree, name: str) -> tuple[bytes, dict[str, object]]:
    """Return the bytes of a machine's page and its fields; both are empty if it cannot be read."""
    path = page_path(mailboxes, name)
    try:
        raw = untrusted.read_file(path, _PAGE_BYTES)
        known = _parsed.get(path)
        if known is None or known[0] != raw:
            known = _parsed[path] = (raw, _said(raw))
    except (OSError, Malformed):
        return b"", {}
    return known if known[1] else (b"", {})


def _said(raw: bytes) -> dict[str, object]:
    try:
        return front_matter.parse(raw)[0]
    except ValueError:
        return {}


def page_path(mailboxes: Tree, name: str) -> str:
    """Return the path of a machine's page, which may not exist."""
    return os.path.join(mailboxes.path, FOLDER, name + _ENDING)


def is_fresh(mailboxes: Tree, name: str, raw: bytes, stated: float) -> bool:
    """Tell whether the page changed within the last `OFFLINE_S` seconds, as seen here.

    The time of its last change is remembered in the state directory, which this may write to. A page that is seen for
    the first time counts as written at the time that it has `stated` (seconds since the epoch).
    """
    import hashlib

    memory, digest = mailboxes.state_file("seen", name), hashlib.sha256(raw).hexdigest().encode()
    known = state_files.recall(memory, 256)
    if known != digest:
        with suppress(OSError):
            state_files.remember(memory, digest, flush=False)
            if not known:
                durable.set_written(memory, int(min(stated, time.time()) * 1_000_000_000))
    return 0 <= time.time() - (state_files.written_s(memory) or stated) < OFFLINE_S
