"""After uninstall nothing of ours remains, even if the client has rewritten its files in between."""

from __future__ import annotations

import json

import pytest

from tests.real_clients.ground import PROGRAM, Ground
from tests.real_clients.model import Model
from tests.real_clients.notices import notices
from tests.real_clients.sessions import Client, Codex, Gemini

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


@pytest.mark.stories
def test_nothing_of_ours_is_left_after_the_client_ran(client: Client, model: Model, ground: Ground) -> None:
    client.install()
    client.ask_once("begin")
    assert all("ai-bridge" in path.read_text() for path in client.files()[:1])
    ground.bridge("uninstall", client.name, "--yes")
    assert not (ground.home / ".claude/skills").exists()
    for text, path in zip(kept(client), client.files(), strict=True):
        assert PROGRAM not in text, path
        assert "check_mail" not in text, path
        assert "mcp__" not in text, path
    model.plan(client.shell("echo a call"))
    client.ask_once("go on without it")
    assert "a call" in "".join(model.requests[-1].results)


def test_the_doctor_finds_nothing_wrong_with_what_was_installed(ground: Ground) -> None:
    Gemini(ground)  # whose user does not ask for trust in folders
    ground.bridge("install", "all", "--trust-hooks")
    found = [json.loads(line) for line in ground.bridge("doctor", "--json").splitlines()]
    assert {(one["client"], one["check"]) for one in found if one["level"] != "ok"} == set()
    assert {one["client"] for one in found if one["check"] == "server"} == {"claude", "gemini", "codex"}


def test_the_clients_validators_take_the_plugin_and_the_extension(ground: Ground) -> None:
    folder = ground.home / "to hand on"
    ground.bridge("install", "--plugin", str(folder))
    ground.run("claude", "plugin", "validate", str(folder / "claude"))
    ground.run("gemini", "extensions", "validate", str(folder / "gemini"))


def test_codex_runs_the_hooks_that_install_was_told_to_trust(model: Model, ground: Ground) -> None:
    client = Codex(ground)
    ground.drop(client.name)
    for trusts, told in ((), 0), (("--trust-hooks",), 1):
        ground.bridge("install", client.name, *trusts)
        before = len(model.requests)
        ground.run("codex", "exec", "begin")
        assert notices(model.requests[before]) == told
