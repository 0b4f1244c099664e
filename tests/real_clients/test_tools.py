"""Tools, called by a model through its real client: mail really moves."""

from __future__ import annotations

import pytest

from tests.real_clients.ground import Ground
from tests.real_clients.model import Model
from tests.real_clients.sessions import Client

pytestmark = pytest.mark.clients


def test_a_model_sends_mail(installed: Client, model: Model, ground: Ground) -> None:
    body = "No escaping: $(), \\, \", ' mean nothing here."
    model.plan(installed.call("peer_send", to="postbox", subject="greeting", body=body))
    installed.ask_once("send a greeting")
    (result,) = model.requests[-1].results
    assert "Sent to postbox. ID: " in result
    assert body in ground.bridge("read", "--agent", "postbox")


def test_a_model_reads_its_mail(installed: Client, model: Model, ground: Ground) -> None:
    ground.drop(installed.name, "The build is green.")
    model.plan(installed.call("peer_read"))
    installed.ask_once("read your mail")
    (result,) = model.requests[-1].results
    assert "The build is green." in result
    ground.wait_until_read(installed.name)
