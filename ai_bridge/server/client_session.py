"""One client's session: what it was shown, and the messages in replies that the client has not taken yet."""

from __future__ import annotations

import sys
import threading
from functools import partial
from typing import Any

import anyio

from ai_bridge import clients
from ai_bridge.agents import session_keys
from ai_bridge.agents.resolve import resolve_writer
from ai_bridge.inbox import fetch, framing
from ai_bridge.inbox.nobodys import open_inboxes
from ai_bridge.inbox.reply_in_flight import ReplyInFlight
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting, unread_for
from ai_bridge.mailboxes.wake import SharedWatch
from ai_bridge.message.reference import Shown, View
from ai_bridge.reach import hook_answer
from ai_bridge.reach.activity import Activity, is_idle_after
from ai_bridge.reach.carry import note_contacts
from ai_bridge.reach.pace import await_quiet, pace_of, was_rung_lately
from ai_bridge.reach.rings import Rings
from ai_bridge.reach.ways import ways_of
from ai_bridge.router.delay import delay
from ai_bridge.server.membership import Caller, Membership
from ai_bridge.system import processes

_DEFAULT_LIMIT = 100


def late_text(where: Tree, agent: str, sender: str | None) -> str:
    """Return a blank and a sentence about mail to the agent that no router has moved yet; '' if there is none."""
    found = delay(where, agent, sender)
    return f" {found}." if found else ""


class Session(Membership):
    """The session on which the tools of one server act; `where` and `agent` are its options, None if not given."""

    def __init__(self, where: str | None, agent: str | None) -> None:
        super().__init__(where, agent)
        self._hands: dict[str, ReplyInFlight] = {}
        self._mutex = threading.Lock()
        self._rings: Rings | None = None
        self.shown = Shown()
        self.activity = Activity()
        self.watch = SharedWatch()
        self.turn = anyio.Lock(fast_acquire=True)  # simultaneous reads are answered one after the other

    # --- reading ----------------------------------------------------------------------------------------

    def read(self, request: str | int, caller: Caller, sender: str | None, words: dict[str, Any]) -> str:
        """Return the text that answers a read from `sender` (None: from all); `words` are the tool's arguments.

        Fetching may deliver mail on the disk. In mode auto, `settle` acknowledges the messages shown once the client
        has the reply; until then the session keeps the agent's reader lock, and those of ended sessions whose mail it
        shows. Raises `BridgeError` or OSError.
        """
        where, name = self.begin(caller)
        me, loaded = name.address, where.settings()
        if sender is not None:
            sender = resolve_writer(where, sender, me)
        mode = framing.PEEK if words.get("peek") else str(words.get("acknowledge", framing.AUTO))
        self._await_burst(where, me)
        inboxes = open_inboxes(where, me, loaded, sender)
        waiting = inboxes.waiting
        try:
            budget = framing.Budget(int(words.get("max_chars", loaded.max_chars)), caller.client)
            reply = framing.reply(where, me, waiting, int(words.get("limit", _DEFAULT_LIMIT)), budget, mode)
        except BaseException:
            inboxes.release()
            raise
        hand = ReplyInFlight(inboxes, reply.shown, partial(self._note_contacts, where, me, reply), reply.named)
        if mode == framing.AUTO and hand.shown:
            self._keep_until_taken(request, hand)
        else:
            hand.finish(taken=False)
            self.show(request, self.rings(where, me, caller), reply.shown, reply.named)
        return reply.text if waiting else f"{reply.text}{late_text(where, me, sender)}"

    def _await_burst(self, where: Snapshot, me: str) -> None:
        """Wait for the end of a burst of mail, if this read follows a ring at once: so one read shows it all."""
        if self._rings is not None and was_rung_lately(memory := self._rings.memory()):
            await_quiet(memory, lambda: unread_for(where, me))

    def _note_contacts(self, where: Snapshot, me: str, reply: framing.Reply, taken: bool) -> None:
        if taken:
            note_contacts(where, me, (one.sender for one in reply.shown))

    def show(self, request: str | int, told: Rings, seen: list[Waiting], named: list[Waiting] | None = None) -> None:
        """Remember in `told`, once the client has the reply to this request, that it was told of the messages `seen`.

        From then on the session means the messages `named` by their IDs.
        """
        if seen or named:
            self._keep_until_taken(
                request, ReplyInFlight(None, [], lambda taken: told.add(seen) if taken else None, named)
            )

    def view(self, caller: Caller) -> View:
        """Return which messages the session may mean by an ID: its own, and those it was shown."""
        return View(self.own_address(caller) or "", self.shown)

    def _keep_until_taken(self, request: str | int, hand: ReplyInFlight) -> None:
        with self._mutex:
            self._hands[str(request)] = hand

    def unread(self, where: Snapshot | None = None) -> list[Waiting]:
        """Return the agent's unread messages, except those in a reply on its way; may deliver mail.

        `where` is the look of an operation that has one.
        """
        name = self.name
        if name is None:  # the session has ended meanwhile
            return []
        with self._mutex:
            shown = {one.path for hand in self._hands.values() for one in hand.shown}
        where = where or self.look()
        found = fetch.fetch(where, name.address, where.settings())
        return [one for one in found if one.path not in shown]

    # --- notices ----------------------------------------------------------------------------------------

    def rings(self, where: Snapshot, me: str, caller: Caller) -> Rings:
        """Return the memory of the messages that this session was told of as `me`, kept in the state directory."""
        key, client = self._key(caller), clients.by_own_name(caller.client)
        pace = pace_of(where.settings(), client.reach.receipt_s, bool(client.hooks.events))
        if self._rings is None or not self._rings.is_of(me, key):
            self._rings = Rings(where, me, key, pace)
            self._rings.begin_session(processes.parent_key())
        self._rings.pace = pace
        return self._rings

    def hear(self) -> None:
        """Note that the session called a tool, so it heard of what it was rung for a moment ago."""
        if self._rings is not None:
            self._rings.hear()

    def follow_hooks(self, where: Snapshot, caller: Caller) -> None:
        """Also count the hooks that this session's client runs as processes of their own."""
        if clients.by_own_name(caller.client).hooks.events:
            self.activity.follow(where, self._key(caller))

    def _key(self, caller: Caller) -> str:
        return caller.key or session_keys.session_key(caller.client) or processes.own_key()

    def check(self, request: str | int, caller: Caller, event: str) -> str:
        """Return the answer to a hook for `event`, as JSON: mail that the session was not told of, if there is any.

        Once the client has the answer, messages shown whole are acknowledged, and those only named are remembered.
        """
        where, name = self.begin(caller)
        if not is_idle_after(event):
            self.activity.record(event)
        try:
            text, hand = self._answer(where, name.address, caller, event)
        finally:
            if is_idle_after(event):
                self.activity.record(event)
        if hand is not None:
            self._keep_until_taken(request, hand)
        return text

    def _answer(self, where: Snapshot, me: str, caller: Caller, event: str) -> tuple[str, ReplyInFlight | None]:
        rings, ways = self.rings(where, me, caller), ways_of(clients.by_own_name(caller.client))
        if event == ways.client.hooks.begins:
            rings.begin_session()
        elif not ways.client.hooks.shows_pushes:
            rings.hear_hook()

        def look() -> list[Waiting]:
            found = self.unread(where)
            where.renew()  # the next look, in a burst of mail, must be a look of its own
            return found

        return hook_answer.answer(where, me, where.settings(), ways, rings, look, event)

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
