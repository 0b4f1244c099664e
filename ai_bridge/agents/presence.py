"""Finds the agents that are online: by the locks of live sessions on this machine, by the pages of other machines.

A lock needs no heartbeat and leaves no ghosts, but it does not reach another machine. If the mailboxes are shared,
each machine keeps a page, `presence/<home>.md`, which it alone writes. A page counts as fresh by the changes seen
here, never by a comparison of two machines' clocks.
"""

import os
import time

from ai_bridge.machines import homes, presence_pages, this_machine
from ai_bridge.mailboxes import changes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import address
from ai_bridge.system import durable, front_matter, state_files, times, untrusted
from ai_bridge.system.locks import Holder, Lock, holder

SESSION = "session"
# A page names this many agents that are not online, those seen last.
_SEEN = 200
_TEXT = "Which agents have a session on this machine. Only this machine writes this page; it is of no use to edit it."


class Presence:
    """The presence of one agent: if it is `online`, `since` when, when it was last `seen`, and its session's `home`.

    Times are seconds since the epoch, by the clock of the session's machine; 0.0 if they are not known.
    `home` is a machine's ID. `client` is known only for sessions on this machine, else ''.
    """

    __slots__ = ("client", "home", "online", "seen", "since")

    def __init__(self, home: str, online: bool, since: float = 0.0, seen: float = 0.0, client: str = "") -> None:
        self.home = home
        self.online = online
        self.since = since
        self.seen = seen
        self.client = client


def all_presences(mailboxes: Tree) -> dict[str, Presence]:
    """Return the presence of each agent that has a session, or that is known to have had one."""
    found = _elsewhere(mailboxes)
    for agent, own in _here(mailboxes).items():
        other = found.get(agent)
        if other is None or own.online or (not other.online and own.seen >= other.seen):
            found[agent] = own
    return found


def online(mailboxes: Tree) -> set[str]:
    """Return the agents that have a live session somewhere."""
    return {agent for agent, presence in all_presences(mailboxes).items() if presence.online}


# --- this machine ---------------------------------------------------------------------------------------


def known_machines(mailboxes: Tree) -> set[str]:
    """Return the IDs of all known machines: this one, those with a page, and those that agents live on."""
    from ai_bridge.agents import address_book  # a parser of cards, which most callers of this module do not need

    named = {card.get("home") for card in address_book.load_all(mailboxes).values()}
    homed = {one for one in named if this_machine.is_home(one)}
    return homed | {this_machine.here(), *presence_pages.pages(mailboxes)}


def session(mailboxes: Tree, agent: str) -> Holder | None:
    """Return the live session that has this address on this machine, None if there is none."""
    return holder(mailboxes.lock_file(SESSION, agent))


def _here(mailboxes: Tree) -> dict[str, Presence]:
    """Return the presence of the agents that have, or had, a session on this machine, or read from its shell."""
    me, found = this_machine.here(), {}
    for role, name in _lock_names(mailboxes):
        path = mailboxes.lock_file(role, name)
        held = holder(path) if role == SESSION else None
        seen = state_files.written_s(path)
        if held is not None:
            found[name] = Presence(me, True, times.parse_utc(held.since), time.time(), held.serves.partition(" ")[2])
        elif name not in found:
            found[name] = Presence(me, False, 0.0, seen)
        elif not found[name].online:
            found[name].seen = max(found[name].seen, seen)
    return found


def _lock_names(mailboxes: Tree) -> list[tuple[str, str]]:
    """Return (role, agent) of the locks of agents' sessions and readers, the sessions first."""
    names = untrusted.listed(mailboxes.state_file("locks"))
    parts = [name.removesuffix(".lock").partition("-") for name in names]
    found = [(role, agent) for role, _, agent in parts if role in (SESSION, "reader") and address.is_address(agent)]
    return sorted(found, reverse=True)


# --- other machines -------------------------------------------------------------------------------------


def _elsewhere(mailboxes: Tree) -> dict[str, Presence]:
    """Return the presence of the agents that other machines' pages name."""
    found: dict[str, Presence] = {}
    for name in presence_pages.pages(mailboxes):
        raw, said = presence_pages.read_page(mailboxes, name)
        fresh = bool(raw) and presence_pages.is_fresh(mailboxes, name, raw, times.parse_utc(said.get("at")))
        for agent, since in _times(said.get("online")):
            if agent not in found or not found[agent].online:
                seen = time.time() if fresh else times.parse_utc(said.get("at"))
                found[agent] = Presence(name, fresh, since, seen)
        for agent, seen in _times(said.get("seen")):
            if agent not in found or (not found[agent].online and found[agent].seen < seen):
                found[agent] = Presence(name, False, 0.0, seen)
    return found


# --- this machine's own page ----------------------------------------------------------------------------


def announce(mailboxes: Tree, is_up: bool = False) -> bool:
    """Write this machine's page if it is due; True if it was written. Takes the page's lock.

    The page is due when a session came or went, or when the list of agents that this machine asks for has changed.
    It is also due every `HEARTBEAT_S` seconds while there is a session, or if a router asks (`is_up`). No page is
    written if no other machine has a page or is an agent's home: nobody would read it. Raises `NewerFormat` or
    OSError.
    """
    if not _has_others(mailboxes):
        return False
    mailboxes.refuse_newer()
    lock = Lock(mailboxes.lock_file("presence", "page"))
    if not lock.acquire("presence", patience_s=0.0):
        return False
    with lock:
        return _write_if_due(mailboxes, is_up)


def _has_others(mailboxes: Tree) -> bool:
    return bool(presence_pages.pages(mailboxes) or known_machines(mailboxes) - {this_machine.here()})


def _write_if_due(mailboxes: Tree, is_up: bool) -> bool:
    me, now = this_machine.here(), time.time()
    path, here = presence_pages.page_path(mailboxes, me), _here(mailboxes)
    awake = {agent: times.format_utc(one.since) for agent, one in sorted(here.items()) if one.online}
    said = presence_pages.read_page(mailboxes, me)[1]
    wanted = dict.fromkeys(homes.wanted(mailboxes), "asked for")
    is_news = (said.get("online") or {}) != awake or (said.get("wants") or {}) != wanted
    if not is_news and (not (awake or is_up) or 0 <= now - state_files.written_s(path) < presence_pages.HEARTBEAT_S):
        return False
    latest = sorted((agent for agent in here if agent not in awake), key=lambda agent: -here[agent].seen)[:_SEEN]
    seen = {agent: times.format_utc(here[agent].seen) for agent in latest}
    said = {"host": me, "at": times.format_utc(now), "online": awake, "seen": seen}
    raw = front_matter.format_page(said | ({"wants": wanted} if wanted else {}), _TEXT)
    durable.make_directory(os.path.dirname(path))
    durable.replace_own(path, raw, flush=False)
    changes.report(mailboxes.path, path)
    return True


def _times(said: object) -> list[tuple[str, float]]:
    """Return (agent, time) for each valid entry of one part of a page; times are seconds since the epoch."""
    entries = said.items() if isinstance(said, dict) else ()
    named = [(agent, at) for agent, at in entries if isinstance(agent, str) and address.is_address(agent)]
    return [(agent, times.parse_utc(at)) for agent, at in named]
