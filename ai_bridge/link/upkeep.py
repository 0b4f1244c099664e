"""Looks after messages that the stream took and no team has; sends a message again if the stream lost it.

A message counts as lost once two looks in a row found it neither in the stream nor arrived. The other side reports
a message as arrived before it takes it out of the stream. So an offline team loses nothing and raises no alarm.
"""

import time

from ai_bridge.errors import Malformed
from ai_bridge.link import wire
from ai_bridge.link.arrived import key_of
from ai_bridge.link.broker.connection import Connection
from ai_bridge.link.outgoing import Outgoing
from ai_bridge.mailboxes.outbox import Outbox
from ai_bridge.router.log import LOGGER
from ai_bridge.system import times

# Messages asked for at once.
_PORTION = 500
# A message is lost after this many misses in a row. The number doubles each time the message is sent again.
_MISSES = 2
_MOST_DOUBLINGS = 12

Sent = tuple[Outbox, str, str]


class _Doubt:
    """One message that a look missed: `misses` in a row, and how many `times` it was sent again."""

    __slots__ = ("misses", "times")

    def __init__(self) -> None:
        self.misses = 0
        self.times = 0


class Upkeep:
    """`lost` says what was done about each lost message, by its key; `waiting` counts all that have not arrived."""

    def __init__(self, outgoing: Outgoing) -> None:
        self.lost: dict[str, str] = {}
        self.waiting = 0
        self._outgoing = outgoing
        self._doubts: dict[str, _Doubt] = {}

    async def check(self, server: Connection) -> None:
        """Ask the stream for each message that has not arrived, and send lost ones again.

        Raises `Trouble` or OSError.
        """
        sent = self._outgoing.unarrived()
        keys = {key_of(outbox.owner, name) for outbox, name, _ in sent}
        self._doubts = {key: doubt for key, doubt in self._doubts.items() if key in keys}
        self.lost = {key: what for key, what in self.lost.items() if key in keys}
        for first in range(0, len(sent), _PORTION):
            await self._look_at(server, sent[first : first + _PORTION])
        self.waiting = len(sent)

    async def _look_at(self, server: Connection, sent: list[Sent]) -> None:
        held = await server.held([subject for _, _, subject in sent])
        for (outbox, name, _), is_held in zip(sent, held, strict=True):
            if self._is_lost(key_of(outbox.owner, name), is_held):
                await self._send_again(server, outbox, name)

    async def _send_again(self, server: Connection, outbox: Outbox, name: str) -> None:
        try:
            parcel = self._outgoing.packed_again(outbox, name)
        except FileNotFoundError:  # it has just ended
            return
        except (Malformed, OSError) as trouble:
            self._note(key_of(outbox.owner, name), f"it cannot be sent again: {trouble}")
            return
        (refusal,) = await server.publish(wire.MAIL, [(parcel.subject, parcel.raw, parcel.headers)])
        if refusal is None:
            self._note(key_of(outbox.owner, name), f"it was sent again at {times.format_utc(time.time())}")

    def _is_lost(self, key: str, is_held: bool | None) -> bool:
        if is_held is None:
            return False
        doubt = self._doubts.setdefault(key, _Doubt())
        doubt.misses = 0 if is_held else doubt.misses + 1
        return doubt.misses >= _MISSES << min(doubt.times, _MOST_DOUBLINGS)

    def _note(self, key: str, what: str) -> None:
        doubt = self._doubts[key]
        doubt.misses = 0
        doubt.times += 1
        self.lost[key] = what
        LOGGER.warning("link: the stream no longer had %s, and no team has it: %s", key, what)
