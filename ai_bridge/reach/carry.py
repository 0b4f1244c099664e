"""What a hook is answered: a notice of mail its session was not told of, or as much of that mail as it may carry."""

from __future__ import annotations

import os
from collections.abc import Callable

from ai_bridge import inbox
from ai_bridge.hand import Hand
from ai_bridge.inbox import Waiting
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.reach.client import Client
from ai_bridge.reach.notice import MARK, notice
from ai_bridge.reach.told import Claim, Told
from ai_bridge.settings import FULL, OFF

# To a hook that has nothing to say; anything less leaves a line before some models.
NOTHING = "{}"
_LIMIT = 100


def answer(
    where: Mailboxes, me: str, level: str, client: Client, told: Told, look: Callable[[], list[Waiting]], event: str
) -> tuple[str, Hand | None]:
    """Return the answer to a hook for `event` as JSON, and what is to be settled once it was taken.

    `look` returns what is unread for `me`, and `level` is that of the settings. Raises `ReaderBusy` or OSError.
    """
    claim = None if level == OFF else told.claim(look)
    if claim is None:
        return NOTHING, None
    try:
        text, hand = _carried(where, me, claim, client) if level == FULL else _noticed(me, claim)
    except BaseException:
        claim.settle(told=False)
        raise
    if not text:
        claim.settle(told=False)
        return NOTHING, None
    import json  # a hook without mail starts faster without

    return json.dumps(client.hook_answer(event, text), ensure_ascii=False), hand


def _noticed(me: str, claim: Claim) -> tuple[str, Hand | None]:
    return notice(me, claim.news), Hand(None, [], claim.settle)


def _carried(where: Mailboxes, me: str, claim: Claim, client: Client) -> tuple[str, Hand | None]:
    """Return the mail that another has not read meanwhile, and the hand that holds it; '' where that is none."""
    from ai_bridge import framing  # most hooks have nothing to show

    lock = inbox.hold(where, me)
    try:
        news = [one for one in claim.news if os.path.lexists(one.path)]
        if not news:
            lock.release()
            return "", None
        reply = framing.reply(me, news, _LIMIT, framing.Budget(client.hook_chars), framing.AUTO)
    except BaseException:
        lock.release()
        raise
    return f"{MARK} {reply.text}", Hand(lock, reply.shown, claim.settle)
