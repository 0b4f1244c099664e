"""plugin_files: a new version or place of the program is no question, a person's own words are one."""

from __future__ import annotations

import json

import pytest

from ai_bridge import clients
from ai_bridge.install.entries import Choice
from ai_bridge.install.plugin_files import Generated, plugin_files, read

CLAUDE = clients.by_name("claude")


def _content(what: str, choice: Choice | None = None) -> Generated:
    plugin = CLAUDE.files.plugin
    assert plugin is not None
    (found,) = [content for name, _, content in plugin_files(CLAUDE, plugin, choice or Choice()) if name == what]
    assert isinstance(found, Generated)
    return found


def _with(content: Generated, old: str, new: str) -> bytes:
    text = content.content.decode()
    assert old in text
    return text.replace(old, new).encode()


def test_another_version_or_place_of_the_program_is_no_question() -> None:
    server, hooks = _content("server"), _content("hooks")
    command = server.document["mcpServers"]["ai-bridge"]["command"]
    for verb in ("install", "uninstall"):
        assert not server.asks(verb, _with(server, '"version": "', '"version": "9'))
        assert not server.asks(verb, _with(server, command, "/old/ai-bridge"))
        assert not hooks.asks(verb, _with(hooks, command, "/old/ai-bridge"))


@pytest.mark.parametrize(
    ("what", "old", "new"),
    [
        ("server", '"mcp"', '"mcp", "--verbose"'),
        ("server", '"description": "', '"description": "mine, '),
        ("server", '"ai-bridge": {', '"other": {"command": "x"}, "ai-bridge": {"env": {"MINE": "1"},'),
        ("hooks", '"matcher": "*"', '"matcher": "Bash"'),
        ("hooks", '"Stop"', '"SessionEnd"'),
        ("hooks", "{", "{,"),
    ],
)
def test_anything_that_a_person_wrote_is_a_question(what: str, old: str, new: str) -> None:
    content = _content(what)
    present = _with(content, old, new)
    assert content.asks("install", present)
    assert content.asks("uninstall", present)


def test_other_mailboxes_are_a_question_for_install_and_none_for_uninstall() -> None:
    present = _content("server", Choice("/m", "me")).content
    assert _content("server").asks("install", present)
    assert not _content("server").asks("uninstall", present)


def test_what_is_no_object_is_not_understood() -> None:
    assert [read(text) for text in (None, b"", b"[]", b"\xff", b"{")] == [None] * 5
    assert read(json.dumps({"a": 1}).encode()) == {"a": 1}
