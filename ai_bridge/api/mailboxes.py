"""Mailboxes, as Python programs see them."""

from __future__ import annotations

import os

from ai_bridge import settings
from ai_bridge.agents.peers import Peer, all_peers
from ai_bridge.api.agent import Agent
from ai_bridge.api.message import Message, past
from ai_bridge.errors import BridgeError
from ai_bridge.health import report
from ai_bridge.health.finding import OK, Finding
from ai_bridge.history import search
from ai_bridge.history.query import Query
from ai_bridge.mailboxes import find, trace
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.trace import Place
from ai_bridge.settings import Settings


class Mailboxes:
    """The mailboxes at a path: a directory with one outbox for each agent.

    Args:
        path: The directory. It is trusted, because it is named.

    Raises:
        BridgeError: It holds no mailboxes, or it is on a share that is not mounted.

    Example:
        >>> mail = ai_bridge.Mailboxes("mailboxes")
        >>> mail.agents()
        ['claude', 'gemini']
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        path = os.fspath(path)
        if not path or not isinstance(path, str) or "\0" in path:
            raise BridgeError(what=f"{path!r} names no mailboxes: give the path of their directory")
        self._tree = Snapshot(path).check_and_remember().tree()

    @classmethod
    def find(cls) -> Mailboxes:
        """Return the mailboxes that a command run here would use.

        These are those of `AI_BRIDGE_MAILBOXES`, else the nearest from the working directory upwards, else the
        user's own.

        Returns:
            The mailboxes.

        Raises:
            BridgeError: There are none, or the user has not adopted those that were found.

        Example:
            >>> ai_bridge.Mailboxes.find().agents()
            ['claude', 'gemini']
        """
        found = cls.__new__(cls)
        found._tree = find.find_mailboxes(by_client=None).tree()
        return found

    def __repr__(self) -> str:
        return f"<Mailboxes {self.path}>"

    @property
    def path(self) -> str:
        """The absolute path of the directory."""
        return self._tree.path

    def settings(self) -> Settings:
        """Return the settings in force, read from their files and from the environment.

        Returns:
            The settings, one attribute each, such as `max_message_bytes`.

        Raises:
            BridgeError: The user's settings file, or a variable, holds a mistake.

        Example:
            >>> mail.settings().max_hops
            20
        """
        return settings.load(self.path)

    def agents(self) -> list[str]:
        """Return the addresses of all agents, sorted.

        Returns:
            The addresses of those that have an outbox.

        Raises:
            BridgeError: The mailboxes are gone.

        Example:
            >>> mail.agents()
            ['claude', 'gemini']
        """
        return self._tree.agents()

    def agent(self, address: str) -> Agent:
        """Return one agent, to send and read in its name.

        Args:
            address: The whole address of an agent that has an outbox.

        Returns:
            The agent.

        Raises:
            BridgeError: There is no such agent; the sentence names those that there are.

        Example:
            >>> mail.agent("claude").address
            'claude'
        """
        return Agent(self._tree, self._tree.known_agent(address))

    def search(
        self,
        words: str = "",
        *,
        agent: str | None = None,
        peer: str | None = None,
        thread: str | None = None,
        limit: int = 20,
        before: str | None = None,
    ) -> list[Message]:
        """Return past and present messages of all agents, the newest last; rejected mail is never among them.

        Args:
            words: Words that subject and body together hold, "phrases", and beginnings of words with a `*`.
            agent: Only mail from or to this agent.
            peer: Only mail from or to this one, too.
            thread: Only messages of the thread to which the message with this ID belongs.
            limit: The most messages.
            before: Only messages older than the one with this ID.

        Returns:
            The newest messages that match all that is given. A file that cannot be read is left out.

        Raises:
            BridgeError: `before` or `thread` names no message, or `peer` no agent.

        Example:
            >>> [message.subject for message in mail.search("parser index*")]
            ['review']
        """
        found = search.find_as_asked(self._tree, Query(agent, peer, thread, words, limit, before))
        copies = trace.by_message(found.places)
        return [message for of_one in copies if (message := past(of_one)) is not None]

    def trace(self, id: str) -> list[Place]:
        """Return where each copy of a message is.

        Args:
            id: The ID of the message, or `SENDER/ID`.

        Returns:
            One place for each recipient, with its `recipient`, `state`, `path`, `at()` and `reason()`.

        Raises:
            BridgeError: There is no such message, or several have the ID.

        Example:
            >>> [(place.recipient, place.state) for place in mail.trace(sent.id)]
            [('gemini', 'read')]
        """
        return trace.find(self._tree, id)

    def peers(self) -> list[Peer]:
        """Return all agents with their cards, their presence and their number of unread messages.

        Returns:
            One entry for each agent, with `address`, `is_online`, `unread`, `card` and more.

        Raises:
            BridgeError: The mailboxes are gone.

        Example:
            >>> {peer.address: peer.unread for peer in mail.peers()}
            {'claude': 0, 'gemini': 0}
        """
        return all_peers(self._tree)

    def health(self) -> list[Finding]:
        """Return what is not well with the mail and its surroundings.

        Returns:
            The findings, each with `where`, `level` (1 note, 2 wrong), `what`, and `fix`, the command that fixes it.

        Raises:
            BridgeError: The mailboxes are gone.

        Example:
            >>> [finding.fix for finding in mail.health()]
            ['ai-bridge start']
        """
        where = Snapshot.of(self._tree)
        found = report.examine(where, where.settings(), where.agents())
        every = [*(one for agent in found.agents for one in agent.findings), *found.around]
        return [one for one in every if one.level > OK]
