"""Which mail a hook may carry to the model, instead of a notice: short mail from near senders whom the agent knows.

A message that another way could bring, or from a sender that is far away, is only announced.
"""

from __future__ import annotations

import os
from collections.abc import Iterable

from ai_bridge.agents.person import is_persons
from ai_bridge.errors import BridgeError
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.file_names import file_name
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.message import ids
from ai_bridge.message.address import is_notice, project_of
from ai_bridge.message.headers import COMPLETED
from ai_bridge.message.message import Message
from ai_bridge.settings import FULL, Settings
from ai_bridge.system import state_files, times

_CONTACTS = "contacts"
_BYTES = 1_000_000


class Carrier:
    """Chooses the mail that a hook of a session of `agent` may carry, by the settings that are in force."""

    def __init__(self, mailboxes: Tree, agent: str, loaded: Settings) -> None:
        self._mailboxes = mailboxes
        self._agent = agent
        self._loaded = loaded
        self._known = contacts(mailboxes, agent)

    def choose(self, unread: list[Waiting]) -> list[Waiting]:
        """Return the messages to carry, of all unread mail of the agent, oldest first.

        A message never comes before an earlier one of its sender. Reads the messages and the cards of their senders.
        """
        chosen: list[Waiting] = []
        behind: set[str] = set()
        for one in unread:
            if one.sender not in behind and self._is_carried(one):
                chosen.append(one)
            else:
                behind.add(one.sender)
        return chosen

    def _is_carried(self, one: Waiting) -> bool:
        if self._loaded.reach == FULL:
            return True
        try:
            message = one.load()
        except (BridgeError, OSError):
            return False
        return len(message.body) <= self._loaded.carry_chars and self._is_near(one, message)

    def _is_near(self, one: Waiting, message: Message) -> bool:
        """Tell whether a message is from a person or a known agent of my project, and was sent on this machine."""
        if (
            is_notice(one.sender)
            or not _is_composed(one, message)
            or not self._mailboxes.part(Homes).is_here(one.sender)
        ):
            return False
        if is_persons(self._mailboxes, one.sender):
            return True
        is_mine = project_of(one.sender) == project_of(self._agent)
        return is_mine and (one.sender in self._known or self._is_answer(one.sender, message))

    def _is_answer(self, sender: str, message: Message) -> bool:
        """Tell whether a message answers mail that the agent sent to that sender."""
        asked = message.get("In-Reply-To") or ""
        name = file_name(asked, sender)
        mine = self._mailboxes.outbox(self._agent)
        return bool(asked) and any(os.path.lexists(mine.file(state, name)) for state in (READ, UNREAD))


def _is_composed(one: Waiting, message: Message) -> bool:
    """Tell whether a way of sending composed the message, and not somebody by hand."""
    is_complete = message.get(COMPLETED) is None and ids.is_own_id(one.id)
    return is_complete and message.get("Date") == times.stamp_to_date(ids.stamp_of(one.id))


def contacts(mailboxes: Tree, agent: str) -> set[str]:
    """Return the senders of whom a session of the agent was shown mail before."""
    raw = state_files.recall(mailboxes.state_file(_CONTACTS, agent), _BYTES)
    return set(raw.decode("utf-8", "replace").split())


def note_contacts(mailboxes: Tree, agent: str, senders: Iterable[str]) -> None:
    """Note that a session of the agent was shown mail from these senders; if the disk refuses, it is not noted."""
    known = contacts(mailboxes, agent)
    if new := set(senders) - known:
        try:
            state_files.remember(
                mailboxes.state_file(_CONTACTS, agent), "\n".join(sorted(known | new)).encode(), flush=False
            )
        except OSError:
            return
