"""peers and card: the agents, and what others know of them."""

from __future__ import annotations

import json
import os
import re
import stat
import subprocess
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.command import command, on_terminal, refused
from tests.support.mail import post, route
from tests.support.presence import session


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)


def test_init_writes_a_card_with_the_project_of_the_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AI_BRIDGE_MAILBOXES")
    (tmp_path / "Web Shop").mkdir()
    monkeypatch.chdir(tmp_path / "Web Shop")
    command("init", "claude", "mini@api")
    assert "display: mini (api)" in command("card", "mini@api").stdout
    done = command("card", "claude")
    assert "display: claude (Web Shop)" in done.stdout
    assert "project: Web Shop" in done.stdout


def test_peers_counts_what_is_not_delivered_yet(where: Tree, settings: Settings) -> None:
    post(where)
    route(where, settings)
    post(where)
    where.outbox("claude").move("claim", f"{post(where)}.gemini.txt")
    assert re.search(r"^gemini  .*; 1 unread, 2 on their way$", command("peers").stdout, re.MULTILINE)
    told = {one["address"]: one for one in map(json.loads, command("peers", "--json").stdout.splitlines())}
    assert (told["gemini"]["unread"], told["gemini"]["coming"], told["claude"]["coming"]) == (1, 2, 0)


def test_peers_shows_who_is_online_and_what_is_unread(where: Tree, settings: Settings) -> None:
    cards.introduce(where, "gemini", "gemini-cli-mcp-client", "shop")
    cards.change(where, "gemini", {"description": "reviews \x9b[31m"[:8]})
    post(where)
    route(where, settings)
    with session(where, "claude", "claude-code"):
        lines = command("peers").stdout.splitlines()
        told = [json.loads(line) for line in command("peers", "--json").stdout.splitlines()]
    assert lines[0].startswith("claude  claude; online since 20")
    assert lines[1].startswith("gemini  gemini (shop); never seen; gemini-cli-mcp-client; ")
    assert lines[1].endswith("; 1 unread  reviews ")
    assert [(one["address"], one["online"], one["unread"]) for one in told] == [
        ("claude", True, 0),
        ("gemini", False, 1),
    ]
    assert list(told[0]) == [
        *("address", "display", "client", "project", "home", "description", "working_on"),
        *("online", "since", "last_seen", "unread", "coming"),
    ]


def test_a_hostile_card_cannot_act_on_a_terminal_nor_forge_a_line(where: Tree) -> None:
    path = Path(cards.card_path(where, "gemini"))
    path.write_text(
        '---\nname: gemini\ndescription: "a\\e[31m\\nclaude: online"\ndisplay: "x\\u202e"\n---\n\x1b[2J\n'
    )
    for words in (("peers",), ("card", "gemini")):
        done = command(*words)
        assert "\x1b" not in done.stdout
        assert "\u202e" not in done.stdout
        assert "\nclaude: online" not in done.stdout


def test_fields_are_set_and_shown(where: Tree) -> None:
    done = command("card", "set", "description=reviews Python", "text=line 1", "--agent", "claude")
    assert done.returncode == 0
    assert done.stdout.splitlines() == ["name: claude", "description: reviews Python", "", "line 1"]
    command("card", "set", "description=", "project=shop", "claude")
    told = json.loads(command("card", "show", "claude", "--json").stdout)
    assert told == {
        "address": "claude",
        "path": cards.card_path(where, "claude"),
        "fields": {"name": "claude", "project": "shop"},
        "text": "line 1",
    }


def test_groups_are_set_shown_and_listed(where: Tree) -> None:
    done = command("card", "set", "groups=backend, #review", "gemini")
    assert (done.returncode, "groups: backend, #review" in done.stdout) == (0, True)
    _, gemini = command("peers").stdout.splitlines()
    assert gemini.endswith("; #backend #review")
    claude, gemini = [json.loads(line) for line in command("peers", "--json").stdout.splitlines()]
    assert (claude.get("groups"), gemini["groups"]) == (None, ["#backend", "#review"])
    assert command("card", "set", "groups=", "gemini").returncode == 0
    assert "#" not in command("peers").stdout


def test_a_short_name_means_the_one_of_the_project(
    where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where.make(["mini@api", "mini@web"])
    (tmp_path / "web").mkdir()
    monkeypatch.chdir(tmp_path / "web")
    command("card", "set", "description=small", "mini")
    assert cards.load(where, "mini@web").get("description") == "small"


@pytest.mark.parametrize("columns", [50, 120])
def test_peers_on_a_terminal_is_a_table_that_says_how_long_ago(where: Tree, columns: int) -> None:
    where.make(["an-agent-of-a-long-name"])
    cards.change(where, "gemini", {"description": "reviews Python, " * 10})
    post(where)
    with session(where, "claude", "claude-code"):
        shown = on_terminal(b"", "peers", columns=columns, NO_COLOR="1")[1].rstrip("\0").splitlines()
    assert all(len(line) <= columns for line in shown)
    assert re.match(r"claude +online \d+ s  claude-code ", shown[0]) or columns == 50
    assert re.match(r"gemini +never seen +\S", shown[1])
    assert ("1 on its way" if columns == 120 else "1 on…") in shown[1]
    assert [line.find("never seen") for line in shown[1:]] == [len("an-agent-of-a-long-name") + 2] * 2


def test_peers_says_on_a_terminal_that_there_are_none(where: Tree, tmp_path: Path) -> None:
    Tree(str(tmp_path / "empty")).make([])
    words = ("peers", "--mailboxes", str(tmp_path / "empty"))
    assert (command(*words).stdout, command(*words).stderr) == ("", "")
    assert "no agents yet: `ai-bridge init` adds some" in on_terminal(b"", *words)[1]


def test_an_editor_changes_the_card(where: Tree, tmp_path: Path) -> None:
    editor = tmp_path / "editor"
    editor.write_text('#!/bin/sh\nprintf -- "---\\ndescription: edited\\n---\\nby hand\\n" >"$1"\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    done = command("card", "edit", "claude", EDITOR=str(editor), VISUAL="")
    assert done.returncode == 0, done.stderr
    card = cards.load(where, "claude")
    assert (card.get("description"), card.text) == ("edited", "by hand")


CARD = b"---\ndescription: written\n---\nfor an hour\n"


def test_without_a_terminal_no_editor_is_opened_that_nobody_named(where: Tree) -> None:
    done = command("card", "edit", "claude", EDITOR="", VISUAL="")
    refused(
        done,
        "there is no terminal for an editor",
        "`ai-bridge card edit claude`",
        "`ai-bridge card set FIELD=VALUE claude`",
    )
    assert not os.path.lexists(where.state_file("edited"))


# What an editor does with the file it is given ($1), and what it has written there when it ends.
SCRIPTS = {
    "text that is not UTF-8": ("printf 'caf\\351' >\"$1\"", b"caf\xe9"),
    "half a character": ("printf -- '---\\na: \\342\\200' >\"$1\"", b"---\na: \xe2\x80"),
    "a card and a failure": ('cat "$CARD" >"$1"; exit 1', CARD),
    "a card and a death": ('cat "$CARD" >"$1"; kill -9 $$', CARD),
    "a text that is no card": ('echo no front matter >"$1"', b"no front matter\n"),
    "another file in its place": ('cp "$CARD" "$1.new"; mv "$1.new" "$1"; exit 3', CARD),
}


def _edit(tmp_path: Path, script: str) -> subprocess.CompletedProcess[str]:
    editor = tmp_path / "editor"
    editor.write_text(f"#!/bin/sh\n{script}\n")
    editor.chmod(0o700)
    (tmp_path / "card").write_bytes(CARD)
    return command("card", "edit", "claude", EDITOR=str(editor), VISUAL="", CARD=str(tmp_path / "card"))


@pytest.mark.parametrize("case", SCRIPTS)
def test_what_was_written_in_an_editor_is_kept_whatever_it_is(where: Tree, tmp_path: Path, case: str) -> None:
    command("card", "set", "description=before", "claude")
    script, written = SCRIPTS[case]
    done = _edit(tmp_path, script)
    refused(done, "not changed" if "no card" not in case else "nothing was changed", "what you wrote is in")
    kept = Path(done.stderr.rstrip().rpartition("what you wrote is in ")[2])
    assert kept.read_bytes() == written
    assert kept.stat().st_mode & 0o777 == 0o600
    assert cards.load(where, "claude").get("description") == "before"


def test_no_edit_takes_away_what_another_left(where: Tree, tmp_path: Path) -> None:
    said = [_edit(tmp_path, f"printf '{number}\\377' >\"$1\"").stderr for number in range(2)]
    kept = [Path(line.rstrip().rpartition("what you wrote is in ")[2]).read_bytes() for line in said]
    assert kept == [b"0\xff", b"1\xff"]


@pytest.mark.parametrize("script", ["exit 1", 'rm "$1"', "exit 0"])
def test_an_editor_that_wrote_nothing_leaves_nothing(where: Tree, tmp_path: Path, script: str) -> None:
    command("card", "set", "description=before", "claude")
    done = _edit(tmp_path, script)
    if script == "exit 0":
        assert (done.returncode, done.stderr) == (0, "")
    else:
        refused(done, "the card of claude was not changed")
    assert os.listdir(where.state_file("edited")) == []
    assert cards.load(where, "claude").get("description") == "before"


@pytest.mark.parametrize("editor", ["/no/such/editor", "an 'unbalanced quote", "/"])
def test_an_editor_that_cannot_be_started_is_said_in_one_sentence(where: Tree, editor: str) -> None:
    refused(command("card", "edit", "claude", EDITOR=editor, VISUAL=""), "the card of claude was not changed")
    assert os.listdir(where.state_file("edited")) == []


@pytest.mark.parametrize(
    ("words", "code", "said"),
    [
        (("card", "nobody"), 1, "there is no agent nobody"),
        (("card",), 1, "give --agent ADDRESS"),
        (("card", "set", "--agent", "claude"), 2, "card set FIELD=VALUE"),
        (("card", "show", "claude", "gemini"), 2, "card set FIELD=VALUE"),
        (("card", "set", "colour=red", "claude"), 1, "there is no field colour"),
        (("card", "set", "description=a\nb", "claude"), 1, "one line of text"),
        (("card", "show", "../x"), 1, "is not an address"),
    ],
)
def test_what_cannot_be_is_refused(where: Tree, words: tuple[str, ...], code: int, said: str) -> None:
    done = command(*words)
    assert (done.returncode, done.stdout) == (code, "")
    assert said in done.stderr


def test_a_card_that_is_not_there_yet_is_said_to_be_none(where: Tree) -> None:
    done = command("card", "gemini")
    assert done.stdout == "name: gemini\n"
    assert "there is no card of gemini yet" in done.stderr
