"""init, config, mcp and demo, and the machinery of all commands: help, completion, and refusals that help."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge import __version__
from ai_bridge.cli.main import _BRIDGE, _COLLAB
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import SETTINGS
from tests.support.checkout import ROOT
from tests.support.command import command, refused
from tests.support.mail import post

FROZEN = (
    "init send read wait acknowledge restore list show history search decisions peers card status router mcp config "
    "install uninstall demo"
)
OPERATING = "start stop restart status health logs"


def _told(*words: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in command(*words, "--json").stdout.splitlines()]


def _tree(path: Path) -> list[str]:
    return sorted(str(entry.relative_to(path)) for entry in path.rglob("*"))


# --- init -------------------------------------------------------------------------------------------------


def test_init_makes_the_mailboxes_where_one_stands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    done = command("init")
    assert done.stdout == f"mailboxes {tmp_path}/mailboxes: claude, gemini (new: claude, gemini)\n"
    assert (tmp_path / "mailboxes" / "README.md").read_text().startswith("# Mailboxes\n")
    states = {".tmp", ".processing", ".unread", ".read", ".held", ".malformed"}
    assert set(os.listdir(tmp_path / "mailboxes" / "claude-outbox")) == states


def test_init_again_adds_what_is_missing_and_keeps_the_rest(where: Tree) -> None:
    post(where, "kept")
    os.rmdir(where.outbox("gemini").temporary)
    before = _tree(Path(where.path))
    assert _told("init", "--mailboxes", where.path) == [
        {"mailboxes": where.path, "agents": ["claude", "gemini"], "new": [], "taken_over": 0}
    ]
    made = [name for name in _tree(Path(where.path)) if not name.startswith(".adopted")]
    assert made == sorted([*before, "agents/claude.md", "agents/gemini.md", "gemini-outbox/.tmp"])
    added = command("init", "codex@web", "--agent", "aider", "--mailboxes", where.path)
    assert added.stdout == f"mailboxes {where.path}: aider, claude, codex@web, gemini (new: codex@web, aider)\n"


def test_init_finds_mailboxes_further_up(where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "deep" / "down").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "deep" / "down")
    assert _told("init", "codex")[0]["mailboxes"] == where.path
    assert _tree(tmp_path / "deep") == ["down"]


@pytest.mark.parametrize("way", ["option", "environment", "here"])
def test_init_takes_no_directory_of_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    foreign = tmp_path / "mailboxes"
    foreign.mkdir()
    (foreign / "README.md").write_text("# A project\n")
    monkeypatch.chdir(tmp_path)
    if way == "environment":
        monkeypatch.setenv("AI_BRIDGE_MAILBOXES", str(foreign))
    words = ("--mailboxes", str(foreign)) if way == "option" else ()
    refused(command("init", *words), f"{foreign} holds other things")
    assert _tree(foreign) == ["README.md"]


@pytest.mark.parametrize("name", ["Bad!", "postmaster"])
def test_init_with_an_address_that_cannot_be_makes_nothing(tmp_path: Path, name: str) -> None:
    refused(command("init", "good", name, "--mailboxes", str(tmp_path / "new")), name)
    assert not (tmp_path / "new").exists()


# --- config -----------------------------------------------------------------------------------------------


def test_config_tells_each_value_and_its_origin(where: Tree, tmp_path: Path) -> None:
    shared, own = Path(where.path, "settings.toml"), tmp_path / "home/.config/ai-bridge/settings.toml"
    own.parent.mkdir(parents=True)
    shared.write_text("poll_s = 2\nsweep_s = 3\nstuck_s = 4\n")
    own.write_text("sweep_s = 5\nstuck_s = 6\n")
    words = ("config", "--mailboxes", where.path)
    done = command(*words, AI_BRIDGE_STUCK_S="7", AI_BRIDGE_POLL="yes")
    assert [line.partition(" ")[0] for line in done.stdout.splitlines()] == list(SETTINGS)
    assert f"poll_s = 2.0  # {shared}; seconds between two looks when polling\n" in done.stdout
    assert f"sweep_s = 5.0  # {own}; " in done.stdout
    assert "stuck_s = 7.0  # AI_BRIDGE_STUCK_S; " in done.stdout
    assert "poll = true  # AI_BRIDGE_POLL; " in done.stdout
    assert "settle_s = 1.0  # default; " in done.stdout
    told = {str(one["key"]): one for one in _told(*words)}
    assert list(told) == list(SETTINGS)
    assert told["sweep_s"] == {
        "key": "sweep_s",
        "value": 5.0,
        "origin": str(own),
        "meaning": "seconds between two full scans",
    }


MISTAKES = [
    ("sweep_s = ", "{path} cannot be read as TOML: Invalid value (at line 1"),
    ("\xff", "{path} cannot be read as TOML: byte 0xff is not UTF-8 (at line 1)"),
    ("poll_s = 2\nsweeps = 3", "there is no setting sweeps (in {path}:2) (did you mean sweep_s?): it is ignored"),
    ("sweep_s = 0", "setting sweep_s in {path}:1 is 0, but must be a number "),
    ("poll = 1", "setting poll in {path}:1 is 1, but must be true or false: it is ignored"),
    ('max_chars = "many"', "setting max_chars in {path}:1 is 'many', but must be a whole number "),
]


@pytest.mark.parametrize("shared", [True, False])
@pytest.mark.parametrize(("text", "says"), MISTAKES)
def test_a_mistake_in_a_settings_file_stops_nobody_and_is_told_by_file_and_line(
    where: Tree, tmp_path: Path, text: str, says: str, shared: bool
) -> None:
    path = Path(where.path, "settings.toml") if shared else tmp_path / "home/.config/ai-bridge/settings.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode("latin-1"))
    mail = ("--mailboxes", where.path)
    sent = command("send", "gemini", "--from", "claude", *mail, body="x")
    assert (sent.returncode, sent.stderr) == (0, "")
    script = subprocess.run(
        ["sh", ROOT / "management/send.sh", "gemini", "--from", "claude", *mail], input=b"y", check=True, timeout=60
    )
    assert script.returncode == 0
    assert command("router", "--once", *mail).returncode == 0
    assert [one["body"] for one in _told("read", "--agent", "gemini", *mail)] == ["x", "y"]
    for name, code in (("config", 0), ("health", 1), ("doctor", 0)):
        done = command(name, *mail)
        assert done.returncode in (code, 1 if name == "doctor" else code)
        assert says.format(path=path) in done.stdout + done.stderr, name


@pytest.mark.parametrize("text", ["max_message_bytes = 0", 'reach = "full"'])
def test_a_value_that_the_shared_settings_may_not_set_is_told(where: Tree, text: str) -> None:
    path = Path(where.path, "settings.toml")
    path.write_text(text)
    assert str(path) in command("config", "--mailboxes", where.path).stderr
    health = command("health", "--mailboxes", where.path)
    assert (health.returncode, str(path) in health.stdout) == (1, True)


@pytest.mark.parametrize("words", [("config",), ("send", "gemini", "--from", "claude"), ("health",), ("router",)])
def test_a_variable_is_of_this_command_so_a_mistake_in_it_is_refused(where: Tree, words: tuple[str, ...]) -> None:
    done = command(*words, "--mailboxes", where.path, body="x", AI_BRIDGE_POLL_S="often")
    refused(done, "setting poll_s in AI_BRIDGE_POLL_S is 'often', but must be a number ")


# --- mailboxes that are none ------------------------------------------------------------------------------

USING = [("send", "gemini"), ("read",), ("list",), ("history",), ("show", "x"), ("health",), ("router",), ("start",)]


@pytest.mark.parametrize("words", USING)
def test_a_directory_that_is_no_mailboxes_is_refused(tmp_path: Path, words: tuple[str, ...]) -> None:
    (tmp_path / "other" / "README.md").parent.mkdir()
    (tmp_path / "other" / "README.md").write_text("# Something else\n")
    (tmp_path / "unmounted").mkdir()
    for name in ("other", "unmounted", "missing"):
        path = str(tmp_path / name)
        done = command(*words, "--mailboxes", path, "--agent", "claude", body="x")
        refused(done, f"{path} is not a mailboxes directory", "mount it")
        assert (f"`ai-bridge init --mailboxes {path}`" in done.stderr) is (name != "other")  # init refuses that one
    assert os.listdir(tmp_path / "unmounted") == []


@pytest.mark.parametrize("words", [words for words in USING if words not in (("show", "x"), ("health",))])
def test_mailboxes_without_agents_say_what_to_do(tmp_path: Path, words: tuple[str, ...]) -> None:
    Tree(str(tmp_path / "new")).make([])
    done = command(*words, "--mailboxes", str(tmp_path / "new"), "--agent", "claude", body="x")
    refused(done, f"{tmp_path}/new has no agents yet: run `ai-bridge init`")


def test_where_no_mailboxes_are_in_reach_it_is_said_how_to_make_some(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    refused(command("list"), f"no mailboxes found from {tmp_path} upwards", "`ai-bridge init`", "--mailboxes DIR")


# --- help and completion ----------------------------------------------------------------------------------


_HELP = """
import sys
from ai_bridge.cli.main import bridge
bridge(["--help"], standalone_mode=False)
print(*sys.modules)
"""


def test_help_names_every_command_and_imports_none() -> None:
    done = subprocess.run([sys.executable, "-c", _HELP], capture_output=True, text=True, timeout=60, check=True)
    shown, _, loaded = done.stdout.rstrip("\n").rpartition("\n")
    assert re.findall(r"^  ([a-z-]+)  ", shown.partition("Commands:")[2], re.MULTILINE) == list(_BRIDGE)
    assert "ai_bridge.cli.common" in loaded.split()
    assert not {"ai_bridge.cli.commands.mail", "ai_bridge.cli.commands.show", "mcp", "watchdog"} & set(loaded.split())


@pytest.mark.parametrize("name", list(_BRIDGE))
def test_every_command_has_help_and_the_common_options(name: str) -> None:
    done = command(name, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for option in ("--mailboxes DIR", "--agent ADDRESS", "--json"):
        assert option in done.stdout
    assert done.stdout.startswith(f"Usage: ai-bridge {name} ")


def test_no_command_that_scripts_rely_on_is_missing() -> None:
    assert set(FROZEN.split()) | set(OPERATING.split()) <= set(_BRIDGE)
    assert set(OPERATING.split()) <= set(_COLLAB)
    assert command("--version").stdout == f"ai-bridge, version {__version__}\n"


@pytest.mark.parametrize(("typed", "meant"), [("sned", "send"), ("histroy", "history"), ("wiat", "wait")])
def test_a_mistyped_command_is_told_the_nearest_one(typed: str, meant: str) -> None:
    done = command(typed)
    assert (done.returncode, done.stdout) == (2, "")
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in done.stderr


@pytest.mark.parametrize(
    "words",
    [
        ("read", "--limit", "0"),
        ("wait", "--timeout", "x"),
        ("acknowledge",),
        ("show",),
        ("list", "--jsn"),
        ("init", "-x"),
    ],
)
def test_words_that_are_not_understood_are_a_usage_error(where: Tree, words: list[str]) -> None:
    done = command(*words, AI_BRIDGE_MAILBOXES=where.path, AI_BRIDGE_AGENT="claude")
    assert (done.returncode, done.stdout) == (2, "")
    assert re.search(r"^Usage: ai-bridge (.|\n)*^Error: ", done.stderr, re.MULTILINE)


@pytest.mark.parametrize(
    ("typed", "offered"),
    [
        ("s", ["send", "show", "search", "status", "start", "stop", "sync"]),
        ("send ge", ["gemini"]),
        ("send ", ["claude", "codex@web", "gemini"]),
        ("read --from c", ["claude", "codex@web"]),
        ("history --agent co", ["codex@web"]),
        ("send --re", ["--reply-to"]),
    ],
)
def test_commands_and_addresses_are_completed(where: Tree, typed: str, offered: list[str]) -> None:
    where.make(["codex@web"])
    environment = {
        "_AI_BRIDGE_COMPLETE": "bash_complete",
        "COMP_WORDS": f"ai-bridge {typed}",
        "COMP_CWORD": str(len(f"{typed}.".split())),
        "AI_BRIDGE_MAILBOXES": where.path,
    }
    done = command(*typed.split()[:1], **environment)
    assert [line.partition(",")[2] for line in done.stdout.splitlines()] == offered


# --- the larger ones --------------------------------------------------------------------------------------


def test_mcp_answers_a_client_and_ends_with_it(where: Tree) -> None:
    hello = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "t", "version": "1"}},
    }
    done = command("mcp", "--mailboxes", where.path, body=json.dumps(hello) + "\n")
    assert done.returncode == 0
    assert json.loads(done.stdout)["result"]["serverInfo"]["name"] == "ai-bridge"


def test_the_demo_sees_every_step_and_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    done = command("demo")
    assert (done.returncode, done.stdout.splitlines()[-1]) == (0, "Every step was seen.")
    assert "\x1b" not in done.stdout
    assert _tree(tmp_path) == []
