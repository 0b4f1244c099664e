"""Publishes to the streams, each message once, and asks if a stream still holds a message."""

from __future__ import annotations

import asyncio
import json
import os
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from ai_bridge.link import wire
from ai_bridge.link.broker import streams
from ai_bridge.link.config import Trouble

# This many messages or more are committed together: the server then flushes once for all, and a few files more.
_TOGETHER, _TOGETHER_BYTES = 12, 8_388_608
# The server's error code: the stream takes no batches.
_NO_BATCHES = 10174
# A number that no stream reaches: a message that expects it is refused, and the refusal names the true number.
_NEVER = 1 << 62

_NO_ANSWER = TimeoutError("the server did not answer")

Item = tuple[str, bytes, dict[str, str]]


class Publisher:
    """Publishes over one connection; the future `lost` is done once the connection has ended."""

    def __init__(self, client: Client, lost: asyncio.Future[None]) -> None:
        self._client = client
        self._lost = lost
        self._singly: set[str] = set()

    async def publish(self, stream: str, items: list[Item]) -> list[BaseException | None]:
        """Publish (subject, content, headers) in their order; returns for each its error, None if it is stored.

        Each message of mail and receipts has a subject of its own, so the stream never stores one twice. A message
        that the stream still holds counts as stored.
        """
        if stream != wire.CARDS:
            items = [(subject, raw, {**headers, streams.EXPECTED: "0"}) for subject, raw, headers in items]
        done: list[BaseException | None] = []
        for part in _parts(items):
            if len(part) >= _TOGETHER and stream not in self._singly and await self._publish_together(stream, part):
                done += [None] * len(part)
            else:
                done += [_trouble_of(answer) for answer in await self._answers(part)]
        return done

    async def _publish_together(self, stream: str, items: list[Item]) -> bool:
        """Publish all items or none, stored with one flush; False if they have to be published one by one.

        They have to if the stream still holds one of them, because a router died before it noted that. They also have
        to if no answer came; that is safe, because the stream takes no message twice.
        """
        batch = {"Nats-Batch-Id": os.urandom(12).hex()}  # nobody can add to a batch of that name
        for number, (subject, raw, headers) in enumerate(items[:-1], 1):
            await self._client.publish(subject, raw, headers={**headers, **batch, "Nats-Batch-Sequence": str(number)})
        subject, raw, headers = items[-1]
        last = {**headers, **batch, "Nats-Batch-Sequence": str(len(items)), "Nats-Batch-Commit": "1"}
        try:
            answer = json.loads((await streams.ask(self._client, subject, raw, last)).data)
        except TimeoutError:
            return False
        if answer.get("count") == len(items):
            return True
        if "error" not in answer or answer["error"].get("err_code") == _NO_BATCHES:
            self._singly.add(stream)  # the server or the stream does not support batches
        return False

    async def _answers(self, items: list[Item]) -> list[dict[str, Any] | BaseException]:
        """Publish one by one, without a wait between them; returns for each the server's answer or the error."""
        asked = [
            asyncio.ensure_future(streams.ask(self._client, subject, raw, headers)) for subject, raw, headers in items
        ]
        everything = asyncio.gather(*asked, return_exceptions=True)
        waits: set[asyncio.Future[Any]] = {everything, self._lost}
        await asyncio.wait(waits, timeout=streams.ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        answers = [_answer_of(one) for one in asked]
        everything.cancel()
        return answers

    async def held(self, subjects: list[str]) -> list[bool | None]:
        """Return for each message's subject whether its stream holds the message, None if that is not known."""
        items = [(subject, b"", {streams.EXPECTED: str(_NEVER)}) for subject in subjects]
        return [_is_held(answer) for answer in await self._answers(items)]


def _answer_of(asked: asyncio.Future[Msg]) -> dict[str, Any] | BaseException:
    """Return the server's answer to a publication, or its error."""
    if not asked.done() or asked.cancelled():
        return _NO_ANSWER
    if (error := asked.exception()) is not None:
        return error
    answer: dict[str, Any] = json.loads(asked.result().data)
    return answer


def _trouble_of(answer: dict[str, Any] | BaseException) -> BaseException | None:
    """Return why a message is not stored; None if it is stored, now or before."""
    if isinstance(answer, BaseException):
        return answer
    error = answer.get("error")
    if error is None or error.get("err_code") == streams.WRONG_LAST:
        return None
    return Trouble(what=str(error.get("description")))


def _is_held(answer: dict[str, Any] | BaseException) -> bool | None:
    """Return whether the subject has a message, by the number that a refusal names; None if it names none."""
    error = {} if isinstance(answer, BaseException) else answer.get("error") or {}
    number = str(error.get("description", "")).rpartition(" ")[2]
    return int(number) > 0 if error.get("err_code") == streams.WRONG_LAST and number.isdigit() else None


def _parts(items: list[Item]) -> list[list[Item]]:
    """Return the items in parts that are small enough to be published together."""
    parts: list[list[Item]] = []
    size = _TOGETHER_BYTES + 1
    for item in items:
        size += len(item[1])
        if size > _TOGETHER_BYTES:
            parts.append([])
            size = len(item[1])
        parts[-1].append(item)
    return parts
