"""Makes the streams, and the consumers of each team, for the server's administrator; keeps those that exist."""

from __future__ import annotations

import nats.js.errors
from nats.js import api
from nats.js.client import JetStreamContext

from ai_bridge.link import wire

_ACK_WAIT_S = 15.0
# Messages that a team may have taken and not yet acknowledged.
_MOST_TAKEN = 2000


async def make(stream: JetStreamContext, teams: list[str], replicas: int) -> list[str]:
    """Make the missing streams, and the missing consumers of these teams; returns what is wrong with the streams.

    `replicas` is the number of copies that the server keeps of each stream. Raises the client library's errors.
    """
    notes = [note for name in wire.STREAMS for note in await _make_stream(stream, name, replicas)]
    for team in teams:
        for name in (wire.MAIL, wire.RECEIPTS):
            await _make_consumer(stream, name, team)
    return notes


async def _make_stream(stream: JetStreamContext, name: str, replicas: int) -> list[str]:
    try:
        found = (await stream.stream_info(name)).config
    except nats.js.errors.NotFoundError:
        found = (await stream.add_stream(_stream_config(name, replicas))).config
    if name == wire.CARDS and not found.allow_direct:
        found = (await stream.update_stream(found.evolve(allow_direct=True, max_msg_size=wire.CARD_BYTES))).config
    notes = []
    if found.storage != api.StorageType.FILE:
        notes.append(f"the stream {name} is kept in memory: a server that restarts loses it")
    if name != wire.CARDS and found.retention != api.RetentionPolicy.WORK_QUEUE:
        notes.append(f"the stream {name} is no work queue: remove it and make it again")
    return notes


def _stream_config(name: str, replicas: int) -> api.StreamConfig:
    """Return a stream's configuration: a full stream of mail or receipts refuses new messages, and keeps the old."""
    config = api.StreamConfig(
        name=name, subjects=wire.SUBJECTS[name], storage=api.StorageType.FILE, num_replicas=replicas
    )
    if name == wire.CARDS:
        return config.evolve(max_msgs_per_subject=1, allow_direct=True, max_msg_size=wire.CARD_BYTES)
    return config.evolve(retention=api.RetentionPolicy.WORK_QUEUE, discard=api.DiscardPolicy.NEW, allow_atomic=True)


async def _make_consumer(stream: JetStreamContext, name: str, team: str) -> None:
    config = api.ConsumerConfig(
        durable_name=team,
        ack_policy=api.AckPolicy.EXPLICIT,
        ack_wait=_ACK_WAIT_S,
        max_ack_pending=_MOST_TAKEN,
        filter_subject=wire.filter_of(name, team),
    )
    try:
        await stream.consumer_info(name, team)
    except nats.js.errors.NotFoundError:
        await stream.add_consumer(name, config)
