"""whoami, and the completion of words: silent if there is nothing, and without a change in any mailboxes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from tests.support.command import command, on_terminal, refused
from tests.support.mail import make_mailboxes, post, put_message

SHELLS = ["bash", "zsh", "fish"]


@pytest.fixture
def named(where: Tree, monkeypatch: pytest.MonkeyPatch) -> Tree:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    return where


# --- whoami -----------------------------------------------------------------------------------------------


def test_whoami_says_the_address_and_why(named: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_AGENT", "claude")
    done = command("whoami")
    assert (done.returncode, done.stderr) == (0, "")
    me, project, mailboxes, home = done.stdout.splitlines()
    assert me == "I am: claude (from AI_BRIDGE_AGENT)"
    assert project.startswith("project: ")
    assert mailboxes == f"mailboxes: {named.path} (named by AI_BRIDGE_MAILBOXES)"
    assert home.endswith("(this machine)")


def test_whoami_in_json_says_the_same(named: Tree) -> None:
    command("init", "me")
    (line,) = command("whoami", "--agent", "me", "--json").stdout.splitlines()
    told = json.loads(line)
    keys = ["address", "why", "person", "project", "mailboxes", "mailboxes_why", "home", "here"]
    assert list(told) == keys
    assert (told["address"], told["why"], told["person"], told["here"]) == ("me", "given as an option", True, True)
    assert told["mailboxes"] == named.path


def test_whoami_names_the_project_of_the_address(named: Tree) -> None:
    named.make(["claude@web"])
    assert "project: web\n" in command("whoami", "--agent", "claude@web").stdout


def test_whoami_says_that_an_agent_lives_elsewhere(named: Tree) -> None:
    Path(named.path, "agents", "gemini.md").write_text("---\nhome: other-0123abcd\n---\n")
    done = command("whoami", "--agent", "gemini")
    assert "home: other-0123abcd (another machine: my mail is moved and read there)\n" in done.stdout


def test_whoami_refuses_an_unknown_identity(named: Tree) -> None:
    refused(command("whoami"), "it is not known which agent you are: give --agent ADDRESS or set AI_BRIDGE_AGENT")
    refused(command("whoami", "--agent", "nobody"), "there is no agent nobody")


def test_whoami_names_a_person_in_a_terminal(named: Tree) -> None:
    command("init", "me")
    code, shown = on_terminal(b"", "whoami")
    assert code == 0
    assert "I am: me (the only person's address, and this is a terminal), a person\n" in shown


# --- completion -------------------------------------------------------------------------------------------


def completed(line: str, shell: str = "bash", **environment: str) -> list[str]:
    """Return what a Tab behind the line offers, in click's form for that shell; nothing may be said beside it."""
    words = ["ai-bridge", *line.split(" ")]
    around = {"COMP_WORDS": " ".join(words), "COMP_CWORD": str(len(words) - 1), **environment}
    done = subprocess.run(
        [str(Path(sys.executable).with_name("ai-bridge"))],
        env={**os.environ, **around, "_AI_BRIDGE_COMPLETE": f"{shell}_complete"},
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    assert done.stderr == ""
    return [line for line in done.stdout.splitlines() if line]


def plain(*words: str) -> list[str]:
    return [f"plain,{word}" for word in words]


@pytest.mark.parametrize("shell", SHELLS)
def test_the_script_is_clicks_below_a_line_that_says_where_it_goes(shell: str) -> None:
    done = command("completion", shell)
    assert (done.returncode, done.stderr) == (0, "")
    first, *rest = done.stdout.splitlines()
    assert first.startswith("# ")
    assert shell in first
    assert any(f"_AI_BRIDGE_COMPLETE={shell}_complete" in line for line in rest)
    if shutil.which(shell):
        subprocess.run([shell, "-n"], input=done.stdout.encode(), check=True)
    (line,) = command("completion", shell, "--json").stdout.splitlines()
    assert json.loads(line) == {"shell": shell, "script": done.stdout.rstrip("\n")}


def test_a_shell_without_a_script_is_not_understood() -> None:
    done = command("completion", "tcsh")
    assert done.returncode == 2
    assert "'tcsh' is not one of 'bash', 'zsh', 'fish'" in done.stderr


@pytest.mark.skipif(shutil.which("bash") is None, reason="bash is not installed")
def test_bash_completes_with_the_script(named: Tree) -> None:
    id_ = post(named)
    script = (
        'eval "$(ai-bridge completion bash)"; COMP_WORDS=(ai-bridge show ""); COMP_CWORD=2; '
        '_ai_bridge_completion ai-bridge; printf "%s\\n" "${COMPREPLY[@]}"'
    )
    path = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    done = subprocess.run(
        ["bash", "--norc", "-c", script], env={**os.environ, "PATH": path}, capture_output=True, text=True, check=True
    )
    assert (done.stdout, done.stderr) == (f"{id_[-4:]}\n", "")


def test_commands_options_and_agents_are_completed(named: Tree) -> None:
    assert plain("reply", "restore", "restart", "read", "remove") == sorted(
        completed("re"), key=["plain,reply", "plain,restore", "plain,restart", "plain,read", "plain,remove"].index
    )
    assert completed("reply --mess") == plain("--message")
    assert completed("reply n1 --from ge") == completed("send ge") == plain("gemini")
    assert completed("completion z") == plain("zsh")


@pytest.mark.parametrize(
    "line", ["show ", "status ", "reply ", "send --reply-to ", "restore ", "allow ", "acknowledge x "]
)
def test_an_id_is_offered_by_its_end_newest_first(named: Tree, line: str) -> None:
    ids = [post(named, str(number)) for number in range(22)]
    assert completed(line) == plain(*[id_[-4:] for id_ in ids[:1:-1]])


def test_an_id_is_offered_whole_by_its_beginning(named: Tree) -> None:
    ids = [post(named), post(named, sender="gemini", to="claude")]
    assert completed("show cl") == plain(ids[0])
    assert completed(f"show {ids[1][:20]}") == plain(ids[1])
    assert completed(f"show {ids[1][-4:-1]}") == plain(ids[1][-4:])
    assert completed("show nope") == []


def test_zsh_and_fish_say_what_a_message_is(named: Tree) -> None:
    id_ = post(named, subject="API: frozen?\u202e")
    assert completed("show ", "zsh") == ["plain", id_[-4:], "claude → gemini API: frozen?\\u202e"]
    offered = completed("show", "fish", COMP_WORDS="ai-bridge show ", COMP_CWORD="")
    assert offered == [f"plain,{id_[-4:]}\tclaude → gemini API: frozen?\\u202e"]


@pytest.mark.parametrize("what", ["none", "not adopted", "unreadable", "no directory"])
def test_nothing_is_said_and_nothing_changed_if_there_is_nothing_to_offer(
    what: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    monkeypatch.chdir(project)
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "state"))
    if what == "not adopted":
        Tree(str(project / "mailboxes")).make(["claude", "gemini"])
    elif what == "unreadable":
        make_mailboxes(project / "mailboxes", "claude")
        (project / "mailboxes" / "claude-outbox" / ".unread").rmdir()
        (project / "mailboxes" / "claude-outbox" / ".unread").write_text("a file")
    elif what == "no directory":
        monkeypatch.setenv("AI_BRIDGE_MAILBOXES", "/nowhere/at/all")
    before = _everything(project)
    for line in ("show ", "reply x", "send --reply-to c"):
        assert completed(line) == []
    assert _everything(project) == before


def test_mail_that_is_only_looked_at_stays_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file of the older layout gets its present name by whoever meets it, but not by a Tab."""
    project = tmp_path / "project"
    where = Tree(str(project / "mailboxes"))
    where.make(["claude", "gemini"])
    put_message(where, UNREAD, "claude-20251007-123456.txt", "claude-20251007-123456")
    put_message(where, READ, "claude-20251007-123457.gemini.txt", "claude-20251007-123457")
    monkeypatch.chdir(project)
    before = _everything(project)
    assert completed("show ") == plain("3457")
    assert _everything(project) == before
    assert completed("show ", CLAUDECODE="1") == []
    make_mailboxes(project / "mailboxes")
    before = _everything(project)
    assert completed("show ") == plain("3457")
    assert _everything(project) == before


def _everything(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() if path.is_file() else b"" for path in sorted(folder.rglob("*"))}


def test_the_groups_are_completed_for_a_recipient(named: Tree) -> None:
    cards.change(named, "gemini", {"groups": "backend, review"})
    assert completed("send '#b") == plain("#backend")
    assert completed("send '#") == plain("#backend", "#review")
    assert completed("read --from '#") == []
