"""The NATS server: the only module that imports its client. One connection, which is never mended but made anew."""

from __future__ import annotations

import asyncio
import json
import ssl
from collections.abc import Callable, Coroutine
from contextlib import suppress
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import api

from ai_bridge.link import wire
from ai_bridge.link.config import Link, Refusal, Trouble
from ai_bridge.link.streams import Pull, Streams

_CONNECT_S = 5
_ANSWER_S = 10.0
_PING_S = 15
_CLOSE_S = 2.0
# From so many on, messages are committed together: the server flushes once for all, and some files more.
_TOGETHER, _TOGETHER_BYTES = 12, 8_388_608

_NO_ANSWER = TimeoutError("the server did not answer")

Item = tuple[str, bytes, dict[str, str]]


class Server:
    """One connection; `lost` is done once it ended. `notes` say what of the streams is not as it should be."""

    def __init__(self, link: Link) -> None:
        self.link = link
        self.max_payload = 0
        self.lost: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._denied: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self._client = Client()
        self._stream = self._client.jetstream(timeout=_ANSWER_S)
        self._streams = Streams(self._stream, link)
        self._error: BaseException | None = None
        self._batches = 0

    @property
    def notes(self) -> list[str]:
        return self._streams.notes

    # --- connection -------------------------------------------------------------------------------------

    async def open(self) -> None:
        """Connect; raises `Trouble` or `Refusal` in one sentence."""
        where = self.link.shown_url
        try:
            await self._client.connect(
                self.link.url,
                name=f"ai-bridge {self.link.team}",
                allow_reconnect=False,
                max_reconnect_attempts=1,
                reconnect_time_wait=0,
                connect_timeout=_CONNECT_S,
                ping_interval=_PING_S,
                max_outstanding_pings=2,
                error_cb=self._on_error,
                closed_cb=self._on_closed,
                user_credentials=self.link.creds or None,
                tls=self._tls(),
            )
        except ImportError:
            raise Refusal(what="a file of credentials needs more: `pip install 'ai-bridge[nats]'`") from None
        except (TimeoutError, OSError, ValueError, nats.errors.Error) as error:
            raise _explained(where, self._error or error) from None
        self.max_payload = self._client.max_payload

    def _tls(self) -> ssl.SSLContext | None:
        if not (self.link.tls_ca or self.link.url.startswith("tls:")):
            return None
        return ssl.create_default_context(cafile=self.link.tls_ca or None)

    async def _on_error(self, error: Exception) -> None:
        self._error = error
        if "permissions violation" in str(error).lower() and not self._denied.done():
            self._denied.set_result(str(error))

    async def _unless_denied(self, work: Coroutine[None, None, None]) -> None:
        """Do this; raises `Refusal` once the server says that it is not permitted, for it answers nothing else."""
        task = asyncio.ensure_future(work)
        waits: set[asyncio.Future[Any]] = {task, self._denied}
        await asyncio.wait(waits, return_when=asyncio.FIRST_COMPLETED)
        if not task.done():
            task.cancel()
            where, said = self.link.shown_url, self._denied.result().removeprefix("nats: ")
            raise Refusal(what=f"{where} does not permit these credentials to be the team {self.link.team}: {said}")
        task.result()

    async def _on_closed(self) -> None:
        if not self.lost.done():
            self.lost.set_result(None)

    async def close(self) -> None:
        """End the connection; after a handshake that failed the client would wait for its end for ever."""
        with suppress(OSError, nats.errors.Error, TimeoutError):
            await asyncio.wait_for(self._client.close(), _CLOSE_S)

    def ending(self) -> Trouble:
        """Return why the connection ended."""
        return _explained(self.link.shown_url, self._error or ConnectionResetError("the connection was lost"))

    # --- streams ----------------------------------------------------------------------------------------

    async def prepare(self, take_over: bool = False) -> None:
        """Make what is missing of streams and consumers, and take the team's name; raises `Trouble` or `Refusal`."""
        try:
            await self._unless_denied(self._streams.prepare(take_over))
        except (nats.js.errors.ServiceUnavailableError, nats.errors.NoRespondersError):
            raise Refusal(
                what=f"JetStream is not enabled on {self.link.shown_url}: add `jetstream {{ store_dir: … }}` there"
            ) from None
        except (TimeoutError, nats.errors.Error) as error:
            raise _explained(self.link.shown_url, self._error or error) from None

    async def leave(self, cards: list[str]) -> None:
        """Take the cards of these subjects back and give the team's name up; mail that waits for the team stays."""
        try:
            for subject in cards:
                await self._stream.publish(subject, b"")
            await self._stream.purge_stream(wire.CARDS, subject=wire.claim_of(self.link.team))
        except (nats.errors.Error, TimeoutError) as error:
            raise _explained(self.link.shown_url, self._error or error) from None

    async def waiting(self) -> int:
        """Return how many messages wait in the stream for this team, or are on their way to it."""
        info = await self._stream.consumer_info(wire.MAIL, self.link.team)
        return (info.num_pending or 0) + (info.num_ack_pending or 0)

    # --- publishing -------------------------------------------------------------------------------------

    async def publish(self, stream: str, items: list[Item]) -> list[BaseException | None]:
        """Publish (subject, content, headers) in their order; returns what went wrong with each, None if stored."""
        done: list[BaseException | None] = []
        for part in _parts(items):
            if len(part) >= _TOGETHER and stream in self._streams.together and await self._publish_together(part):
                done += [None] * len(part)
            else:
                done += await self._publish_each(part)
        return done

    async def _publish_together(self, items: list[Item]) -> bool:
        """Publish all or nothing, stored with one flush; False where the server would have them one by one.

        It would where one of them was published before: a router died before it could say so.
        """
        self._batches += 1
        batch = {"Nats-Batch-Id": f"{self._client.client_id}-{self._batches}-{self.link.id}"}
        for number, (subject, raw, headers) in enumerate(items[:-1], 1):
            await self._client.publish(subject, raw, headers={**headers, **batch, "Nats-Batch-Sequence": str(number)})
        subject, raw, headers = items[-1]
        last = {**headers, **batch, "Nats-Batch-Sequence": str(len(items)), "Nats-Batch-Commit": "1"}
        answer = json.loads((await self._client.request(subject, raw, timeout=_ANSWER_S, headers=last)).data)
        return "error" not in answer

    async def _publish_each(self, items: list[Item]) -> list[BaseException | None]:
        answers: list[asyncio.Future[api.PubAck]] = [
            await self._stream.publish_async(subject, raw, headers=headers) for subject, raw, headers in items
        ]
        everything = asyncio.gather(*answers, return_exceptions=True)
        waits: set[asyncio.Future[Any]] = {everything, self.lost}
        await asyncio.wait(waits, timeout=_ANSWER_S, return_when=asyncio.FIRST_COMPLETED)
        if everything.done():
            return [found if isinstance(found, BaseException) else None for found in everything.result()]
        unsure: list[BaseException | None] = [
            None if answer.done() and not answer.exception() else _NO_ANSWER for answer in answers
        ]
        everything.cancel()
        return unsure

    # --- consuming --------------------------------------------------------------------------------------

    async def pull(self, stream: str) -> Pull:
        """Return the messages of a stream for this team."""
        inbox = self._client.new_inbox()
        subscription = await self._client.subscribe(inbox)
        return Pull(self._client, subscription, f"$JS.API.CONSUMER.MSG.NEXT.{stream}.{self.link.team}", inbox)

    async def follow_cards(self, take: Callable[[str, bytes, int], None]) -> int:
        """Call `take` with subject, content and how many are to follow, now and at each change.

        Returns how many cards there are at first.
        """

        async def on_message(msg: Msg) -> None:
            take(msg.subject, msg.data, msg.metadata.num_pending)

        config = api.ConsumerConfig(ack_policy=api.AckPolicy.NONE, deliver_policy=api.DeliverPolicy.LAST_PER_SUBJECT)
        followed = await self._stream.subscribe(
            "aibridge.card.>", stream=wire.CARDS, cb=on_message, config=config, manual_ack=True
        )
        info = await followed.consumer_info()
        return (info.num_pending or 0) + (info.delivered.consumer_seq if info.delivered else 0)


# --- words ----------------------------------------------------------------------------------------------


def _parts(items: list[Item]) -> list[list[Item]]:
    """Return the items in parts that are not too large to be published together."""
    parts: list[list[Item]] = []
    size = _TOGETHER_BYTES + 1
    for item in items:
        size += len(item[1])
        if size > _TOGETHER_BYTES:
            parts.append([])
            size = len(item[1])
        parts[-1].append(item)
    return parts


def _explained(where: str, error: BaseException) -> Trouble:
    """Return the sentence for what the client library or the system says."""
    said = str(error) or type(error).__name__
    if isinstance(error, nats.errors.AuthorizationError) or "authorization" in said.lower():
        return Refusal(what=f"{where} refuses these credentials: check user and password, or the file of --creds")
    if isinstance(error, ssl.SSLError):
        return Refusal(what=f"{where} has no certificate that is trusted ({said}): name its authority with --tls-ca")
    if isinstance(error, asyncio.TimeoutError):
        return Trouble(what=f"{where} did not answer in time")
    if isinstance(error, OSError):
        return Trouble(what=f"{where} cannot be reached: {error.strerror or said}")
    return Trouble(what=f"{where}: {said.removeprefix('nats: ')}")
