"""The real clients, each on a ground of its own; a test that cannot have them says why it is left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TypeVar

import pytest

from tests.real_clients import software, table
from tests.real_clients.ground import Ground
from tests.real_clients.model import Model
from tests.real_clients.sessions import CLIENTS, Claude, Client, Codex, Gemini

C = TypeVar("C", bound=Client)
# Names what a run of all tests with the real clients is to write, see `management/test.sh`.
_TABLE = "CLIENTS_TABLE"
_seen: table.Seen = {}


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Keep the outcome of each test with a client, for the table."""
    if report.when == "call":
        table.add(_seen, report.nodeid, report.outcome, dict(report.user_properties))


def pytest_sessionfinish() -> None:
    """Write the table, if this run is asked to."""
    if os.environ.get(_TABLE) and _seen:
        table.PAGE.write_text(table.put(table.PAGE.read_text(), _seen))


@pytest.fixture(scope="session")
def commands() -> Path:
    """The folder of the clients' commands."""
    try:
        return software.install(software.folder())
    except software.NotInstalled as trouble:
        pytest.skip(f"the real clients could not be installed: {trouble}")


@pytest.fixture
def model() -> Iterator[Model]:
    """A model that answers what the test plans."""
    with Model() as made:
        yield made


@pytest.fixture
def ground(tmp_path: Path, commands: Path, model: Model, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ground]:
    """A home and a project, which this process shares with the clients."""
    monkeypatch.delenv("AI_BRIDGE_STATE")
    made = Ground(tmp_path, commands, model)
    yield made
    made.end()


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest, ground: Ground) -> Client:
    """Each of the three clients, set up, with nothing of ours."""
    return CLIENTS[request.param](ground)


@pytest.fixture
def installed(client: Client) -> Client:
    """Each of the three clients, with all that `ai-bridge install` gives it."""
    client.install()
    return client


@pytest.fixture
def claude(ground: Ground) -> Claude:
    return _installed(Claude(ground))


@pytest.fixture
def gemini(ground: Ground) -> Gemini:
    return _installed(Gemini(ground))


@pytest.fixture
def codex(ground: Ground) -> Codex:
    return _installed(Codex(ground))


def _installed(made: C) -> C:
    made.install()
    return made
