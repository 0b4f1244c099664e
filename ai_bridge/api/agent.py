"""An agent, as Python programs see it: it sends, reads, and waits for mail."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Generator, Sequence
from functools import partial

import anyio
import anyio.to_thread

from ai_bridge import clients
from ai_bridge.agents.resolve import resolve_writer
from ai_bridge.agents.sessions import ended
from ai_bridge.api.message import Message, Sent, is_readable, unread
from ai_bridge.api.texts import text, texts
from ai_bridge.inbox import fetch
from ai_bridge.inbox.wait import StoppableWait, wait_for_mail
from ai_bridge.machines.homes import Homes
from ai_bridge.machines.syncthing.nudge import PassedOn
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import ReaderBusy, Waiting, lock_inbox
from ai_bridge.message.reference import View
from ai_bridge.sending import audience, send

# How long `messages` lets another session read in peace before it asks again, in seconds.
_BUSY_S = 0.2


class Agent:
    """One agent of some mailboxes, by its `address`; `Mailboxes.agent` makes it.

    Example:
        >>> claude = mail.agent("claude")
        >>> sent = claude.send("gemini", "please review", subject="review")
        >>> [message.subject for message in mail.agent("gemini").read()]
        ['review']
    """

    def __init__(self, tree: Tree, address: str) -> None:
        self._tree = tree
        self.address = address

    def __repr__(self) -> str:
        return f"<Agent {self.address} of {self._tree.path}>"

    def send(
        self,
        to: str | Sequence[str],
        body: str,
        *,
        subject: str | None = None,
        reply_to: str | None = None,
        context: str | Sequence[str] = (),
        decide: str | None = None,
        voters: str | Sequence[str] | None = None,
        allow_empty: bool = False,
        expires: str | None = None,
        urgency: str | None = None,
    ) -> Sent:
        """Send a message. It is safe on the disk once this returns.

        A program counts as an agent, never as a person: the setting `max_hops` limits it. So does `pair_per_hour`,
        if the recipient answers, or if a client started the program.

        Args:
            to: An address, a short name, `*` for all others, or several of these.
            body: The text.
            subject: One line; if it is not given, "message", or `Re: ` and the subject of the answered message.
            reply_to: The ID of the message that this one answers.
            context: Files to send along, each as `PATH` or `PATH:FIRST-LAST` (lines). A program that a client
                started may send files of the project only.
            decide: `majority` or `unanimous`: the message opens a decision.
            voters: The agents that vote, if these are not the recipients.
            allow_empty: Send even an empty body.
            expires: A duration such as `2h`: if the message is unread by then, nobody is shown it.
            urgency: `now`, `next` or `quiet`: how hard the recipient's session is rung; `next` if it is not given.

        Returns:
            The message as it was sent; its `id` names it everywhere.

        Raises:
            BridgeError: Nothing was sent, and the sentence says why. `PartlySent` names what was sent.
            OSError: The disk refused.

        Example:
            >>> sent = claude.send("gemini", "please review", context=["src/api.py:42-58"])
            >>> sent.recipients
            ['gemini']
        """
        wanted = send.Wanted(
            texts("to", to),
            text("body", body),
            text("subject", subject),
            text("reply_to", reply_to),
            texts("context", context),
            text("decide", decide),
            None if voters is None else texts("voters", voters),
            allow_empty,
            expires=text("expires", expires),
            urgency=text("urgency", urgency),
        )
        where, by_model = Snapshot.of(self._tree).check(), bool(clients.variable_set())
        with PassedOn():
            (sent,) = send.send(where, self.address, [wanted], by_model=by_model, view=View(self.address))
        return Sent(self._tree, self.address, sent, audience.absent(where, sent))

    async def asend(
        self,
        to: str | Sequence[str],
        body: str,
        *,
        subject: str | None = None,
        reply_to: str | None = None,
        context: str | Sequence[str] = (),
        decide: str | None = None,
        voters: str | Sequence[str] | None = None,
        allow_empty: bool = False,
        expires: str | None = None,
        urgency: str | None = None,
    ) -> Sent:
        """Send a message as `send` does, without blocking the event loop (of asyncio or trio).

        Args:
            to: As for `send`, and so are all others.
            body: The text.
            subject: One line.
            reply_to: The ID of the message that this one answers.
            context: Files to send along.
            decide: `majority` or `unanimous`.
            voters: The agents that vote.
            allow_empty: Send even an empty body.
            expires: A duration such as `2h`: if the message is unread by then, nobody is shown it.
            urgency: `now`, `next` or `quiet`: how hard the recipient's session is rung; `next` if it is not given.

        Returns:
            The message as it was sent.

        Raises:
            BridgeError: As `send`.

        Example:
            >>> sent = await claude.asend("gemini", "please review")
        """
        call = partial(
            self.send,
            *(to, body),
            subject=subject,
            reply_to=reply_to,
            context=context,
            decide=decide,
            voters=voters,
            allow_empty=allow_empty,
            expires=expires,
            urgency=urgency,
        )
        return await anyio.to_thread.run_sync(call)

    def read(self, sender: str | None = None) -> Generator[Message, None, None]:
        """Yield the unread mail, the oldest first, and acknowledge each message once the loop is done with it.

        A message is acknowledged if the loop asks for the next one, or ends by itself. It stays unread if the loop
        is left by `break` or an exception; call `message.acknowledge()` before a `break` to keep it read.

        No lock is held while the loop works on a message, so a generator that is forgotten locks nobody out. A
        second reader of the same agent is therefore shown a message that is not acknowledged yet, too.

        Args:
            sender: Only mail from this agent.

        Yields:
            The messages that were unread at the start and still are. A file that cannot be read is left out.

        Raises:
            BridgeError: Another session is reading the agent's mail just now, or the agent lives on another machine.
            OSError: The disk refused.

        Example:
            >>> for message in gemini.read():
            ...     print(message.sender, message.subject, message.body)
            claude review please review
        """
        for waiting in self._fetched(sender):
            message = unread(waiting, self._acknowledge)
            if message is not None:
                yield message
                message.acknowledge()

    def wait(self, timeout_s: float | None = None, sender: str | None = None) -> list[Message]:
        """Wait until there is unread mail, and return it; this acknowledges nothing.

        Args:
            timeout_s: The longest wait, in seconds; None: no limit.
            sender: Only mail from this agent.

        Returns:
            The unread messages, the oldest first; none if the time is over. A file that cannot be read counts for
            nothing.

        Raises:
            BridgeError: The mailboxes are gone, or the agent lives on another machine.
            OSError: The disk refused.

        Example:
            >>> gemini.wait(timeout_s=240)
            []
        """
        where, sender = self._reader(sender)
        about = (self._tree, self.address, where.settings(), timeout_s, sender)
        found = wait_for_mail(*about, is_wanted=is_readable, also=ended.nobodys)
        return [message for one in found if (message := unread(one, self._acknowledge)) is not None]

    async def messages(self, sender: str | None = None) -> AsyncGenerator[Message, None]:
        """Yield unread mail without end: what is there, and then what comes.

        Messages are acknowledged as by `read`, and no lock is held while the loop works on one. It works with
        asyncio and trio, and can be cancelled. With trio, a loop that is left early needs `contextlib.aclosing`.

        Args:
            sender: Only mail from this agent.

        Yields:
            The messages, the oldest first.

        Raises:
            BridgeError: As `read`. While another session reads the agent's mail, it waits instead.

        Example:
            >>> async for message in gemini.messages():
            ...     await gemini.asend(message.sender, "done", reply_to=message.id)
        """
        while True:
            for waiting in await self._fetched_patiently(sender):
                message = await anyio.to_thread.run_sync(unread, waiting, self._acknowledge)
                if message is not None:
                    yield message
                    await anyio.to_thread.run_sync(message.acknowledge)
            await self._await_mail(sender)

    async def _fetched_patiently(self, sender: str | None) -> list[Waiting]:
        while True:
            try:
                return await anyio.to_thread.run_sync(self._fetched, sender)
            except ReaderBusy:  # it waited for some seconds already
                await anyio.sleep(_BUSY_S)

    async def _await_mail(self, sender: str | None) -> None:
        """Wait in a thread until something is unread; if the caller is cancelled, the thread ends at once."""
        wait = StoppableWait()

        def sleep() -> None:
            where, meant = self._reader(sender)
            about = (self._tree, self.address, where.settings(), None, meant)
            wait.until_mail(*about, is_wanted=is_readable, also=ended.nobodys)

        try:
            await anyio.to_thread.run_sync(sleep, abandon_on_cancel=True, limiter=anyio.CapacityLimiter(1))
        finally:
            wait.stop()

    def _acknowledge(self, waiting: Waiting) -> bool:
        """Acknowledge a message, for one of several readers; False if it is not unread any more.

        Raises if the agent lives elsewhere by now, if a newer program changed the tree, and `ReaderBusy`.
        """
        where, _ = self._reader(None)
        with PassedOn(), lock_inbox(where, self.address):
            return os.path.lexists(waiting.path) and waiting.acknowledge()

    def _reader(self, sender: str | None) -> tuple[Snapshot, str | None]:
        """Return a look at the mailboxes, and the agent that `sender` means; raises if the agent lives elsewhere."""
        where = Snapshot.of(self._tree).check()
        where.part(Homes).check(where.known_agent(self.address))
        return where, None if sender is None else resolve_writer(where, sender, self.address)

    def _fetched(self, sender: str | None) -> list[Waiting]:
        where, sender = self._reader(sender)
        with lock_inbox(where, self.address):
            return fetch.fetch(where, self.address, where.settings(), sender, also=ended.nobodys)
