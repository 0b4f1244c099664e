"""`ai-bridge hook`: it answers the client's hooks for the session they belong to, and for no other."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from ai_bridge import clients
from ai_bridge.agents.presence import session
from ai_bridge.agents.session_keys import digest
from ai_bridge.cli.commands import hook as hook_command
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.ways import MARK, ways_of
from ai_bridge.system.locks import holder
from tests.support.checkout import ROOT
from tests.support.command import command
from tests.support.mail import post, states
from tests.support.shown import bodies
from tests.support.started import run_from_template
from tests.support.wait import until

Json = dict[str, Any]
GEMINI = ways_of(clients.by_name("gemini"))
# A client: each line of its input is the command line of a hook, which it runs with the event that follows; the
# server, if it is to have one, has listed its tools before.
CLIENT = r"""
import json, os, subprocess, sys
from tests.support.started import fork_what_this_process_starts

fork_what_this_process_starts()

def ask(server, number, method, params):
    line = {"jsonrpc": "2.0", "method": method, "params": params}
    server.stdin.write(json.dumps({**line, "id": number} if number else line).encode() + b"\n")
    server.stdin.flush()
    while number and json.loads(server.stdout.readline()).get("id") != number:
        pass

if sys.argv[1] == "with a server":
    server = subprocess.Popen(
        [sys.executable, "-m", "ai_bridge", "mcp"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    told = {"name": "gemini-cli-mcp-client", "version": "1"}
    ask(server, 1, "initialize", {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": told})
    ask(server, 0, "notifications/initialized", {})
    ask(server, 2, "tools/list", {})
print("ready", flush=True)
for line in sys.stdin:
    asked = json.loads(line)
    done = subprocess.run(asked["words"], input=asked["input"].encode(), capture_output=True)
    print(json.dumps([done.returncode, done.stdout.decode(), done.stderr.decode()]), flush=True)
"""
HOOK = [sys.executable, "-m", "ai_bridge", "hook", "gemini"]
run_from_template(CLIENT)


def is_named(where: Tree, name: str) -> bool:
    """Tell whether a session has the name, and has written down that its key has it: a hook goes by that."""
    found = session(where, name)
    return found is not None and os.path.exists(where.state_file("sessions", found.serves.partition(" ")[0]))


class Client:
    """A running Gemini CLI, as far as its hooks and its server know."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process
        assert self._line() == "ready"

    def _line(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline().decode().rstrip("\n")

    def run(self, words: list[str], text: str) -> tuple[int, str, str]:
        """Run a command as a child of the client."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps({"words": words, "input": text}).encode() + b"\n")
        self._process.stdin.flush()
        code, stdout, stderr = json.loads(self._line())
        return code, stdout, stderr

    def answer(self, event: str = "BeforeAgent", words: list[str] | None = None) -> Json:
        """Run a hook that is expected to do well; returns its answer."""
        code, stdout, stderr = self.run(words or HOOK, json.dumps({"hook_event_name": event}))
        assert (code, stderr) == (0, "")
        answer: Json = json.loads(stdout)
        return answer

    def told(self, event: str = "BeforeAgent") -> str:
        """Run a hook; returns the text before the model, '' for nothing."""
        answer = self.answer(event)
        said: str = answer.get("reason") or answer.get("hookSpecificOutput", {}).get("additionalContext", "")
        return said

    def end(self) -> None:
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0


Start = Callable[..., Client]


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("AI_BRIDGE_RING_AFTER_S", "3600")  # however slow the machine is, no ring is repeated


@pytest.fixture
def start(processes: list[subprocess.Popen[bytes]]) -> Iterator[Start]:
    """Start clients: `start(server=, **variables)`."""

    def begin(server: bool = True, **variables: str) -> Client:
        words = [sys.executable, "-c", CLIENT, "with a server" if server else "without"]
        environment = {**os.environ, **variables}
        processes.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment))
        return Client(processes[-1])

    yield begin
    for process in processes:
        assert process.stdin is not None
        process.stdin.close()
        process.wait(30)


@pytest.fixture
def client(start: Start, where: Tree) -> Client:
    """The only session of gemini."""
    started = start()
    until(lambda: is_named(where, "gemini"))
    return started


# --- what it answers --------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["SessionStart", "BeforeAgent"])
def test_before_and_between_steps_the_answer_is_context(client: Client, where: Tree, event: str) -> None:
    lesson = GEMINI.lesson(event)
    if not lesson:
        assert client.answer(event) == {}
    post(where, "the body", subject="the subject")
    answer = client.answer(event)
    text = answer["hookSpecificOutput"]["additionalContext"]
    assert answer == {"hookSpecificOutput": {"hookEventName": event, "additionalContext": text}}
    assert text.startswith(f"{MARK} 1 new message for gemini, from claude")
    assert text.endswith(lesson)
    assert not [word for word in ("the body", "the subject") if word in text]
    again = client.told(event).replace(lesson, "")
    assert (MARK in again) is (event == "SessionStart"), "a session that begins anew knows nothing"
    assert [*states(where, "claude")] == [UNREAD]


def test_after_a_turn_the_answer_refuses_its_end(client: Client, where: Tree) -> None:
    assert client.answer("AfterAgent") == {}
    post(where)
    answer = client.answer("AfterAgent")
    assert (answer["decision"], answer["reason"][: len(MARK)], len(answer)) == ("deny", MARK, 2)
    assert client.answer("BeforeAgent") == {}


def test_switched_off_it_tells_nothing(start: Start, where: Tree) -> None:
    client = start(AI_BRIDGE_REACH="off")
    post(where)
    assert client.answer("AfterAgent") == {}


def test_whatever_the_output_can_encode_the_mail_is_unicode(start: Start, where: Tree) -> None:
    client = start(AI_BRIDGE_REACH="full", PYTHONIOENCODING="ascii")
    post(where, "ü 🎉 \u2028")
    assert bodies(client.told()) == ["ü 🎉 \u2028"]


def test_the_mail_itself_is_marked_as_read_once_it_was_taken(start: Start, where: Tree) -> None:
    client = start(AI_BRIDGE_REACH="full")
    post(where, "the body")
    assert bodies(client.told()) == ["the body"]
    assert [*states(where, "claude")] == [READ]
    assert client.told() == ""


def test_an_answer_nobody_reads_leaves_the_mail_unread_and_to_be_told(
    where: Tree, processes: list[subprocess.Popen[bytes]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_REACH", "full")
    monkeypatch.setenv("PYTHONUNBUFFERED", "1")
    post(where, "the body")
    read_end, write_end = os.pipe()
    deaf = subprocess.Popen(HOOK, stdin=subprocess.PIPE, stdout=write_end)
    processes.append(deaf)
    os.close(write_end)
    deaf.communicate(b'{"hook_event_name": "BeforeAgent"}', timeout=30)
    os.close(read_end)
    assert [*states(where, "claude")] == [UNREAD]
    assert not any(holder(where.lock_file(role, "gemini")) for role in ("told", "reader"))
    again = hook('{"hook_event_name": "BeforeAgent"}')
    assert "the body" in again.stdout


def test_an_output_that_is_closed_is_one_sentence_and_the_mail_stays(where: Tree) -> None:
    post(where)
    read_end, write_end = os.pipe()
    os.close(read_end)
    done = subprocess.run(
        HOOK, input=b'{"hook_event_name": "BeforeAgent"}', stdout=write_end, stderr=subprocess.PIPE, check=False
    )
    os.close(write_end)
    assert done.returncode == 1
    assert done.stderr.startswith(b"error: ")
    assert done.stderr.count(b"\n") == 1
    assert MARK in hook('{"hook_event_name": "BeforeAgent"}').stdout


def hook(text: str, *words: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """Run a hook from no session at all."""
    return command("hook", "gemini", *words, body=text, **variables)


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "it is not JSON"),
        ("not JSON", "it is not JSON"),
        ("[" * 100_000, "it is not JSON"),
        ("[]", "hook_event_name is missing"),
        ("{}", "hook_event_name is missing"),
        ('{"hook_event_name": 1}', "hook_event_name is missing"),
    ],
    ids=range(6),
)
def test_what_is_no_hooks_input_is_refused_in_one_sentence(where: Tree, text: str, why: str) -> None:
    post(where)
    done = hook(text)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == f"error: {_sentence(why)}\n"


def _sentence(why: str) -> str:
    return f"standard input is not what a hook of gemini is given: {why}; this command is for the client to run"


def test_where_there_are_no_mailboxes_there_is_nothing_to_tell(
    tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    environment = {"AI_BRIDGE_MAILBOXES": "", "HOME": str(tmp_path / "nobody")}
    done = subprocess.run(
        HOOK,
        input=b'{"hook_event_name": "BeforeAgent"}',
        capture_output=True,
        cwd=tmp_path_factory.mktemp("empty"),
        env={**os.environ, **environment},
        check=False,
    )
    assert (done.returncode, done.stdout, done.stderr) == (0, b"{}\n", b"")
    assert not (tmp_path / "nobody").exists()


def test_mailboxes_without_this_agent_are_left_as_they_are(tmp_path: Path) -> None:
    other = Tree(str(tmp_path / "other"))
    other.make(["claude"])
    done = hook('{"hook_event_name": "BeforeAgent"}', AI_BRIDGE_MAILBOXES=other.path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "{}\n", "")
    assert other.agents() == ["claude"]


@pytest.mark.parametrize("words", [["copilot"], ["nobody"], ["gemini", "--wrong"], []])
def test_other_words_are_not_understood(words: list[str]) -> None:
    assert command("hook", *words, body="{}").returncode == 2


def test_options_are_taken_in_each_form(where: Tree) -> None:
    where.make(["reviewer"])
    post(where, to="reviewer")
    text = '{"hook_event_name": "BeforeAgent"}'
    assert hook(text).stdout == "{}\n"
    assert "for reviewer" in hook(text, "--agent=reviewer", "--mailboxes", where.path).stdout
    post(where, to="reviewer")
    assert "for reviewer" in command("hook", "--agent", "reviewer", "gemini", body=text).stdout


def test_at_its_start_a_session_is_taught_how_to_be_woken(client: Client, where: Tree) -> None:
    answer = client.answer("SessionStart")
    assert answer["hookSpecificOutput"]["additionalContext"] == GEMINI.lesson("SessionStart")
    assert "wait --new" in GEMINI.lesson("SessionStart")
    assert hook('{"hook_event_name": "SessionStart"}', AI_BRIDGE_REACH="off").stdout == "{}\n"


# --- whose mail it is -------------------------------------------------------------------------------------


def test_two_sessions_are_told_of_their_own_mail_only(client: Client, start: Start, where: Tree) -> None:
    second = start()
    until(lambda: is_named(where, "gemini-2"))
    post(where)
    assert second.told() == ""
    assert "for gemini," in client.told()
    post(where, to="gemini-2")
    assert client.told() == ""
    assert "for gemini-2," in second.told()


@pytest.mark.parametrize("level", ["notice", "full"])
def test_a_session_without_a_name_yet_is_not_told_of_anothers_mail(
    client: Client, start: Start, where: Tree, level: str
) -> None:
    nameless = start(server=False, AI_BRIDGE_REACH=level)
    post(where)
    assert nameless.told("BeforeAgent") == ""
    assert [*states(where, "claude")] != [READ]
    assert "for gemini," in client.told()


@pytest.mark.parametrize("words", [["--agent", "gemini"], []], ids=["option", "variable"])
def test_not_even_where_it_is_told_that_name_from_outside(start: Start, where: Tree, words: list[str]) -> None:
    named = {} if words else {"AI_BRIDGE_AGENT": "gemini"}
    first, second = start(**named), None
    until(lambda: is_named(where, "gemini"))
    second = start(**named)
    until(lambda: is_named(where, "gemini-2") and where.has_outbox("gemini-2"))
    post(where)
    assert second.answer("BeforeAgent", [*HOOK, *words]) == {}
    post(where, to="gemini-2")
    of_second = second.answer("BeforeAgent", [*HOOK, *words])["hookSpecificOutput"]["additionalContext"]
    assert "for gemini-2," in of_second
    assert "for gemini," in first.answer("BeforeAgent", [*HOOK, *words])["hookSpecificOutput"]["additionalContext"]


def test_the_hooks_of_a_session_and_its_wait_and_its_server_tell_once(client: Client, where: Tree) -> None:
    post(where)
    code, line, stderr = client.run([sys.executable, "-m", "ai_bridge", "wait", "--new", "--agent", "gemini"], "")
    assert (code, stderr) == (0, "")
    assert line.startswith(MARK)
    assert client.told() == ""
    post(where)
    assert MARK in client.told()
    code, line, _ = client.run([*HOOK[:-2], "wait", "--new", "--agent", "gemini", "--timeout", "0"], "")
    assert (code, line) == (3, "")


def test_a_new_session_is_told_what_the_one_before_left_unread(start: Start, where: Tree) -> None:
    first = start()
    until(lambda: is_named(where, "gemini"))
    post(where)
    assert MARK in first.told()
    first.end()
    until(lambda: session(where, "gemini") is None)
    second = start()
    until(lambda: is_named(where, "gemini"))
    assert MARK in second.told()
    assert second.told() == ""


@pytest.mark.parametrize("outer", [{"CLAUDECODE": "1", "CLAUDE_CODE_SESSION_ID": "x"}, {"CODEX_THREAD_ID": "x"}])
def test_a_client_within_another_is_still_itself(start: Start, where: Tree, outer: dict[str, str]) -> None:
    inner = start(**outer)
    until(lambda: is_named(where, "gemini"))
    post(where)
    assert "for gemini," in inner.told()
    assert inner.told() == ""


# --- what it costs ----------------------------------------------------------------------------------------

IMPORTS = r"""
import os, sys
before = set(sys.modules)
from ai_bridge.cli.commands import hook as hooking
os._exit = lambda code: (print(code, *sorted(set(sys.modules) - before)), sys.stdout.flush(), sys.exit(code))
hooking.fast(["gemini"])
"""
HEAVY = {"mcp", "mcp_types", "click", "watchdog", "frontmatter", "yaml", "jsonschema", "anyio", "asyncio", "socket"}
HEAVY |= {"subprocess", "sqlite3", "tomllib", "tomlkit", "ctypes"}


def test_without_mail_it_imports_nothing_it_could_do_without() -> None:
    done = subprocess.run(
        [sys.executable, "-c", IMPORTS], input=b'{"hook_event_name": "BeforeAgent"}', capture_output=True, check=False
    )
    answer, loaded = done.stdout.decode().splitlines()
    code, *names = loaded.split()
    assert (answer, code, done.stderr) == ("{}", "0", b"")
    assert {name.partition(".")[0] for name in names} & HEAVY == set()


@pytest.mark.parametrize(
    ("event", "noted_first"), [("UserPromptSubmit", True), ("PostToolUse", True), ("Stop", False)]
)
def test_the_end_of_a_turn_is_noted_after_the_mail_that_its_hook_announces(
    where: Tree, event: str, noted_first: bool
) -> None:
    note = Path(where.state_file("turns", digest("one")))
    with hook_command._noted(where, clients.by_name("claude"), "one", event):
        assert note.exists() is noted_first
    assert note.read_text() == event
