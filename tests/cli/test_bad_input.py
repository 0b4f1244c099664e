"""Every command that meets bad input or a bad output says one sentence, with the right exit code and no traceback.

The commands and what they need are taken from click's own tree, so a new command is tried as well.
"""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import click
import pytest

from ai_bridge.cli.common import LazyGroup
from ai_bridge.cli.main import bridge, collab
from ai_bridge.mailboxes.tree import Tree
from tests.support.mail import post
from tests.support.project import home_and_project

PROGRAMS = {"ai-bridge": bridge, "ai-collab": collab}
COMMANDS = [(program, name) for program, group in PROGRAMS.items() for name in group.lazy]
# These make the mailboxes, find them later, or need none; all others look for them first of all.
LATER = {"init", "mcp", "hook", "doctor", "demo", "install", "uninstall", "link", "completion"}
# These start programs or change a client's files: a test of their own runs them in a home of their own.
IN_A_HOME = {"start", "restart", "mcp", "hook", "demo", "install", "uninstall", "sync", "link", "install-service"}
# What makes the others end at once, or gives them something to print.
WORDS = {"router": ["--once"], "wait": ["--timeout", "0"], "search": ["hello"]}
TAKE_IDS = {"show", "reply", "restore", "acknowledge", "allow", "withdraw", "discard"}
EVERY = pytest.mark.parametrize(("program", "name"), COMMANDS, ids=[" ".join(one) for one in COMMANDS])
OUTPUTS = ["closed", "full", "not read"]


def found(program: str, name: str) -> click.Command:
    group = PROGRAMS[program]
    assert isinstance(group, LazyGroup)
    command = group.get_command(click.Context(group), name)
    assert command is not None
    return command


def needed(program: str, name: str) -> list[str]:
    """Return a value for each argument that the command requires."""
    arguments = [one for one in found(program, name).params if isinstance(one, click.Argument) and one.required]
    return [one.type.choices[0] if isinstance(one.type, click.Choice) else "gemini" for one in arguments]


def run(words: list[str], output: str = "read", body: bytes = b"x") -> subprocess.CompletedProcess[str]:
    """Run a program by its name, as the agent claude, with this input and a standard output of that kind."""
    argv = [str(Path(sys.executable).with_name(words[0])), *words[1:]]
    closing = ["sh", "-c", '"$@" >&-', "sh"] if output == "closed" else []
    ours, theirs = os.pipe()
    os.close(ours)
    with open("/dev/full", "wb") as full, open(theirs, "wb") as unread:
        done = subprocess.run(
            [*closing, *argv],
            input=body,
            stdout={"full": full, "not read": unread}.get(output, subprocess.PIPE),
            stderr=subprocess.PIPE,
            timeout=60,
            env={**os.environ, "AI_BRIDGE_AGENT": "claude"},
            check=False,
        )
    return subprocess.CompletedProcess(words, done.returncode, (done.stdout or b"").decode(), done.stderr.decode())


def check_usage(done: subprocess.CompletedProcess[str]) -> str:
    """Check that a command line was not understood, in click's form with one sentence; return the sentence."""
    assert (done.returncode, done.stdout) == (2, ""), done
    lines = done.stderr.splitlines()
    assert lines[0].startswith("Usage: "), done
    assert [line.startswith("Error: ") for line in lines[-2:]] == [False, True], done
    assert "Traceback" not in done.stderr
    return lines[-1].removeprefix("Error: ")


def check_refusal(done: subprocess.CompletedProcess[str]) -> str:
    """Check that a command was refused by one line; return the sentence."""
    assert (done.returncode, done.stdout) == (1, ""), done
    assert re.fullmatch(r"error: [^\n]+\n", done.stderr), done
    return done.stderr


def check_one_sentence(done: subprocess.CompletedProcess[str]) -> None:
    """Check that a command whose output may be lost said at most one sentence of trouble."""
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert done.returncode in (0, 1, 2, 3)
    assert len([line for line in done.stderr.splitlines() if line.startswith("error:")]) <= 1


def hints(sentence: str) -> list[list[str]]:
    """Return the command lines that a sentence proposes."""
    return [shlex.split(line) for line in re.findall(r"`((?:ai-bridge|ai-collab) [^`]+)`", sentence)]


@EVERY
def test_a_wrong_option_is_not_understood_and_the_help_that_is_named_is_there(program: str, name: str) -> None:
    words = [program, name, *needed(program, name)]
    assert "--no-such" in check_usage(run([*words, "--no-such"]))
    typed = run([*words, "--mailboxs", "x"])
    assert "'--mailboxs'. Did you mean '--mailboxes'?" in check_usage(typed)
    (help_,) = re.findall(r"Try '([^']+)' for help", typed.stderr)
    shown = run(help_.split())
    assert (shown.returncode, shown.stderr) == (0, "")
    assert shown.stdout.startswith(f"Usage: {program} {name} ")


@EVERY
@pytest.mark.parametrize("kind", ["missing", "foreign", "file"])
def test_a_directory_that_holds_no_mailboxes_is_refused_with_a_hint_that_works(
    program: str, name: str, kind: str, tmp_path: Path
) -> None:
    if name in LATER:
        pytest.skip("it makes the mailboxes, finds them later, or needs none")
    path = tmp_path / "over there"
    if kind == "foreign":
        path.mkdir()
        (path / "notes.md").write_text("mine")
    elif kind == "file":
        path.write_text("mine")
    words = [program, name, *needed(program, name), *WORDS.get(name, [])]
    sentence = check_refusal(run([*words, "--mailboxes", str(path)]))
    assert f"{path} is not a mailboxes directory" in sentence
    assert [run(hint).returncode for hint in hints(sentence)] == ([0] if kind == "missing" else [])


@EVERY
def test_mailboxes_that_name_nothing_are_refused(program: str, name: str) -> None:
    if name != "hook":  # it reads its input first
        words = [program, name, *needed(program, name), "--mailboxes", ""]
        assert "--mailboxes names nothing" in check_refusal(run(words))


@EVERY
def test_help_onto_a_full_disk_is_refused_in_one_sentence(program: str, name: str) -> None:
    assert "standard output: the disk is full" in check_refusal(run([program, name, "--help"], "full"))


@pytest.mark.parametrize("output", ["closed", "not read"])
def test_help_that_nobody_reads_is_silent(output: str) -> None:
    done = run(["ai-bridge", "--help"], output)
    assert (done.returncode in (0, 1), done.stderr) == (True, ""), done


@EVERY
@pytest.mark.parametrize("output", OUTPUTS)
def test_a_command_into_a_bad_output_says_at_most_one_sentence(
    program: str, name: str, output: str, where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    if name in IN_A_HOME:
        pytest.skip("a test of its own runs it")
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    id_ = post(where, "hello", to="claude", sender="gemini")
    words = [id_ if name in TAKE_IDS else word for word in needed(program, name)]
    done = run([program, name, *words, *WORDS.get(name, [])], output)
    check_one_sentence(done)
    if output == "full" and done.returncode == 1 and not name.startswith(("health", "stop")):
        assert done.stderr.splitlines()[-1].startswith("error: "), done


@pytest.fixture
def own_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A home with a folder of each client, and a project in it with mailboxes."""
    home, project = home_and_project(tmp_path)
    for folder in (".claude", ".gemini", ".codex"):
        (home / folder).mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "state"))
    assert run(["ai-bridge", "init", "claude", "gemini"]).returncode == 0
    return home


# Each with what it writes if its output takes nothing.
WRITING = [
    (["install", "all", "--yes"], [".claude/settings.json", ".gemini/settings.json", ".codex/config.toml"]),
    (["install", "claude", "--scope", "project", "--yes"], ["../here/.claude/settings.json"]),
    (["install-service"], [".config/systemd/user"]),
    (["start"], []),
    (["restart"], []),
    (["mcp"], []),
    (["hook", "codex"], []),
    (["sync"], []),
    (["link"], []),
    (["demo"], []),
]


@pytest.mark.parametrize("output", OUTPUTS)
@pytest.mark.parametrize(("words", "written"), WRITING, ids=[words[0] + words[-1] for words, _ in WRITING])
def test_a_command_that_changes_things_does_so_wholly_whatever_its_output_takes(
    words: list[str], written: list[str], output: str, own_home: Path
) -> None:
    try:
        done = run(["ai-bridge", *words], output, b'{"hook_event_name": "Stop"}' if words[0] == "hook" else b"")
        check_one_sentence(done)
        if output == "full" and words != ["mcp"] and "no link" not in done.stderr:
            assert done.returncode == 1
            assert "standard output: the disk is full" in done.stderr
        assert [name for name in written if not (own_home / name).exists()] == []
    finally:
        run(["ai-bridge", "stop"])
    if words[0] == "install":
        done = run(["ai-bridge", "uninstall", *words[1:]], output)
        check_one_sentence(done)
        assert run(["ai-bridge", "uninstall", *words[1:]]).returncode == 0


# --- words that people try --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "line"),
    [
        (["--json", "list"], "list --json"),
        (["--agent", "claude", "list"], "list --agent claude"),
        (["--agent=claude", "--json", "history", "gemini"], "history gemini --agent=claude --json"),
    ],
)
def test_an_option_before_the_command_is_answered_with_the_line_that_works(
    words: list[str], line: str, where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    sentence = check_usage(run(["ai-bridge", *words]))
    assert f"`ai-bridge {line}`" in sentence
    assert [run(hint).returncode for hint in hints(sentence)] == [0]


def test_an_option_without_a_command_is_told_where_it_goes() -> None:
    assert "`ai-bridge COMMAND --agent claude`" in check_usage(run(["ai-bridge", "--agent", "claude"]))


@pytest.mark.parametrize("program", PROGRAMS)
def test_help_and_version_are_understood_as_words_too(program: str) -> None:
    for word, option in (("help", "--help"), ("version", "--version")):
        one, other = run([program, word]), run([program, option])
        assert (one.returncode, one.stdout) == (0, other.stdout)
    assert run([program, "help", "start"]).stdout == run([program, "start", "--help"]).stdout
    assert "No such command 'healh'. Did you mean 'health'?" in check_usage(run([program, "help", "healh"]))


@pytest.mark.parametrize("word", ["who", "watch", "thread", "ack", "inbox", "approve"])
def test_a_word_that_is_no_command_is_answered_with_commands_that_there_are(word: str) -> None:
    sentence = check_usage(run(["ai-bridge", word]))
    assert "Did you mean" not in sentence
    named = hints(sentence)
    assert named
    for hint in named:
        assert run([*hint[:2], "--help"]).returncode == 0
        options = {option for one in found(*hint[:2]).params for option in one.opts}
        assert {part for part in hint[2:] if part.startswith("-")} <= options


def test_the_operators_older_program_names_the_other_for_its_commands() -> None:
    assert "No such command 'send': `ai-bridge send` is the command." in check_usage(run(["ai-collab", "send"]))
    said = run(["ai-collab", "--help"]).stdout
    assert "only `status` differs" in " ".join(said.split())


@pytest.mark.parametrize(("recipient", "sender"), [("gemini", "claude"), ("claude", "gemini")])
@pytest.mark.parametrize("option", ["-h", "--help"])
def test_the_older_senders_explain_themselves_under_their_own_name(recipient: str, sender: str, option: str) -> None:
    script = f"from ai_bridge.cli.entry import send_to_{recipient} as main; main()"
    words = [sys.executable, "-c", script, option]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"Usage: send_to_{recipient} [OPTIONS] [SUBJECT]\n")
    assert f"is {sender}, unless" in done.stdout
    full = ["sh", "-c", '"$@" >/dev/full', "sh", *words]
    done = subprocess.run(full, capture_output=True, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1)
    assert "standard output: the disk is full" in done.stderr


# --- hints ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("recipient", "says"),
    [
        ("gemini claude", "(did you mean gemini?); known: claude, gemini (several are joined by commas)"),
        ("GEMINI", "there is no agent 'GEMINI' (did you mean gemini?)"),
        ("codex", "(add one with `ai-bridge init codex`)"),
    ],
)
def test_an_unknown_recipient_is_answered_with_hints_that_work(
    recipient: str, says: str, where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    sentence = check_refusal(run(["ai-bridge", "send", recipient]))
    assert says in sentence
    assert [run(hint).returncode for hint in hints(sentence)] == [0] * says.count("`ai-bridge init")


def test_a_hook_of_a_client_that_has_none_is_explained() -> None:
    said = "nobody is no client whose hooks run a command; known: claude, gemini, codex"
    assert said in check_usage(run(["ai-bridge", "hook", "nobody"]))
