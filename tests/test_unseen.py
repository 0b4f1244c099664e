"""No invisible character hides in a subject, file name or card: wherever one is shown, it is an escape.

People tell subjects and names apart by their looks, so nothing in them may be invisible. Bodies are read for what
they say, so they keep the joiners and selectors that languages need.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.mailboxes.outbox import MALFORMED
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.text import printable
from tests.support.command import command
from tests.support.mail import post, route
from tests.support.wire import hello

# Unicode's property Default_Ignorable_Code_Point, and the separators and controls of direction among it.
IGNORABLE = (
    "00AD 034F 061C 115F-1160 17B4-17B5 180B-180F 200B-200F 202A-202E 2060-206F 3164 FE00-FE0F FEFF FFA0 FFF0-FFF8 "
    "1BCA0-1BCA3 1D173-1D17A E0000-E0FFF"
)
# One of each kind: direction, zero width, joiner, filler (letters), selectors, tags, unassigned, soft hyphen, BOM.
KINDS = "\u202e\u2066\u200b\u200d\u3164\u115f\uffa0\ufe0f\U000e0100\U000e0041\u2065\u00ad\ufeff\u2062\u180e\u034f"
HIDDEN = "".join(f"a{ch}" for ch in KINDS) + "z"


def ignorable() -> list[str]:
    """Return every character that has the property."""
    spans = [[int(end, 16) for end in span.split("-")] for span in IGNORABLE.split()]
    return [chr(point) for span in spans for point in range(span[0], span[-1] + 1)]


def test_every_character_that_is_not_drawn_is_an_escape() -> None:
    for ch in ignorable():
        assert printable(ch) == ch.encode("unicode_escape").decode()
        assert printable(f"a{ch}b") != f"a{ch}b"


@pytest.mark.parametrize(
    "emoji", ["👩\u200d💻", "❤\ufe0f", "🏳\ufe0f\u200d🌈", "👩🏽\u200d🚒", "🙂\u200d↔\ufe0f", "1\ufe0f\u20e3"]
)
def test_an_emoji_of_several_characters_stays_whole(emoji: str) -> None:
    assert printable(f"a {emoji} b") == f"a {emoji} b"


@pytest.mark.parametrize(
    "text", ["\u200d💻", "💻\u200d", "a\u200d💻", "❤\ufe0f\ufe0f", "\ufe0f\u200d💻", "💻\u200d\u200d💻"]
)
def test_what_makes_no_emoji_is_an_escape(text: str) -> None:
    assert "\\u" in printable(text)


@pytest.fixture
def told(where: Tree, settings: Settings) -> str:
    """The ID of a message whose subject hides something, as does a rejected file's name, and its sender's card."""
    cards.change(where, "claude", {"display": HIDDEN, "description": HIDDEN})
    Path(where.outbox("claude").path, f"{HIDDEN}.txt").write_text("no message")
    id_ = post(where, f"to be read\n{HIDDEN}", subject=HIDDEN)
    route(where, settings)
    assert where.outbox("claude").names(MALFORMED) == [f"{HIDDEN}.txt"]
    return id_


def is_clean(text: str) -> bool:
    return "\\u202ea" in text and not any(ch in text for ch in KINDS)


@pytest.mark.parametrize(
    "words",
    [
        ("list", "--agent", "gemini"),
        ("history", "--brief", "--agent", "gemini"),
        ("threads",),
        ("list", "--malformed"),
        ("search", "read"),
        ("peers",),
        ("card", "show", "claude"),
        ("status", f"{HIDDEN}.txt"),
        ("show", f"no {HIDDEN}"),
        ("restore", f"{HIDDEN}.txt"),
        ("read", "--agent", "claude"),
        ("wait", "--agent", "gemini"),
        ("acknowledge", HIDDEN, "--agent", "gemini"),
        ("send", HIDDEN, "--agent", "claude"),
    ],
    ids=" ".join,
)
def test_a_command_shows_it(where: Tree, told: str, words: tuple[str, ...]) -> None:
    done = command(*words, "--mailboxes", where.path, body="x")
    assert is_clean(done.stdout + done.stderr), done.stdout + done.stderr


def test_a_message_shows_it_in_its_headers_and_keeps_what_languages_need_in_its_body(where: Tree, told: str) -> None:
    done = command("show", told, "--mailboxes", where.path)
    head, _, body = done.stdout.partition("\n\n")
    assert is_clean(head)
    assert "a\u200da\u3164a" in body
    assert "a\\u202ea\\u2066a\\u200ba" in body


def test_what_was_said_shows_it_in_its_heads_and_keeps_what_languages_need_in_its_bodies(
    where: Tree, told: str
) -> None:
    head, *body = command("history", "--thread", told, "--mailboxes", where.path).stdout.splitlines()
    assert is_clean(head)
    assert "a\u200da\u3164a" in body[1]
    assert "a\\u202ea\\u2066a\\u200ba" in body[1]


def test_a_decision_and_a_log_show_it(where: Tree, told: str, tmp_path: Path) -> None:
    opened = ("send", "gemini", HIDDEN, "--agent", "claude", "--decide", "majority", "--mailboxes", where.path)
    assert command(*opened, body="x").returncode == 0
    assert is_clean(command("decisions", "--mailboxes", where.path).stdout)
    Path(where.outbox("claude").path, f"{HIDDEN}.txt").write_text("no message either")
    log = tmp_path / "router.log"
    command("router", "--once", "--log", str(log), "--mailboxes", where.path, AI_BRIDGE_SETTLE_S="0")
    assert is_clean(log.read_text())


@pytest.mark.parametrize(
    ("tool", "words"),
    [
        ("peer_read", {"peek": True}),
        ("peer_history", {}),
        ("peer_history", {"query": HIDDEN}),
        ("peer_list", {}),
        ("peer_status", {"id": f"{HIDDEN}.txt"}),
        ("peer_status", {"id": f"no {HIDDEN}"}),
        ("peer_read", {"sender": HIDDEN}),
        ("peer_context", {"to": "claude", "paths": [HIDDEN]}),
        ("acknowledge_messages", {"ids": [HIDDEN]}),
        ("peer_read", {HIDDEN: 1}),
        (HIDDEN, {}),
    ],
)
def test_a_tool_shows_it(where: Tree, told: str, tool: str, words: dict[str, object]) -> None:
    begin = hello({"name": "gemini-cli-mcp-client", "version": "1"})
    lines = [
        {"jsonrpc": "2.0", "id": 1, "method": "initialize", "params": begin},
        {"jsonrpc": "2.0", "method": "notifications/initialized"},
        {"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": tool, "arguments": words}},
    ]
    done = command("mcp", "--mailboxes", where.path, body="".join(json.dumps(line) + "\n" for line in lines))
    reply = next(line for line in map(json.loads, done.stdout.splitlines()) if line.get("id") == 2)
    said = reply["result"]["content"][0]["text"]
    outside = "".join(said.split("--- mail ")[::2]) if "--- mail " in said else said
    assert is_clean(outside), said
