"""Brings mail that waits in the user's own mailboxes for a project's agents into the project's new mailboxes.

There `codex@shop` is `codex`. A message keeps its ID, its date and its body; only `From` and `To` change. First it is
dropped in the project's mailboxes, then acknowledged in the old ones. So a crash in between loses nothing, and the
next run finds the message there and only acknowledges it.
"""

from __future__ import annotations

import os

from ai_bridge.agents import cards, presence, projects
from ai_bridge.agents.sessions import ended, further
from ai_bridge.clients import project
from ai_bridge.errors import Malformed
from ai_bridge.inbox.fetch import fetch
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import attachments, drop, find
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import Outbox
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree, is_mailboxes
from ai_bridge.mailboxes.unread import Waiting, lock_inbox
from ai_bridge.message.address import is_notice, project_of
from ai_bridge.message.message import format_message
from ai_bridge.system import untrusted
from ai_bridge.system.paths import is_within
from ai_bridge.text import counted


class Waits:
    """The mail that waits for agents of a project: the `messages` to bring here, and those that stay."""

    def __init__(self, source: Tree, target: Tree) -> None:
        self.messages: dict[str, list[Waiting]] = {}
        self.online: list[str] = []
        self._stay: dict[str, list[Waiting]] = {}
        self._source = source
        self._target = target

    def __str__(self) -> str:
        named = ", ".join(f"{agent} {len(found)}" for agent, found in self.messages.items())
        number = sum(map(len, self.messages.values()))
        waits = "waits" if number == 1 else "wait"
        return f"{counted(number, 'message')} of this project {waits} in your own mailboxes ({named})"

    def sort(self, agent: str, found: list[Waiting]) -> None:
        """Add the unread mail of an agent."""
        for one in found:
            kind = self.messages if may_come(one.sender, project_of(agent)) else self._stay
            kind.setdefault(agent, []).append(one)

    def staying(self) -> list[str]:
        """Return sentences about live sessions, and about mail that nobody could answer here, which stays."""
        going_on = [
            f"{agent} has a session that goes on with your own mailboxes: restart it" for agent in self.online
        ]
        return going_on + [
            f"{counted(len(found), 'message')} for {agent} from {', '.join(sorted({one.sender for one in found}))}"
            f" {'stays' if len(found) == 1 else 'stay'} in your own mailboxes: "
            f"`ai-bridge read --agent {agent} --mailboxes {self._source.path}`"
            for agent, found in self._stay.items()
        ]

    def take(self) -> int:
        """Bring all messages here, durably, each under its reader's lock; returns how many came.

        Makes the agents that are missing here. Raises `ReaderBusy`, `DiskError` or OSError; messages that did not
        come wait where they were, as do those that cannot be read.
        """
        taken = 0
        for agent, found in self.messages.items():
            if own := further.own_of(self._source, agent):
                further.record(self._target, _name(agent), _name(own))
            with lock_inbox(self._source, agent):
                taken += sum(self._take_one(one, _name(agent)) for one in found)
        return taken

    def _take_one(self, one: Waiting, recipient: str) -> bool:
        try:
            message = one.load()
        except Malformed:  # somebody altered it: it stays where a reader finds it
            return False
        outbox, name = self._outbox(_name(one.sender), recipient), file_name(one.id, recipient)
        paths = attachments.paths_of(one.outbox, message)
        attachments.store(outbox, {os.path.basename(path): _content(path) for path in paths})
        if not outbox.has(name):
            drop.drop(outbox, name, format_message(message.readdressed(recipient, outbox.owner)))
        return one.acknowledge()

    def _outbox(self, sender: str, recipient: str) -> Outbox:
        for name in self._target.make([sender, recipient]):
            cards.introduce(self._target, name, project=projects.folder_name())
        return self._target.outbox(sender)


def waiting(target: Tree) -> Waits:
    """Return what waits in the user's own mailboxes for the agents of the project that has the mailboxes `target`.

    Nothing waits if `target` is not in this project's folder. Delivers what is dropped there. Raises what `fetch`
    does.
    """
    source = Snapshot(find.user_wide())
    found = Waits(source, target)
    root = project.root()
    if not (root and is_within(target.real(), root)) or find.is_users_own(target) or not is_mailboxes(source.path):
        return found
    name, homes = projects.here(), source.part(Homes)
    found.online = sorted(agent for agent in presence.online(source) if project_of(agent) == name)
    for agent in source.check().agents():
        if project_of(agent) == name and homes.is_here(agent):
            found.sort(agent, fetch(source, agent, source.settings(), also=ended.nobodys))
    return found


def may_come(sender: str, of_project: str) -> bool:
    """Tell whether the sender is of the project, or has none, so that an answer can reach the sender here."""
    return project_of(sender) in (of_project, "") and not is_notice(sender)


def _name(agent: str) -> str:
    return agent.partition("@")[0]


def _content(path: str) -> bytes:
    return untrusted.read_file(path, attachments.LARGEST_BYTES)
