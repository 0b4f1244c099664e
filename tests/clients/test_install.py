"""What we register leaves no trace when it goes, also where the client has written its files anew in between."""

from __future__ import annotations

import pytest

from tests.clients.ground import PROGRAM, Ground
from tests.clients.model import Model
from tests.clients.sessions import Client

pytestmark = pytest.mark.clients


def kept(client: Client) -> list[str]:
    return [path.read_text() for path in client.files()]


def test_what_is_registered_goes_without_a_trace(client: Client, ground: Ground) -> None:
    before = kept(client)
    client.install()
    first = kept(client)
    ground.bridge("uninstall", client.name, "--yes")
    assert kept(client) == before
    client.install()
    assert kept(client) == first != before


def test_nothing_of_ours_is_left_after_the_client_ran(client: Client, model: Model, ground: Ground) -> None:
    client.install()
    client.ask_once("begin")
    assert all(PROGRAM in path.read_text() for path in client.files()[:1])
    ground.bridge("uninstall", client.name, "--yes")
    for text, path in zip(kept(client), client.files(), strict=True):
        assert PROGRAM not in text, path
        assert "check_mail" not in text, path
    model.plan(client.shell("echo a call"))
    client.ask_once("go on without it")
    assert "a call" in "".join(model.requests[-1].results)
