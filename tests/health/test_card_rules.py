"""A typo in a rule of a card is told: by health and doctor, and by the command that writes the card."""

from __future__ import annotations

import json
import os
import stat
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.health import card_rules
from ai_bridge.health.finding import NOTE
from ai_bridge.mailboxes.tree import Tree
from tests.support.command import command, refused
from tests.support.machine import TOWER

TYPO = "refuse names cluade; there is no agent cluade yet (did you mean claude?)"


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)


def _write(where: Tree, *lines: str) -> None:
    Path(where.path, "agents").mkdir(exist_ok=True)
    Path(where.path, "agents", "gemini.md").write_text("\n".join(("---", "name: gemini", *lines, "---", "")))


def _said(where: Tree) -> list[str]:
    return [found.what for found in card_rules.examine(where)]


@pytest.mark.parametrize(
    "line", ["refuse: claude", "hold: '*'", "accept: claude, gemini", "refuse: [claude]", "client: x"]
)
def test_rules_that_name_agents_are_no_finding(where: Tree, line: str) -> None:
    _write(where, line)
    assert _said(where) == []


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("refuse: cluade", [TYPO]),
        ("refuse: [claude, cluade]", [TYPO]),
        ("accept: zzz", ["accept names zzz; there is no agent zzz yet"]),
        ("hold: a b", [f"hold names {name}; there is no agent {name} yet" for name in "ab"]),
        ("refuse: Claude", ["refuse names addresses, or * for everybody, and 'Claude' is neither"]),
        ("refuse: 5", ["refuse names addresses, or * for everybody, and '5' is neither"]),
        ("refuse: {claude: x}", ["refuse names addresses, or * for everybody, and {'claude': 'x'} is neither"]),
    ],
)
def test_a_rule_that_guards_against_nobody_is_told(where: Tree, line: str, says: list[str]) -> None:
    _write(where, line)
    assert _said(where) == [f"the card of gemini: {one}" for one in says]
    (found, *_) = card_rules.examine(where)
    assert (found.where, found.level, found.fix) == ("card", NOTE, "ai-bridge card edit gemini")


def test_health_and_doctor_tell_it(where: Tree) -> None:
    _write(where, "refuse: cluade")
    assert f"card: the card of gemini: {TYPO}; `ai-bridge card edit gemini`" in command("health").stdout
    told = [json.loads(line) for line in command("doctor", "--json").stdout.splitlines()]
    assert [one["level"] for one in told if one.get("check") == "card"] == ["note"]


@pytest.mark.parametrize("line", [f"home: {TOWER}", "link: nats"])
def test_the_card_of_an_agent_elsewhere_is_left_to_its_machine(where: Tree, line: str) -> None:
    _write(where, line, "refuse: cluade")
    assert _said(where) == []


def test_a_damaged_card_is_told_elsewhere(where: Tree) -> None:
    _write(where, "refuse: [")
    assert _said(where) == []


def test_card_set_says_which_agents_are_not_there_yet_and_refuses_what_can_be_nobody(where: Tree) -> None:
    done = command("card", "set", "gemini", "refuse=cluade")
    assert (done.returncode, done.stderr) == (0, f"note: {TYPO}\n")
    assert command("card", "set", "gemini", "refuse=claude,*").stderr == ""
    refused(command("card", "set", "gemini", "refuse=Nobody!"), "refuse names addresses", "'Nobody!' is neither")
    assert cards.load(where, "gemini").get("refuse") == "claude,*"


@pytest.mark.parametrize(
    ("value", "code", "says"),
    [("cluade", 0, f"note: {TYPO}"), ("Nobody!", 1, "'Nobody!' is neither"), ("[claude, 7]", 1, "'7' is neither")],
)
def test_card_edit_checks_the_rules_too(where: Tree, tmp_path: Path, value: str, code: int, says: str) -> None:
    _write(where, "hold: claude")
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\nprintf -- '---\\nname: gemini\\nrefuse: {value}\\n---\\n' > \"$1\"\n")
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    done = command("card", "edit", "gemini", EDITOR=str(editor), VISUAL=str(editor), PATH=os.environ["PATH"])
    assert (done.returncode, says in done.stderr) == (code, True)
    changed = cards.load(where, "gemini")
    assert (changed.get("hold"), changed.get("refuse")) == (("claude", "") if code else ("", value))
