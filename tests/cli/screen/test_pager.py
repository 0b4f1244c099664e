"""The pager: on a terminal only, the one its user names, and never where nobody could press a key."""

from __future__ import annotations

from pathlib import Path

import click
import pytest

from ai_bridge.mailboxes.tree import Tree
from tests.support.command import command, on_terminal
from tests.support.mail import post


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    post(where, "the words")


@pytest.fixture
def pager(tmp_path: Path) -> str:
    """The path of a pager that shows which LESS it was given, and each line behind a `|`."""
    return _program(tmp_path / "mine", "echo \"LESS=$LESS $*\"; sed 's/^/|/'")


def _program(path: Path, script: str) -> str:
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o700)
    return str(path)


@pytest.mark.parametrize("words", [("history",), ("threads",), ("search", "words")], ids=lambda words: words[0])
def test_what_was_said_goes_through_the_pager_on_a_terminal_only(words: tuple[str, ...], pager: str) -> None:
    code, shown = on_terminal(b"", *words, PAGER=pager)
    assert (code, shown.splitlines()[0]) == (0, "LESS=FRX ")
    assert "the words" in click.unstyle(shown)
    assert all(line.startswith("|") for line in shown.rstrip("\0").splitlines()[1:])
    assert "LESS" not in command(*words, PAGER=pager).stdout
    assert "LESS" not in command(*words, PAGER=pager, FORCE_COLOR="1").stdout


def test_the_users_own_options_of_less_stay(pager: str) -> None:
    assert on_terminal(b"", "history", PAGER=f"{pager} --own 'a b'", LESS="MR")[1].startswith("LESS=MR --own a b\n")


@pytest.mark.parametrize("value", ["", "cat", "/no/such/pager", "an 'unbalanced quote", "/"])
def test_without_a_pager_that_works_the_text_is_printed(value: str) -> None:
    code, shown = on_terminal(b"", "history", PAGER=value)
    assert (code, "    the words\n" in shown) == (0, True)


def test_a_shell_of_a_client_and_a_dumb_terminal_get_no_pager(pager: str) -> None:
    for environment in ({"CLAUDECODE": "1"}, {"TERM": "dumb"}):
        shown = on_terminal(b"", "history", **{"PAGER": pager, **environment})[1]
        assert "LESS" not in shown
        assert "    the words\n" in shown


def test_less_that_was_told_to_show_no_colours_gets_none(tmp_path: Path) -> None:
    less = _program(tmp_path / "less", "cat")
    assert "\x1b" not in on_terminal(b"", "history", PAGER=less, LESS="F")[1]
    assert "\x1b[" in on_terminal(b"", "history", PAGER=less, LESS="FR")[1]
    assert "\x1b[" in on_terminal(b"", "history", PAGER=f"{less} -R", LESS="F")[1]
    assert "\x1b[" in on_terminal(b"", "history", PAGER=less)[1]


def test_a_pager_that_is_left_early_is_no_error(where: Tree, tmp_path: Path) -> None:
    post(where, "long\n" * 100_000)
    code, shown = on_terminal(b"", "history", PAGER=_program(tmp_path / "quits", "head -n 1"))
    assert (code, shown.count("\n")) == (0, 1)
