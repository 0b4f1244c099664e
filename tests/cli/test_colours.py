"""Colours are for terminals, and each user may refuse or force them for every command at once."""

from __future__ import annotations

import pytest

from ai_bridge.cli import colours
from ai_bridge.mailboxes.tree import Tree
from tests.support.command import command, on_terminal
from tests.support.mail import post

NO, FORCE = {"NO_COLOR": "1"}, {"FORCE_COLOR": "1"}
# Each prints something in colours: the mail, the agents, the report of health, and what was said.
COMMANDS = [
    ("list", "--agent", "gemini"),
    ("peers",),
    ("health",),
    ("history",),
    ("history", "--brief"),
    ("search", "needle"),
    ("threads",),
    ("card", "claude"),
    ("read", "--peek", "--agent", "gemini"),
]
EVERY = pytest.mark.parametrize("words", COMMANDS, ids=" ".join)


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    post(where, "a needle")


@EVERY
def test_a_terminal_gets_colours_unless_its_user_or_its_kind_refuses_them(words: tuple[str, ...]) -> None:
    assert "\x1b[" in on_terminal(b"", *words)[1]
    assert "\x1b" not in on_terminal(b"", *words, **NO)[1]
    assert "\x1b" not in on_terminal(b"", *words, TERM="dumb")[1]


@EVERY
def test_a_pipe_gets_colours_only_if_they_are_forced(words: tuple[str, ...]) -> None:
    plain = command(*words).stdout
    assert "\x1b" not in plain
    assert "\x1b[" in command(*words, **FORCE).stdout
    assert "\x1b" not in command(*words, **FORCE, **NO).stdout


def test_json_never_has_colours() -> None:
    assert "\x1b" not in command("history", "--json", **FORCE).stdout


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({"TERM": "xterm"}, None),
        ({}, None),
        ({"NO_COLOR": ""}, None),
        ({"NO_COLOR": "0"}, False),
        ({"FORCE_COLOR": ""}, None),
        ({"FORCE_COLOR": "1"}, True),
        ({"FORCE_COLOR": "0"}, False),
        ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, False),
        ({"FORCE_COLOR": "1", "TERM": "dumb"}, True),
        ({"TERM": "dumb"}, False),
    ],
)
def test_the_variables_have_an_order(
    environment: dict[str, str], wanted: bool | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("TERM")
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    assert colours.wanted() is wanted
