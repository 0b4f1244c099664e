"""The answer to a hook: the mail itself as far as the hook may carry it, and a notice of the rest."""

from __future__ import annotations

import os
from collections.abc import Callable

from ai_bridge.inbox.reply_in_flight import ReplyInFlight
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import ReaderBusy, Waiting
from ai_bridge.reach.manner import of_hook
from ai_bridge.reach.notice import notice
from ai_bridge.reach.pace import await_quiet
from ai_bridge.reach.rings import Ring, Rings
from ai_bridge.reach.ways import MARK, Ways
from ai_bridge.settings import FULL, OFF, SHORT, Settings
from ai_bridge.system.locks import Lock

_LIMIT = 100


def answer(
    where: Tree, me: str, loaded: Settings, ways: Ways, rings: Rings, look: Callable[[], list[Waiting]], event: str
) -> tuple[str, ReplyInFlight | None]:
    """Return the answer to a hook for `event` as JSON, and the reply in flight.

    The caller finishes the reply in flight once the client took the answer; None means that no mail is in it.
    `look` returns what is unread for `me`. If the answer carries mail, the reply in flight holds the reader lock.
    Waits for the end of a burst of mail if the session was rung a moment ago. Raises OSError.
    """
    found = [] if loaded.reach == OFF else await_quiet(rings.memory(), look)
    if not found:
        return ways.silence(event, loaded.reach != OFF), None
    said = Answer(where, me, ways, rings, event)
    try:
        said.carry(found, loaded)
        said.announce(found)
    except BaseException:
        said.in_flight().finish(taken=False)
        raise
    if not said.texts:
        said.in_flight().finish(taken=False)
        return ways.silence(event), None
    import json  # a hook without mail starts faster without it

    text = "\n".join([*said.texts, *filter(None, [ways.besides(event)])])
    return json.dumps(ways.hook_answer(event, text), ensure_ascii=False), said.in_flight()


class Answer:
    """An answer in the making: its `texts`, the rings that it makes, and the mail that it shows."""

    def __init__(self, where: Tree, me: str, ways: Ways, rings: Rings, event: str) -> None:
        self.texts: list[str] = []
        self._where, self._me, self._ways, self._rings, self._event = where, me, ways, rings, event
        self._made: list[Ring] = []
        self._shown: list[Waiting] = []
        self._named: list[Waiting] = []
        self._lock: Lock | None = None
        self._is_busy = False

    def in_flight(self) -> ReplyInFlight:
        """Return the reply in flight, which finishes all rings of the answer."""
        return ReplyInFlight(self._lock, self._shown, self._finish, self._named or None)

    def _finish(self, taken: bool) -> None:
        for ring in self._made:
            ring.finish(taken)
        if taken and self._shown:
            from ai_bridge.reach.carry import note_contacts

            note_contacts(self._where, self._me, (one.sender for one in self._shown))

    def carry(self, found: list[Waiting], loaded: Settings) -> None:
        """Add the mail that this hook may carry. Takes the reader lock if there is some."""
        if loaded.reach not in (SHORT, FULL):
            return
        from ai_bridge.reach.carry import Carrier  # most hooks have no mail to show

        # Mail for a session that has ended is read by whoever takes it over, under that session's lock, too.
        own = [one for one in found if one.recipient == self._me]
        meant = {one.path for one in Carrier(self._where, self._me, loaded).choose(own)}
        manner = of_hook(self._ways.client, self._event, showing=True)
        ring = self._rings.begin_ring(lambda: found, manner, lambda one: one.path in meant) if meant else None
        if ring is not None and not self._show(ring):
            ring.finish(told=False)

    def _show(self, ring: Ring) -> bool:
        """Add the text of mail that nobody else read meanwhile; False, without the lock, if there is none.

        There is none either if the client would change the text. A notice is given in that case. If another session
        reads just now, the mail is left to it.
        """
        from ai_bridge.inbox import framing

        try:
            lock = unread.lock_inbox(self._where, self._me)
        except ReaderBusy:
            self._is_busy = True
            return False
        try:
            news = [one for one in ring.news if os.path.lexists(one.path)]
            budget = framing.Budget(self._ways.client.hooks.chars)
            reply = framing.reply(self._where, self._me, news, _LIMIT, budget, framing.AUTO) if news else None
        except BaseException:
            lock.release()
            raise
        if reply is None or not self._ways.keeps(self._event, reply.text):
            lock.release()
            return False
        self._lock, self._shown, self._named = lock, reply.shown, reply.named
        self._made.append(ring)
        self.texts.append(f"{MARK} {reply.text}")
        return True

    def announce(self, found: list[Waiting]) -> None:
        """Add a notice of the mail that may be announced and is not in the answer yet."""
        if self._is_busy:
            return
        manner = of_hook(self._ways.client, self._event, showing=False)
        ring = self._rings.begin_ring(lambda: found, manner)
        if ring is not None:
            self._made.append(ring)
            self.texts.append(notice(self._me, ring.news, ring.at_ns))
