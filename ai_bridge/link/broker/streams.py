"""The server as a team uses it: its claim of a name, its consumers, and all cards. No stream is made here."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import nats.errors
from nats.aio.client import Client
from nats.aio.msg import Msg

from ai_bridge.link import wire
from ai_bridge.link.config import Link, Refusal, Trouble

ANSWER_S = 10.0
# A header that makes a publication conditional on the number of its subject's last message, 0 for no message.
EXPECTED = "Nats-Expected-Last-Subject-Sequence"
WRONG_LAST = 10071
# One request for messages: the most messages, the most bytes, and the longest wait in seconds.
_PULL, _PULL_BYTES, _PULL_S = 500, 33_554_432, 20.0
_TAKE = 200
_CARDS_AT_ONCE, _CARDS_BYTES = 500, 4_194_304
# A request that is answered at once and takes no message, because every message is larger than one byte.
_NOTHING = b'{"batch": 1, "no_wait": true, "max_bytes": 1}'
_ALL_CARDS = "aibridge.card.>"


class Missing(Trouble):
    """The server has nothing of that name for these credentials."""

    sentence = "the server has no such stream for these credentials"


async def ask(client: Client, subject: str, raw: bytes, headers: dict[str, str] | None = None) -> Msg:
    """Send a request and return the server's answer; raises `Missing` if nobody answers, and the client's errors."""
    try:
        return await client.request(subject, raw, timeout=ANSWER_S, headers=headers)
    except nats.errors.NoRespondersError:
        raise Missing() from None


async def check_consumers(client: Client, team: str) -> None:
    """Check that the team's consumers exist, without taking a message; raises `Missing`."""
    for name in (wire.MAIL, wire.RECEIPTS):
        await ask(client, _next_of(name, team), _NOTHING)


async def claim(client: Client, link: Link, take_over: bool) -> None:
    """Claim the team's name if it is free, or if `take_over`; raises `Refusal` if other mailboxes have it.

    Two mailboxes with one name would take each other's mail.
    """
    subject, own = wire.claim_of(link.team), link.id.encode()
    at, holder = await _last(client, subject)
    if holder == own or (holder and not take_over):
        _check_holder(link, holder)
        return
    answer = json.loads((await ask(client, subject, own, {EXPECTED: str(at)})).data)
    if "error" in answer:
        _check_holder(link, (await _last(client, subject))[1])


def _check_holder(link: Link, holder: bytes) -> None:
    if holder != link.id.encode():
        raise Refusal(
            what=f"the team {link.team} is that of other mailboxes: choose another name, or take it "
            "over with `ai-bridge link URL --as TEAM --take-over`"
        )


async def leave(client: Client, link: Link, cards: list[str]) -> None:
    """Remove the cards of these subjects, and give up the team's name; mail that waits for the team stays."""
    for subject in (*cards, wire.claim_of(link.team)):
        await ask(client, subject, b"")


async def _last(client: Client, subject: str) -> tuple[int, bytes]:
    """Return (number, content) of the last message of a card's subject, (0, b'') if there is none."""
    found = await ask(client, _DIRECT, json.dumps({"last_by_subj": subject}).encode())
    headers = found.headers or {}
    return (int(headers["Nats-Sequence"]), found.data) if "Nats-Sequence" in headers else (0, b"")


_DIRECT = f"$JS.API.DIRECT.GET.{wire.CARDS}"


async def cards_since(client: Client, first: int) -> list[tuple[int, str, bytes]]:
    """Return (number, subject, content) of some cards whose number is `first` or higher, in that order.

    Returns [] if there are no more. Raises the client library's errors.
    """
    inbox = client.new_inbox()
    subscription = await client.subscribe(inbox)
    wanted = {"seq": first, "next_by_subj": _ALL_CARDS, "batch": _CARDS_AT_ONCE, "max_bytes": _CARDS_BYTES}
    try:
        await client.publish(_DIRECT, json.dumps(wanted).encode(), inbox)
        return await _answered(subscription)
    finally:
        await subscription.unsubscribe()


async def _answered(subscription: Any) -> list[tuple[int, str, bytes]]:
    found: list[tuple[int, str, bytes]] = []
    while True:
        msg = await subscription.next_msg(timeout=ANSWER_S)
        headers = msg.headers or {}
        if "Nats-Sequence" not in headers:
            if msg.data:
                continue  # the end of an answer has no content
            return found
        found.append((int(headers["Nats-Sequence"]), headers["Nats-Subject"], msg.data))
        if "Nats-Num-Pending" not in headers:  # a server before 2.11 gives one at a time
            return found


def _next_of(stream: str, team: str) -> str:
    return f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{team}"


class Pull:
    """The messages of one consumer, asked for in portions. `pending` is how many more there are, None if unknown."""

    def __init__(self, client: Client, subscription: Any, stream: str, team: str, inbox: str) -> None:
        self.pending: int | None = None
        self._client = client
        self._subscription = subscription
        self._stream = stream
        self._team = team
        self._inbox = inbox
        self._left = 0

    async def batch(self) -> list[Msg]:
        """Wait for messages and return them, at most `_TAKE`; [] after about 25 seconds. Raises `Trouble`."""
        if self._left <= 0:
            await self._ask()
        found = await self._next(_PULL_S + 5)
        taken = [found] if found is not None else []
        while taken and self._subscription.pending_msgs and len(taken) < _TAKE:
            if (more := await self._next(1)) is not None:
                taken.append(more)
        if taken:
            self.pending = taken[-1].metadata.num_pending
        return taken

    async def _ask(self) -> None:
        wanted = {"batch": _PULL, "max_bytes": _PULL_BYTES, "expires": int(_PULL_S * 1e9)}
        await self._client.publish(_next_of(self._stream, self._team), json.dumps(wanted).encode(), self._inbox)
        self._left = _PULL

    async def _next(self, timeout_s: float) -> Msg | None:
        """Return the next message, None if the portion ended instead."""
        try:
            msg: Msg = await self._subscription.next_msg(timeout=timeout_s)
        except nats.errors.TimeoutError:
            self._left = 0
            return None
        headers = msg.headers or {}
        status = headers.get("Status", "")
        if msg.reply:  # a message that can be acknowledged is mail, whatever headers its sender gave it
            self._left -= 1
            return msg
        if status == "503" or "deleted" in headers.get("Description", "").lower():
            raise Trouble(what=f"the server has no consumer of the team {self._team} any more: {to_make(self._team)}")
        self._left = 0
        self.pending = self.pending or 0
        if status not in ("404", "408", "409"):
            await asyncio.sleep(1)
        return None


def to_make(team: str) -> str:
    """Return what the administrator does if the server has no streams or consumers for the team."""
    return f"its administrator runs `ai-bridge link URL --make-streams {team}`"
