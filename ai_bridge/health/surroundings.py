"""The surroundings of the mailboxes: their disk, a sync tool, other machines, clocks and links."""

from __future__ import annotations

import os
import shlex

from ai_bridge.agents import presence
from ai_bridge.health import card_rules, intrusions, storage
from ai_bridge.health.finding import NOTE, OK, WRONG, Finding, worst
from ai_bridge.link.state import state
from ai_bridge.machines import clocks, presence_pages, this_machine
from ai_bridge.machines.syncthing import status
from ai_bridge.mailboxes import conflicts
from ai_bridge.mailboxes.tree import AGENTS, Tree
from ai_bridge.settings import Settings
from ai_bridge.system import directory_events, filesystems, processes, untrusted
from ai_bridge.system.directories import state_base


def examine(where: Tree, settings: Settings) -> list[Finding]:
    """Return the findings about the surroundings. Mailboxes on a single machine give few or none."""
    ignored = [Finding("settings", NOTE, sentence, "ai-bridge config") for sentence in settings.ignored]
    stored = storage.examine(where, settings, _existing(state_base()))
    around = [*stored, *_disk(where, settings), *_sync(where), *_machines(where), *_clocks(where), *_copies(where)]
    return [
        *intrusions.examine(where),
        *ignored,
        *card_rules.examine(where),
        *_events(settings),
        *around,
        *_links(where),
    ]


def level(found: list[Finding]) -> int:
    """Return the worst level of these findings. It is NOTE at most unless the disk takes nothing: else mail moves."""
    return max(worst(one for one in found if one.where == storage.WHERE), min(worst(found), NOTE))


def _events(settings: Settings) -> list[Finding]:
    """Return a finding if mail is noticed late because of the library that reports arrivals."""
    why = "" if settings.poll else directory_events.slow_because()
    if not why:
        return []
    said = f"each message is noticed half a second late or later: this watchdog does not fit ({why})"
    return [Finding("events", NOTE, said, processes.pip_command("watchdog"))]


def _disk(where: Tree, settings: Settings) -> list[Finding]:
    found = []
    disk = filesystems.file_system(where.path)
    if disk.is_network:
        said = f"the mailboxes are on {disk}: looked at every {settings.poll_s:g} s (setting poll_s)"
        if disk.type == "fuse.sshfs":
            said += "; mounted without `-o dir_cache=no` it shows others' mail only after 20 s"
        found.append(Finding("share", OK, said))
    own = filesystems.file_system(_existing(state_base()))
    if own.is_network:
        said = f"the state directory {state_base()} is on {own}, and its locks may not reach other machines"
        found.append(Finding("state", WRONG, said, "export AI_BRIDGE_STATE=/var/tmp/ai-bridge-state"))
    return found


def _existing(path: str) -> str:
    """Return the path, or the nearest directory above it that exists."""
    while not os.path.isdir(path):
        path = os.path.dirname(path)
    return path


def _sync(where: Tree) -> list[Finding]:
    found = status.status_of(where)
    if found is not None:
        well = [Finding("sync", OK, str(found))] if not found.troubles else []
        return well + [Finding("sync", WRONG, trouble, "ai-bridge sync") for trouble in found.troubles]
    tool = filesystems.sync_tool(where.path)
    if not tool:
        return []
    fix = "ai-bridge sync setup" if tool == "Syncthing" else ""
    said = f"{tool} keeps the mailboxes in step, and is not asked to hurry"
    return [Finding("sync", NOTE if fix else OK, said, fix)]


def _machines(where: Tree) -> list[Finding]:
    """Return a finding that names the other machines. A silent machine is no trouble, because its mail waits."""
    others = sorted(presence.known_machines(where) - {this_machine.here()})
    if not others:
        return []
    fresh = presence_pages.fresh(where)
    told = ", ".join(f"{name} ({'there' if name in fresh else 'silent'})" for name in others)
    return [Finding("machines", OK, f"this is {this_machine.here()}; others: {told}")]


def _clocks(where: Tree) -> list[Finding]:
    found = []
    for name, seconds in clocks.notable(where).items():
        if name == clocks.HERE:
            said = f"this machine's clock jumped by {seconds:+.0f} s within a day"
        else:
            said = f"the clock of {name} is about {abs(seconds):.0f} s {'ahead' if seconds > 0 else 'behind'}"
        found.append(Finding("clock", NOTE, f"{said}; no mail depends on it", "timedatectl set-ntp true"))
    return found


def _copies(where: Tree) -> list[Finding]:
    """Find cards and pages that two machines wrote: the sync tool kept both, and one is in force."""
    found = []
    for folder in (AGENTS, presence_pages.FOLDER):
        directory = os.path.join(where.path, folder)
        for name in sorted(untrusted.listed(directory)):
            if conflicts.original(name):
                path = os.path.join(directory, name)
                said = f"{path} is a conflict copy of {conflicts.original(name)}, which is in force"
                found.append(Finding("copy", NOTE, said, f"rm {shlex.quote(path)}"))
    return found


def _links(where: Tree) -> list[Finding]:
    found = []
    for one in state(where):
        what, place = f"link {one.link.team}", one.link.shown_url
        if one.connected:
            waits = f"{one.to_send} to send, {one.sent or 0} sent and not taken, {one.to_receive or 0} to receive"
            found.append(Finding(what, OK, f"connected to {place} since {one.since}; {waits}"))
        else:
            said = f"not connected to {place}: {one.trouble or 'it is just starting'}; {one.to_send} to send"
            found.append(Finding(what, WRONG, said, "ai-bridge link"))
        found += [Finding(what, NOTE, note) for note in one.notes]
    return found
