"""The streams of the server and this team's consumers: made where they are missing, looked at, and read from."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import nats.errors
import nats.js.errors
from nats.aio.msg import Msg
from nats.js import api
from nats.js.client import JetStreamContext

from ai_bridge.link import wire
from ai_bridge.link.config import Link, Refusal, Trouble

_ACK_WAIT_S = 15.0
# The stream itself recognises what is published twice within this time; after it, the drop on the other side does.
_WINDOW_S = 3600.0
# One request for messages: at most so many, so many bytes, and so long.
_PULL, _PULL_BYTES, _PULL_S = 500, 33_554_432, 20.0
_TAKE = 200
_TAKEN = 10071


class Streams:
    """What was found: `notes` say what is not as it should be, `together` which streams commit a batch at once."""

    def __init__(self, jetstream: JetStreamContext, link: Link) -> None:
        self.notes: list[str] = []
        self.together: set[str] = set()
        self._stream = jetstream
        self.link = link

    async def prepare(self, take_over: bool) -> None:
        """Make what is missing of streams and consumers, and take the team's name; raises what the client raises."""
        for name in wire.STREAMS:
            await self._prepare_stream(name)
        await self._claim(take_over)
        for name in (wire.MAIL, wire.RECEIPTS):
            await self._prepare_consumer(name)

    async def _prepare_stream(self, name: str) -> None:
        try:
            info = await self._stream.stream_info(name)
        except nats.js.errors.NotFoundError:
            info = await self._stream.add_stream(_stream_config(name, self.link.replicas))
        found = info.config
        if found.storage != api.StorageType.FILE:
            self.notes.append(f"the stream {name} is kept in memory: a server that restarts loses it")
        if name != wire.CARDS and found.retention != api.RetentionPolicy.WORK_QUEUE:
            self.notes.append(f"the stream {name} is no work queue: make it anew")
        if found.allow_atomic:
            self.together.add(name)

    async def _prepare_consumer(self, name: str) -> None:
        team = self.link.team
        config = api.ConsumerConfig(
            durable_name=team,
            ack_policy=api.AckPolicy.EXPLICIT,
            ack_wait=_ACK_WAIT_S,
            max_ack_pending=4 * _PULL,
            filter_subject=wire.filter_of(name, team),
        )
        try:
            await self._stream.consumer_info(name, team)
        except nats.js.errors.NotFoundError:
            await self._stream.add_consumer(name, config)

    async def _claim(self, take_over: bool) -> None:
        """Take the team's name where it is free: two mailboxes of one name would take each other's mail."""
        subject, own = wire.claim_of(self.link.team), self.link.id.encode()
        headers = {} if take_over else {"Nats-Expected-Last-Subject-Sequence": "0"}
        try:
            await self._stream.publish(subject, own, headers=headers)
        except nats.js.errors.APIError as error:
            if error.err_code != _TAKEN:
                raise
            if (await self._stream.get_last_msg(wire.CARDS, subject)).data != own:
                raise Refusal(
                    what=f"the team {self.link.team} is that of other mailboxes: choose another name, or take it "
                    "over with `ai-bridge link URL --as TEAM --take-over`"
                ) from None


def _stream_config(name: str, replicas: int) -> api.StreamConfig:
    """Return how a stream is made: where it is full it refuses what is new, and never drops what is old."""
    config = api.StreamConfig(
        name=name, subjects=wire.SUBJECTS[name], storage=api.StorageType.FILE, num_replicas=replicas
    )
    if name == wire.CARDS:
        return config.evolve(max_msgs_per_subject=1)
    return config.evolve(
        retention=api.RetentionPolicy.WORK_QUEUE,
        discard=api.DiscardPolicy.NEW,
        duplicate_window=_WINDOW_S,
        allow_atomic=True,
    )


class Pull:
    """Messages of one consumer: asked for in portions, taken as they come."""

    def __init__(self, client: Any, subscription: Any, subject: str, inbox: str) -> None:
        self._client = client
        self._subscription = subscription
        self._subject = subject
        self._inbox = inbox
        self._left = 0

    async def batch(self) -> list[Msg]:
        """Wait for messages and return those that are there, at most some hundred; none after a while."""
        if self._left <= 0:
            await self._ask()
        found = await self._next(_PULL_S + 5)
        taken = [found] if found is not None else []
        while taken and self._subscription.pending_msgs and len(taken) < _TAKE:
            if (more := await self._next(1)) is not None:
                taken.append(more)
        return taken

    async def _ask(self) -> None:
        wanted = {"batch": _PULL, "max_bytes": _PULL_BYTES, "expires": int(_PULL_S * 1e9)}
        await self._client.publish(self._subject, json.dumps(wanted).encode(), self._inbox)
        self._left = _PULL

    async def _next(self, timeout_s: float) -> Msg | None:
        """Return the next message; None where a portion ended instead."""
        try:
            msg: Msg = await self._subscription.next_msg(timeout=timeout_s)
        except nats.errors.TimeoutError:
            self._left = 0
            return None
        status = (msg.headers or {}).get("Status")
        if status is None:
            self._left -= 1
            return msg
        if "deleted" in (msg.headers or {}).get("Description", "").lower():
            raise Trouble(what="the consumer of this team was deleted on the server")
        self._left = 0
        if status not in ("404", "408", "409"):
            await asyncio.sleep(1)
        return None
