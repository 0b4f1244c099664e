"""What a hook is answered: a notice of mail its session was not told of, or as much of that mail as it may carry."""

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

# To a hook that has nothing to say; anything less leaves a line before some models.
NOTHING = "{}"
_LIMIT = 100


def answer(
    where: Tree, me: str, level: str, ways: Ways, told: Rings, look: Callable[[], list[Waiting]], event: str
) -> tuple[str, ReplyInFlight | None]:
    """Return the answer to a hook for `event` as JSON, and what is to be settled once it was taken.

    `look` returns what is unread for `me`, and `level` is that of the settings. Raises `ReaderBusy` or OSError.
    """
    forms = {OFF: (), NOTICE: (_noticed,), FULL: (_carried, _noticed)}[level]
    for form in forms:
        claim = told.claim(look, showing=form is _carried)
        if claim is None:
            continue
        try:
            text, hand = form(where, me, claim, ways, event)
        except BaseException:
            claim.finish(told=False)
            raise
        if hand is not None:
            import json  # a hook without mail starts faster without

            lesson = ways.lesson(event)
            said = f"{text}\n{lesson}" if lesson else text
            return json.dumps(ways.hook_answer(event, said), ensure_ascii=False), hand
        claim.finish(told=False)
    return nothing(ways, event, level), None


def nothing(ways: Ways, event: str, level: str) -> str:
    """Return the answer where there is no mail: at most what the model is to know to be reached."""
    lesson = ways.lesson(event) if level != OFF else ""
    if not lesson:
        return NOTHING
    import json

    return json.dumps(ways.hook_answer(event, lesson), ensure_ascii=False)


def _noticed(where: Tree, me: str, claim: Ring, ways: Ways, event: str) -> tuple[str, ReplyInFlight | None]:
    return notice(me, claim.news), ReplyInFlight(None, [], claim.finish)


def _carried(where: Tree, me: str, claim: Ring, ways: Ways, event: str) -> tuple[str, ReplyInFlight | None]:
    """Return the mail that another has not read meanwhile, and the hand that holds it; None where it is not for this.

    A client that would change the text is given a notice instead.
    """
    from ai_bridge.inbox import framing  # most hooks have nothing to show

    lock = unread.lock_inbox(where, me)
    try:
        news = [one for one in claim.news if os.path.lexists(one.path)]
        budget = framing.Budget(ways.client.hooks.chars)
        reply = framing.reply(me, news, _LIMIT, budget, framing.AUTO) if news else None
    except BaseException:
        lock.release()
        raise
    if reply is None or not ways.keeps(event, reply.text):
        lock.release()
        return "", None
    return f"{MARK} {reply.text}", ReplyInFlight(lock, reply.shown, claim.finish, reply.named)
