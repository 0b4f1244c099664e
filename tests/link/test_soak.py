"""Messages both ways while server and routers are killed and the server is away: none lost, none read twice."""

from __future__ import annotations

import os
import random
import threading
import time
from calendar import timegm
from itertools import cycle

import pytest

from ai_bridge.mailboxes.compose import Draft
from ai_bridge.message.ids import stamp_of
from tests.support.mail import LIMIT, send
from tests.support.nats_server import NatsServer
from tests.support.team import Team
from tests.support.wait import until

_IS_FULL = bool(os.environ.get("MACHINES_FULL"))
MESSAGES = 1000 if _IS_FULL else 200
# The server is away so long at the end, and so many messages each way are sent meanwhile.
_OUTAGE_S = 60.0 if _IS_FULL else 3.0
_MEANWHILE = 20
_BETWEEN_S = 0.02
_KILL_S = 1.5


class Reader(threading.Thread):
    """Reads what comes for one agent until told to stop; notes when it read what."""

    def __init__(self, team: Team, agent: str) -> None:
        super().__init__(daemon=True)
        self.team = team
        self.agent = agent
        self.read: list[tuple[str, float]] = []
        self.stopping = False

    def run(self) -> None:
        while not self.stopping:
            for message in self.team.json("read", "--agent", self.agent):
                if message["from"] != "postmaster":
                    self.read.append((str(message["id"]), time.time()))
            time.sleep(0.1)


class Killer(threading.Thread):
    """Kills the server, one router or the other, and starts it again after a moment."""

    def __init__(self, *victims: NatsServer | Team) -> None:
        super().__init__(daemon=True)
        self.victims = victims
        self.killed = 0
        self.stopping = False

    def run(self) -> None:
        for victim in cycle(self.victims):
            time.sleep(_KILL_S * random.random())
            if self.stopping:
                return
            victim.kill()
            time.sleep(_KILL_S * random.random() / 2)
            victim.start()
            self.killed += 1


@pytest.mark.machines
@pytest.mark.timeout(900)
def test_messages_both_ways_survive_every_kill(teams: tuple[Team, Team], nats_server: NatsServer) -> None:
    north, south = teams
    readers = [Reader(north, "claude"), Reader(south, "codex")]
    killer = Killer(nats_server, north, south)
    for thread in (*readers, killer):
        thread.start()
    ways = ((south, "codex", "claude@north"), (north, "claude", "codex@south"))
    sent = _send(ways, MESSAGES)
    killer.stopping = True
    killer.join()
    nats_server.kill()
    for ids, more in zip(sent, _send(ways, _MEANWHILE), strict=True):
        ids += more
    time.sleep(_OUTAGE_S)
    nats_server.start()
    for reader, ids, (team, sender, _) in zip(readers, sent, ways, strict=True):
        _await_end(reader, team.where.outbox(sender).directory("read"), len(ids))
    time.sleep(2)  # for what might come twice
    for reader, ids in zip(readers, sent, strict=True):
        reader.stopping = True
        reader.join()
        read_ids = [id_ for id_, _ in reader.read]
        assert sorted(read_ids) == sorted(ids), f"lost {set(ids) - set(read_ids)}, or read twice"
    _print(readers, killer)
    assert [team.json("link")[0]["to_send"] for team in teams] == [0, 0]


def _send(ways: tuple[tuple[Team, str, str], ...], count: int) -> list[list[str]]:
    """Send so many messages each way, in turn; returns the IDs of each way."""
    sent: list[list[str]] = [[] for _ in ways]
    for number in range(count):
        for ids, (team, sender, recipient) in zip(sent, ways, strict=True):
            ids.append(send(team.where, sender, Draft([recipient], f"number {number}"), LIMIT).id)
        time.sleep(_BETWEEN_S)
    return sent


def _await_end(reader: Reader, acknowledged: str, count: int) -> None:
    """Wait until all was read, and its sender knows it."""
    until(lambda: len({id_ for id_, _ in reader.read}) >= count, 180)
    until(lambda: len(os.listdir(acknowledged)) >= count, 120)


def _print(readers: list[Reader], killer: Killer) -> None:
    took = sorted(at - _composed(id_) for reader in readers for id_, at in reader.read)
    print(
        f"\nlink soak: {len(took)} messages, {killer.killed} kills; from compose to read, kills included: "
        f"p50 {took[len(took) // 2]:.2f} s, p99 {took[len(took) * 99 // 100]:.2f} s, most {took[-1]:.2f} s"
    )


def _composed(id_: str) -> float:
    stamp = stamp_of(id_)
    return timegm(time.strptime(stamp[:14], "%Y%m%d%H%M%S")) + int(stamp[14:]) / 1e6
