"""The table of clients: what each record says, and that whatever cannot read the table agrees with it."""

from __future__ import annotations

import importlib.util
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.clients.record import Client

ROOT = Path(__file__).resolve().parents[2]


def named(client: Client) -> str:
    return client.name


def test_each_client_is_found_by_what_people_call_it_and_by_what_it_calls_itself() -> None:
    own_names = {client.own_name: client.agent for client in clients.registrable()}
    assert own_names == {"claude-code": "claude", "gemini-cli-mcp-client": "gemini", "codex-mcp-client": "codex"}
    for client in clients.ALL:
        assert clients.by_name(client.name) is client
        assert all(clients.by_own_name(own_name) is client for own_name in client.own_names)


@pytest.mark.parametrize("own_name", ["", "another", "claude", "claude-code-2", "qwen"])
def test_any_other_client_has_the_record_of_others(own_name: str) -> None:
    assert clients.by_own_name(own_name) is clients.OTHER


def test_a_name_that_nobody_has_is_an_error() -> None:
    with pytest.raises(KeyError):
        clients.by_name("aider")
    with pytest.raises(KeyError):
        _ = clients.by_name("copilot").files


def test_no_two_records_claim_the_same_name_or_variable() -> None:
    names = [client.name for client in clients.ALL]
    own_names = [own_name for client in clients.ALL for own_name in client.own_names]
    variables = [name for client in clients.ALL for name in {*client.shell_variables, *client.session_variables}]
    for found in (names, own_names, variables):
        assert len(set(found)) == len(found)


def test_the_limits_are_those_that_were_measured() -> None:
    limits = {client.name: (client.reply_limit, client.limit_is_bytes) for client in clients.registrable()}
    assert limits == {"claude": (None, False), "gemini": (38_000, False), "codex": (10_000, True)}


@pytest.mark.parametrize("client", clients.registrable(), ids=named)
def test_each_file_takes_the_server_or_the_hooks_and_both_have_a_place(client: Client) -> None:
    config = client.files.config
    assert all(file.what for file in config)
    holds_both = bool(client.files.plugin and client.files.plugin.place)
    assert sum(file.has_server for file in config) + holds_both == 1
    assert sum(file.has_hooks for file in config) + holds_both == 1
    assert client.files is client.files, "a record is made once"


@pytest.mark.parametrize("client", clients.ALL, ids=named)
def test_the_modules_a_record_names_exist(client: Client) -> None:
    approval = client.files.checks.approval if client.is_registrable else ""
    for module in filter(None, (client.reach.module, client.hooks.trust, approval)):
        assert importlib.util.find_spec(module) is not None, module


@pytest.mark.parametrize("client", clients.registrable(), ids=named)
def test_the_shells_send_script_knows_the_same_variables(client: Client) -> None:
    script = (ROOT / "management" / "send.sh").read_text()
    for name in (*client.shell_variables, *client.session_variables):
        assert f"${{{name}:-}}" in script


@pytest.mark.parametrize("client", clients.registrable(), ids=named)
def test_the_page_on_clients_names_each_client(client: Client) -> None:
    text = (ROOT / "docs/clients.md").read_text()
    assert client.title in text
    assert f"`{client.files.folder.variable}`" in text
