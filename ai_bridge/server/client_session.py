"""One client's session: its name, and the messages in replies that the client has not taken yet."""

from __future__ import annotations

import sys
import threading
from contextlib import suppress
from typing import Any

import anyio

from ai_bridge import clients, settings
from ai_bridge.agents import cards, identity, presence, session_keys, session_names
from ai_bridge.agents.identity import NoIdentity
from ai_bridge.agents.resolve import resolve_writer
from ai_bridge.agents.session_names import Name
from ai_bridge.errors import BridgeError
from ai_bridge.inbox import fetch, framing
from ai_bridge.inbox.reply_in_flight import ReplyInFlight
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import find, tree
from ai_bridge.mailboxes.find import NoMailboxes, find_mailboxes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting, lock_inbox
from ai_bridge.message.reference import Shown, View
from ai_bridge.reach import hook_answer
from ai_bridge.reach.activity import Activity
from ai_bridge.reach.rings import Rings
from ai_bridge.reach.ways import ways_of
from ai_bridge.router.delay import delay
from ai_bridge.settings import Settings
from ai_bridge.system import processes

_DEFAULT_LIMIT = 100


def late_text(where: Tree, agent: str, sender: str | None) -> str:
    """Return a blank and a sentence about mail to the agent that no router has moved yet; '' if there is none."""
    found = delay(where, agent, sender)
    return f" {found}." if found else ""


class SessionEnded(BridgeError):
    sentence = "this session has ended: begin a new one"


class Caller:
    """The caller: the client's name for itself (`client`) and for this session (`key`), '' if it gives none."""

    __slots__ = ("client", "key")

    def __init__(self, client: str = "", key: str = "") -> None:
        self.client = client
        self.key = key


class Session:
    """The session on which the tools of one server act; `where` and `agent` are its options, None if not given."""

    def __init__(self, where: str | None, agent: str | None) -> None:
        self._where = where
        self._agent = agent
        self._hands: dict[str, ReplyInFlight] = {}
        self._mutex = threading.Lock()
        self._naming = threading.Lock()
        self._name: Name | None = None
        self._named_in = ""
        self._has_left = False
        self._rings: Rings | None = None
        self.shown = Shown()
        self.activity = Activity()
        self.turn = anyio.Lock()  # simultaneous reads are answered one after the other

    # --- who and where ----------------------------------------------------------------------------------

    @property
    def mailboxes(self) -> Tree:
        """The mailboxes; each use reads the disk. Raises `BridgeError` if they are gone or not adopted.

        Until the session has its name, each use searches for them again, because a share may be mounted later.
        From then on the session stays with them. If none are found, they are the user's own, which need not exist.
        """
        if self._name is not None:
            return Tree(self._named_in).check()
        try:
            return find_mailboxes(self._where, by_client=True)
        except NoMailboxes:
            return Tree(find.user_wide())

    @property
    def settings(self) -> Settings:
        """The settings in force, read from the disk at each use; raises `BridgeError`."""
        return settings.load(self.mailboxes.path)

    def who(self, caller: Caller) -> Name:
        """Return the session's name, taken at its first use; raises `BridgeError` (`SessionEnded` after `leave`).

        It holds the name's lock from then on. It also makes the outbox, and writes the agent's card and presence.
        """
        where = self.mailboxes
        with self._naming:
            if self._has_left:
                raise SessionEnded()
            if self._name is None or not self._name.is_held or Homes(where).is_elsewhere(self._name.address):
                self._take_name(where, caller)
            assert self._name is not None
            if not where.outbox(self._name.address).is_there():
                where.check().make([self._name.address])  # never a new tree in the place of one that just went away
            self._name.touch()
            return self._name

    def _take_name(self, where: Tree, caller: Caller) -> None:
        self._give_name_back()
        wanted = identity.who(where, self._agent, caller.client)
        where.make([wanted.address])
        self._name = session_names.take(
            where, wanted, caller.client, caller.key or session_keys.session_key(caller.client)
        )
        self._named_in = where.path
        try:
            cards.introduce(where, self._name.address, caller.client, identity.project_name())
            presence.announce(where)
        except (BridgeError, OSError) as trouble:  # a card that cannot be written keeps nobody from reading
            print(f"no card was written: {trouble}", file=sys.stderr)

    def _give_name_back(self) -> None:
        if self._name is not None:
            self._name.release()
            self._name = None
            with suppress(BridgeError, OSError):
                presence.announce(Tree(self._named_in))

    def leave(self) -> None:
        """Release the name for good, so that the next session can take it while calls are still at work here."""
        with self._naming:
            self._has_left = True
            self._give_name_back()

    def announce(self) -> None:
        """Write for other machines that this session is alive; does nothing before the session has its name."""
        if self._name is not None and self._name.is_held:
            presence.announce(self.mailboxes)

    def peers(self, caller: Caller) -> list[str]:
        """Return the other agents, whose mail may be read here; none if there are no mailboxes."""
        where = self.mailboxes
        if not tree.is_mailboxes(where.path):
            return []
        own = self._own_address(where, caller)
        return [agent for agent in where.agents() if agent != own]

    def _own_address(self, where: Tree, caller: Caller) -> str | None:
        """Return the session's address, or before its first use the one it will ask for; None if none is known."""
        if self._name is not None:
            return self._name.address
        try:
            return identity.who(where, self._agent, caller.client).address
        except NoIdentity:
            return None

    # --- reading ----------------------------------------------------------------------------------------

    def read(self, request: str | int, caller: Caller, sender: str | None, words: dict[str, Any]) -> str:
        """Return the text that answers a read from `sender` (None: from all); `words` are the tool's arguments.

        Fetching may deliver mail on the disk. In mode auto, `settle` acknowledges the messages shown once the client
        has the reply; until then the session keeps the agent's reader lock. Raises `BridgeError` or OSError.
        """
        me, where = self.who(caller).address, self.mailboxes
        loaded = settings.load(where.path)
        if sender is not None:
            sender = resolve_writer(where, sender)
        mode = framing.PEEK if words.get("peek") else str(words.get("acknowledge", framing.AUTO))
        lock = lock_inbox(where, me)
        try:
            waiting = fetch.fetch(where, me, loaded, sender)
            budget = framing.Budget(int(words.get("max_chars", loaded.max_chars)), caller.client)
            reply = framing.reply(me, waiting, int(words.get("limit", _DEFAULT_LIMIT)), budget, mode)
        except BaseException:
            lock.release()
            raise
        hand = ReplyInFlight(lock, reply.shown, named=reply.named)
        if mode == framing.AUTO and hand.shown:
            self._keep_until_taken(request, hand)
        else:
            hand.finish(taken=False)
            self.show(request, caller, reply.shown, reply.named)
        return reply.text if waiting else f"{reply.text}{late_text(where, me, sender)}"

    def show(
        self, request: str | int, caller: Caller, seen: list[Waiting], named: list[Waiting] | None = None
    ) -> None:
        """Remember, once the client has the reply to this request, that the session was told of the messages `seen`.

        From then on the session means the messages `named` by their IDs.
        """
        told = self.rings(caller)
        if seen or named:
            self._keep_until_taken(
                request, ReplyInFlight(None, [], lambda taken: told.add(seen) if taken else None, named)
            )

    def view(self, caller: Caller) -> View:
        """Return which messages the session may mean by an ID: its own, and those it was shown."""
        return View(self._own_address(self.mailboxes, caller) or "", self.shown)

    def _keep_until_taken(self, request: str | int, hand: ReplyInFlight) -> None:
        with self._mutex:
            self._hands[str(request)] = hand

    def unread(self) -> list[Waiting]:
        """Return the agent's unread messages, except those in a reply on its way; may deliver mail."""
        name = self._name
        if name is None:  # the session has ended meanwhile
            return []
        with self._mutex:
            shown = {one.path for hand in self._hands.values() for one in hand.shown}
        found = fetch.fetch(self.mailboxes, name.address, self.settings)
        return [one for one in found if one.path not in shown]

    # --- notices ----------------------------------------------------------------------------------------

    def rings(self, caller: Caller) -> Rings:
        """Return the memory of the messages that this session was told of, kept in the state directory."""
        me, key = self.who(caller).address, self._key(caller)
        if self._rings is None or not self._rings.is_of(me, key):
            self._rings = Rings(self.mailboxes, me, key)
        return self._rings

    def _key(self, caller: Caller) -> str:
        return caller.key or session_keys.session_key(caller.client) or processes.own_key()

    def check(self, request: str | int, caller: Caller, event: str) -> str:
        """Return the answer to a hook for `event`, as JSON: mail that the session was not told of, if there is any.

        Once the client has the answer, messages shown whole are acknowledged, and those only named are remembered.
        """
        me = self.who(caller).address
        self.activity.record(event)
        where, level, ways = self.mailboxes, self.settings.reach, ways_of(clients.by_own_name(caller.client))
        text, hand = hook_answer.answer(where, me, level, ways, self.rings(caller), self.unread, event)
        if hand is not None:
            self._keep_until_taken(request, hand)
        return text

    @property
    def waiting(self) -> bool:
        """Whether any reply that holds messages is still on its way to the client."""
        return bool(self._hands)

    def awaits(self, request: str | int) -> bool:
        """Tell whether the reply to this request holds messages and is still on its way."""
        return str(request) in self._hands

    def finish(self, request: str | int | None, taken: bool) -> None:
        """Acknowledge the messages that a reply showed if it was `taken`, else leave them unread.

        Releases the reader lock. Does nothing for any other request, or the second time.
        """
        with self._mutex:
            hand = self._hands.get(str(request))
            if hand is None or hand.is_finished:
                return
            hand.is_finished = True
        try:
            for sentence in hand.finish(taken):
                print(sentence, file=sys.stderr)
            if taken:
                self.shown.add((one.sender, one.id) for one in hand.named)
        finally:
            with self._mutex:
                del self._hands[str(request)]

    def close(self) -> None:
        """Leave all messages that wait unread, and release the name for the next session."""
        for request in list(self._hands):
            self.finish(request, taken=False)
        self.leave()
