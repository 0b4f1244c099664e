"""The answer to a hook: a notice of mail that is new to its session, or as much of that mail as fits."""

from __future__ import annotations

import os
from collections.abc import Callable

from ai_bridge.inbox.reply_in_flight import ReplyInFlight
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach.notice import notice
from ai_bridge.reach.rings import Ring, Rings
from ai_bridge.reach.ways import MARK, Ways
from ai_bridge.settings import FULL, NOTICE, OFF

# The answer of a hook without news. With an empty answer, some clients show the model a line.
NOTHING = "{}"
_LIMIT = 100


def answer(
    where: Tree, me: str, level: str, ways: Ways, rings: Rings, look: Callable[[], list[Waiting]], event: str
) -> tuple[str, ReplyInFlight | None]:
    """Return the answer to a hook for `event` as JSON, and the reply in flight.

    The caller finishes the reply in flight once the client took the answer; None means that no mail is in it.
    `look` returns what is unread for `me`, and `level` is the setting `reach`. The reply in flight holds the lock of
    `rings`, and the reader lock if the answer carries mail. Raises `ReaderBusy` or OSError.
    """
    forms = {OFF: (), NOTICE: (_noticed,), FULL: (_carried, _noticed)}[level]
    for form in forms:
        ring = rings.begin_ring(look, showing=form is _carried)
        if ring is None:
            continue
        try:
            text, hand = form(where, me, ring, ways, event)
        except BaseException:
            ring.finish(told=False)
            raise
        if hand is not None:
            import json  # a hook without mail starts faster without it

            besides = ways.besides(event)
            said = f"{text}\n{besides}" if besides else text
            return json.dumps(ways.hook_answer(event, said), ensure_ascii=False), hand
        ring.finish(told=False)
    return nothing(ways, event, level), None


def nothing(ways: Ways, event: str, level: str) -> str:
    """Return the answer if there is no mail: at most the lesson that lets the model be reached."""
    besides = ways.besides(event) if level != OFF else ""
    if not besides:
        return NOTHING
    import json

    return json.dumps(ways.hook_answer(event, besides), ensure_ascii=False)


def _noticed(where: Tree, me: str, ring: Ring, ways: Ways, event: str) -> tuple[str, ReplyInFlight | None]:
    return notice(me, ring.news), ReplyInFlight(None, [], ring.finish)


def _carried(where: Tree, me: str, ring: Ring, ways: Ways, event: str) -> tuple[str, ReplyInFlight | None]:
    """Return the text of mail that nobody else read meanwhile, and the reply in flight.

    Takes the reader lock; the reply in flight holds it. Returns '' and None, without the lock, if nothing is left to
    show or if the client would change the text. A notice is sent in that case.
    """
    from ai_bridge.inbox import framing  # most hooks have no mail to show

    lock = unread.lock_inbox(where, me)
    try:
        news = [one for one in ring.news if os.path.lexists(one.path)]
        budget = framing.Budget(ways.client.hooks.chars)
        reply = framing.reply(where, me, news, _LIMIT, budget, framing.AUTO) if news else None
    except BaseException:
        lock.release()
        raise
    if reply is None or not ways.keeps(event, reply.text):
        lock.release()
        return "", None
    return f"{MARK} {reply.text}", ReplyInFlight(lock, reply.shown, ring.finish, reply.named)
