"""toml_file: our table in a TOML file, while every comment beside it stays in its place."""

from __future__ import annotations

import tomllib

import pytest

from ai_bridge.install.json_edit import NotMergeable
from ai_bridge.install.toml_file import TomlFile

ENTRY = {"command": "/opt/ai-bridge", "args": ["mcp"], "env": {"A": 'say "é"\\'}, "required": True, "timeout": 3600}
CONTENT = TomlFile(ENTRY)


def test_the_table_is_written_at_the_end_as_a_person_would_write_it() -> None:
    assert CONTENT.put("a = 1\n") == (
        'a = 1\n\n[mcp_servers.ai-bridge]\ncommand = "/opt/ai-bridge"\nargs = ["mcp"]\n'
        'env = {A = "say \\"é\\"\\\\"}\nrequired = true\ntimeout = 3600\n'
    )


def test_a_changed_table_is_mended_where_it_stands_and_keeps_comments_and_what_a_person_added() -> None:
    text = (
        "# top\n[mcp_servers.ai-bridge]  # here\n"
        'command = "/old/ai-bridge"  # where\nargs = ["mcp"]\nenabled = false  # for now\n'
        '[mcp_servers.ai-bridge.tools.peer_send]\napproval_mode = "approve"\n\n# bottom\n[tui]\nx = 1\n'
    )
    changed = CONTENT.put(text)
    table = tomllib.loads(changed)["mcp_servers"]["ai-bridge"]
    assert table == {**ENTRY, "enabled": False, "tools": {"peer_send": {"approval_mode": "approve"}}}
    for words in ("# top\n", "# here\n", "# where\n", "# for now\n", "# bottom\n[tui]\nx = 1\n"):
        assert words in changed
    assert CONTENT.put(changed) == changed
    assert tomllib.loads(CONTENT.strip(changed, None)) == {"tui": {"x": 1}}


@pytest.mark.parametrize(
    "text",
    [
        'mcp_servers.ai-bridge.command = "x"\na = 1\n',
        '[mcp_servers]\nai-bridge = {command = "x"}\ndb.command = "y"\n',
        'mcp_servers = {ai-bridge = {command = "x"}, db = {command = "y"}}\n',
        '[mcp_servers."ai-bridge"]\ncommand = "x"\n[mcp_servers.db]\ncommand = "y"\n',
        'mcp_servers.ai-bridge.command = "x"\nmcp_servers.db.command = "y"\na = 1\n',
        '[mcp_servers.ai-bridge]\ncommand = "x"\n[mcp_servers.db]\nx = 1\n[tui]\n[mcp_servers.zz]\ncommand = "z"\n',
        '[mcp_servers.db]\nx = 1\n[tui]\nx = 1\n[mcp_servers.ai-bridge]\ncommand = "x"\n[p.x]\n[p.y]\n',
        '[mcp_servers.ai-bridge]\ncommand = "x"\n[mcp_servers.ai-bridge.env]\nA = "old"\n[p.x]\n',
        '[mcp_servers.ai-bridge]\nextra = 1\ncommand = "x"\n\n[[list]]\na = 1\n[[list]]\nb = 1\n',
    ],
)
def test_however_our_table_is_written_it_is_found_mended_and_taken_out(text: str) -> None:
    before = tomllib.loads(text)
    extra = before["mcp_servers"]["ai-bridge"].get("extra")
    wanted = {**ENTRY, **({"extra": extra} if extra else {})}
    others = {key: value for key, value in before.items() if key != "mcp_servers"}
    changed = tomllib.loads(CONTENT.put(text))
    assert changed.pop("mcp_servers") == {**before["mcp_servers"], "ai-bridge": wanted}
    assert changed == others
    left = tomllib.loads(CONTENT.strip(CONTENT.put(text), None))
    assert left.pop("mcp_servers", {}) == {
        name: server for name, server in before["mcp_servers"].items() if name != "ai-bridge"
    }
    assert left == others


def test_what_codex_keeps_below_our_table_goes_with_it_wherever_it_stands() -> None:
    text = "[mcp_servers.db]\nx = 1\n[tui]\nx = 1\n"
    more = '\n[p.x]\n[mcp_servers.ai-bridge.tools.peer_send]\napproval_mode = "approve"\n'
    changed = CONTENT.put(text) + more
    assert not CONTENT.asks("uninstall", changed.encode())
    assert tomllib.loads(CONTENT.strip(changed, None)) == {**tomllib.loads(text), "p": {"x": {}}}


def test_lines_that_only_look_like_our_table_are_left() -> None:
    text = 'note = """\n[mcp_servers.ai-bridge]\ncommand = 1\n"""\n'
    assert CONTENT.view(text) == ""
    assert CONTENT.strip(CONTENT.put(text), None) == text


def test_line_ends_are_the_files() -> None:
    text = "a = 1\r\n"
    changed = CONTENT.put(text)
    assert changed.count("\n") == changed.count("\r\n")
    assert CONTENT.strip(changed, None) == text


def test_an_array_of_tables_is_refused_whole() -> None:
    with pytest.raises(NotMergeable, match="mcp_servers is no table"):
        CONTENT.put('[[mcp_servers]]\ncommand = "x"\n')
