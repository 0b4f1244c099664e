"""install and uninstall on any file: existing text stays, and afterwards the file is byte for byte as before."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import settings as hypothesis
from hypothesis import strategies as st

from ai_bridge.install.content import Content, Merged
from ai_bridge.install.entries import Choice
from ai_bridge.install.pieces import former_pieces, pieces
from ai_bridge.install.plan import Piece, agree, carry_out, planned
from tests.install.layouts import LAYOUTS, OBJECTS

# Our part of each file of others; for Claude Code, also what an older install wrote.
CONTENTS = {
    f"{piece.client} {piece.what}": piece.content
    for client in ("claude", "gemini", "codex")
    for piece in (*former_pieces(client, "user"), *pieces(client, "user", Choice()))
    if isinstance(piece.content, Merged)
}
JSON = [name for name in CONTENTS if name != "codex server"]
# With the directories that the client's sandbox shall let its shell write.
CONTENTS["codex granted"] = pieces("codex", "user", Choice(lets_shell_write=True))[1].content

_OTHER = '{"hooks": [{"type": "command", "command": "lint"}]}'
ODD_JSON = [
    None,
    b"",
    b" \n",
    b"{}",
    b"{ }\n",
    b"{\n}\n",
    b'{"a":1}',
    b'{"a": 1, "b": [ 1,2 ]}',
    b'{\n\t"a": 1\n}',
    b'{\n    "a": {\n        "b": 1\n    }\n}\n',
    b'{\r\n  "a": 1\r\n}\r\n',
    b'\xef\xbb\xbf{\n  "a": 1\n}\n',
    b'{"hooks": {}}',
    b'{"hooks": {}, "mcpServers": {}}',
    b'{\n  "mcpServers": {\n    "db": {"command": "db"}\n  },\n  "hooks": {"Stop": []}\n}',
    f'{{\n  "hooks": {{\n    "Stop": [{_OTHER}],\n    "AfterTool": [\n      {_OTHER}\n    ]\n  }}\n}}'.encode(),
    '{"ключ": "значение", "e": "\\u00e9\\ud83d", "n": [1e400, -0.0, 1E5, 12345678901234567890]}'.encode(),
    b'{"tools": {"shell": {"pager": "cat"}}, "experimental": {}}',
    b'{"tools": {"shell": {"backgroundCompletionBehavior": "inject"}}, "experimental": {"modelSteering": true}}',
    b'{"tools": 1, "experimental": []}',
    b'{"a": {"a": {"a": {"a": [[[[{"a": "]}"}]]]]}}}}',
]
ODD_TOML = [
    None,
    b"",
    b"\n\n",
    b"# only a comment",
    b'model = "o3"  # mine\n',
    b'model = "o3"\r\n\r\n[tui]\r\nx = 1\r\n',
    b'\xef\xbb\xbfmodel = "o3"\n',
    b'[mcp_servers.db]\ncommand = "db"  # mine\n\n[mcp_servers.db.env]\nA = "b"\n\n\n[tui]\n',
    b'mcp_servers.db.command = "db"\n[tui]\nx = 1\n',
    b'mcp_servers = { db = { command = "db" } } # all\n',
    b"mcp_servers = {}\n",
    b"[mcp_servers]\n",
    b'[mcp_servers]\ndb.command = "db"\n',
    b'[mcp_servers]\n"quoted name" = {command = "x"}\n[tui]\nx = """\n[mcp_servers.ai-bridge]\n"""\n',
    '"ключ" = "значение"\n[[list]]\na = 1\n[[list]]\na = 2'.encode(),
    b'[projects."/a/b"]\ntrust_level = "trusted"',
    b'[sandbox_workspace_write]\nwritable_roots = ["/mine"] # here\nnetwork_access = true\n[tui]\nx = 1\n',
    b'[sandbox_workspace_write]\r\nwritable_roots = [\r\n  "/mine", # a\r\n]\r\n',
    b"sandbox_workspace_write.network_access = true\n",
    b'[a.b]\nx = 1\n[mcp_servers.db]\ncommand = "db"\n[a.c]\ny = 2\n[mcp_servers.other]\ncommand = "o"\n',
]


def _run(verb: str, content: Content, path: Path) -> list[str]:
    """Plan and do one piece as the command does; returns the verbs of what was done."""
    steps = planned(verb, [Piece("any", "any", str(path.parent.parent), str(path), content)])
    agree(steps, lambda asking: False)
    return [step.verb for step, _ in carry_out(steps)]


def _listing(directory: Path) -> dict[str, bytes]:
    return {entry.name: entry.read_bytes() for entry in directory.iterdir()} if directory.exists() else {}


def _file(tmp_path: Path, original: bytes | None) -> Path:
    path = tmp_path / "folder" / "file"
    if original is not None:
        path.parent.mkdir()
        path.write_bytes(original)
    return path


CASES = [
    *((name, original) for name in JSON for original in ODD_JSON),
    *((name, original) for name in ("codex server", "codex granted") for original in ODD_TOML),
]


@pytest.mark.parametrize(("name", "original"), CASES)
def test_installed_twice_nothing_changes_and_uninstalled_everything_is_as_it_was(
    tmp_path: Path, name: str, original: bytes | None
) -> None:
    path = _file(tmp_path, original)
    before = _listing(path.parent)
    _run("install", CONTENTS[name], path)
    installed, written = _listing(path.parent), path.stat().st_mtime_ns
    assert installed != before
    assert _run("install", CONTENTS[name], path) == ["unchanged"]
    assert (_listing(path.parent), path.stat().st_mtime_ns) == (installed, written)
    _run("uninstall", CONTENTS[name], path)
    assert _listing(path.parent) == before
    assert path.parent.exists() == (original is not None)
    assert _run("uninstall", CONTENTS[name], path) == ["absent"]
    _run("install", CONTENTS[name], path)
    assert _listing(path.parent) == installed


@pytest.mark.parametrize(("name", "original"), CASES)
def test_what_was_there_is_still_there(tmp_path: Path, name: str, original: bytes | None) -> None:
    """All their characters but white space, in their order."""
    path = _file(tmp_path, original)
    _run("install", CONTENTS[name], path)
    there = iter(path.read_text())
    assert all(letter in there for letter in (original or b"").decode() if not letter.isspace())


@pytest.mark.parametrize("name", JSON)
@given(before=OBJECTS, layout=st.sampled_from(LAYOUTS))
@hypothesis(max_examples=40)
def test_any_object_comes_back_and_keeps_all_it_had_meanwhile(
    name: str, before: dict[str, Any], layout: dict[str, Any]
) -> None:
    content, original = CONTENTS[name], json.dumps(before, **layout).encode()
    installed = content.installed(original)
    assert content.installed(installed) == installed
    assert content.uninstalled(installed, [original]) == original
    kept = json.loads(installed)
    assert {key: kept[key] for key in before} == before
    if not before.keys() & {"mcpServers", "hooks", "tools", "experimental", "permissions"}:
        assert content.uninstalled(installed, []) == (original if before else None)


# --- with something in between ----------------------------------------------------------------------------


def _edit_json(data: bytes) -> bytes:
    return data.replace(b"{", b'{"mine": [1, {"x": 2}], ', 1)


def _edit_toml(data: bytes) -> bytes:
    return b'mine = "1"  # and a word\n' + data + b'\n[projects."/x"]\ntrust_level = "trusted"\n'


@pytest.mark.parametrize(
    ("name", "edit", "parsed"),
    [*((name, _edit_json, json.loads) for name in JSON), ("codex server", _edit_toml, lambda data: data)],
)
def test_what_another_wrote_in_between_survives_uninstall(
    tmp_path: Path, name: str, edit: Callable[[bytes], bytes], parsed: Callable[[bytes], Any]
) -> None:
    original = b'{"old": 1}' if name in JSON else b"old = 1\n"
    path = _file(tmp_path, original)
    _run("install", CONTENTS[name], path)
    path.write_bytes(edit(path.read_bytes()))
    assert _run("uninstall", CONTENTS[name], path) == ["change"]
    assert parsed(path.read_bytes()) == parsed(edit(original))
    assert b"ai-bridge" in (path.parent / "file.bak1").read_bytes()
    assert _run("uninstall", CONTENTS[name], path) == ["absent"]


def test_a_backup_of_the_persons_own_is_not_taken_for_ours(tmp_path: Path) -> None:
    content = CONTENTS["claude server"]
    path = _file(tmp_path, b'{"a": 1}')
    (path.parent / "file.bak").write_bytes(b'{"a": 1}')
    (path.parent / "file.bak7x").write_bytes(b"not json")
    before = _listing(path.parent)
    _run("install", content, path)
    assert (path.parent / "file.bak1").exists()
    _run("uninstall", content, path)
    assert _listing(path.parent) == before


def test_a_file_we_made_and_another_wrote_in_is_left_with_what_that_wrote(tmp_path: Path) -> None:
    content = CONTENTS["gemini server and hooks"]
    path = _file(tmp_path, None)
    _run("install", content, path)
    document = json.loads(path.read_bytes())
    document["tools"]["sandbox"] = True
    path.write_text(json.dumps(document))
    _run("uninstall", content, path)
    assert json.loads(path.read_bytes()) == {"tools": {"sandbox": True}}


def test_hooks_of_ours_are_mended_where_they_stand_and_never_doubled(tmp_path: Path) -> None:
    content = CONTENTS["claude hooks"]
    ours = json.loads(content.installed(None))["hooks"]
    other = {"type": "command", "command": "lint"}
    old = {**ours["Stop"][0]["hooks"][0]}
    document = {
        "hooks": {
            "SessionStart": [{"hooks": [{**old, "input": {"event": "SessionStart"}}]}],
            "Stop": [{"hooks": [other, old]}, {"hooks": [old]}],
            "PostToolUse": ours["PostToolUse"],
        }
    }
    path = _file(tmp_path, json.dumps(document).encode())
    assert _run("install", content, path) == ["change"]
    assert json.loads(path.read_bytes())["hooks"] == {
        "Stop": [{"hooks": [other, old]}],
        "PostToolUse": ours["PostToolUse"],
        "UserPromptSubmit": ours["UserPromptSubmit"],
    }
    _run("uninstall", content, path)
    assert json.loads(path.read_bytes()) == {"hooks": {"Stop": [{"hooks": [other]}]}}
