"""reply, and send --reply-to without a recipient: who gets the answer, where its body comes from, what is refused."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import DROPPED, READ
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.message import Message
from ai_bridge.settings import Settings
from tests.support.checkout import ROOT
from tests.support.command import BY_CLICK, BY_ENTRY, command, on_terminal, refused
from tests.support.mail import post, put_message, route, states

WAYS = pytest.mark.parametrize("way", [BY_ENTRY, BY_CLICK], ids=["plain", "click"])


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)


def _message(where: Tree, id_: str) -> Message:
    return trace.find(where, id_.strip())[0].load()


def _run(way: tuple[str, ...], *words: str, stdin: int | None = None, body: bytes | None = None) -> tuple[int, str]:
    """Run a command with this standard input; returns its exit code and what it printed, both outputs together."""
    done = subprocess.run(
        [*way, *words],
        **({"stdin": stdin} if body is None else {"input": body}),  # type: ignore[arg-type]
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        timeout=60,
        check=False,
    )
    return done.returncode, done.stdout.decode()


def test_a_reply_fills_in_recipient_thread_and_subject(where: Tree) -> None:
    question = post(where, subject="API frozen?")
    done = command("reply", question[-4:], "--from", "gemini", body="yes")
    answer = _message(where, done.stdout)
    assert (done.returncode, done.stderr) == (0, "to claude\n"), "an end of an ID may be another's: it says to whom"
    assert (answer.sender, answer.recipients, answer.subject, answer.body) == (
        "gemini",
        ["claude"],
        "Re: API frozen?",
        "yes",
    )
    assert (answer.get("In-Reply-To"), answer.thread) == (question, question)
    again = _message(where, command("reply", "last", "-m", "thanks", "--agent", "claude").stdout)
    assert (again.recipients, again.subject, again.body) == (["gemini"], "Re: API frozen?", "thanks")
    assert again.thread == question


def test_a_reply_to_all_goes_to_all_the_others(where: Tree) -> None:
    where.make(["codex"])
    post(where, to="gemini, codex")
    done = command("reply", "last", "--all", "-m", "yes", "--from", "gemini", "--json", "--subject", "mine")
    assert json.loads(done.stdout)["to"] == ["claude", "codex"]
    assert _message(where, json.loads(done.stdout)["id"]).subject == "mine"


def test_a_reply_takes_its_body_from_a_file(where: Tree, tmp_path: Path) -> None:
    (tmp_path / "body").write_text("from a file")
    id_ = post(where)
    done = command("reply", id_, "--file", str(tmp_path / "body"), "--from", "gemini")
    assert _message(where, done.stdout).body == "from a file"
    refused(command("reply", id_, "--from", "gemini"), "the body is empty")


@WAYS
def test_send_that_answers_needs_no_recipient(where: Tree, way: tuple[str, ...]) -> None:
    post(where, subject="API frozen?")
    code, said = _run(way, "send", "--reply-to", "last", "--from", "gemini", body=b"yes")
    id_, *more = said.splitlines()
    assert (code, more) == (0, ["to claude"])
    assert (_message(where, id_).recipients, _message(where, id_).subject) == (["claude"], "Re: API frozen?")
    code, said = _run(way, "send", "--from", "gemini", body=b"yes")
    assert (code, said.splitlines()[-1]) == (2, "Error: Missing argument 'RECIPIENT'.")


def test_every_line_of_a_batch_may_answer_another_message(where: Tree) -> None:
    where.make(["codex"])
    ids = [post(where, subject="one"), post(where, sender="codex", subject="two")]
    lines = "".join(json.dumps({"body": "yes", "reply_to": id_[-4:]}) + "\n" for id_ in ids)
    done = command("send", "--reply-to", "last", "--batch", "--from", "gemini", body=lines)
    answers = [_message(where, id_) for id_ in done.stdout.split()]
    assert [(one.recipients, one.subject) for one in answers] == [(["claude"], "Re: one"), (["codex"], "Re: two")]
    done = command("send", "claude", "--batch", "--from", "gemini", body='{"body": "x", "reply_to": "nope"}')
    refused(done, "line 1 of the batch: there is no message nope in ")


def test_an_unknown_or_ambiguous_id_is_refused_with_what_to_do(where: Tree) -> None:
    for number in range(7):
        put_message(where, READ, f"claude-20261128-01010{number}-000001-same.gemini.txt", f"n{number}")
    refused(
        command("reply", "nope", "-m", "x", "--from", "gemini"),
        f"there is no message nope in {where.path}: `ai-bridge history` lists the IDs, and the end of one is enough",
    )
    refused(
        command("reply", "same", "-m", "x", "--from", "gemini"),
        "same is the end of several IDs: give more of the one you mean, of ",
        "claude-20261128-010106-000001-same (from claude, 2026-11-28 01:01Z)",
        "and 2 older",
    )
    assert states(where, "gemini") == {}


# --- the limits -------------------------------------------------------------------------------------------


def test_a_reply_keeps_the_limits(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAX_HOPS", "1")
    post(where)
    first = command("reply", "last", "-m", "1", "--from", "gemini").stdout.strip()
    done = command("reply", first, "-m", "2", "--from", "claude")
    refused(done, "this thread has gone on for 1 answers")
    cards.change(where, "claude", {"refuse": "gemini"})
    refused(command("reply", "last", "-m", "x", "--from", "gemini"), "claude")


# --- -m ---------------------------------------------------------------------------------------------------


@WAYS
@pytest.mark.parametrize("option", [["-m", "agreed"], ["--message", "agreed"], ["--message=agreed"], ["-magreed"]])
def test_a_body_is_given_in_the_line(where: Tree, way: tuple[str, ...], option: list[str]) -> None:
    code, said = _run(way, "send", "gemini", "s", "--from", "claude", *option, stdin=subprocess.DEVNULL)
    assert (code, _message(where, said).body, _message(where, said).subject) == (0, "agreed", "s")


@WAYS
@pytest.mark.parametrize("text", ["-", "--", "-x", "ü\n\x1b", "=a"])
def test_a_body_in_the_line_is_taken_as_it_is(where: Tree, way: tuple[str, ...], text: str) -> None:
    code, said = _run(way, "send", "gemini", "--from", "claude", "-m", text, stdin=subprocess.DEVNULL)
    assert (code, _message(where, said).body) == (0, text)


@WAYS
@pytest.mark.parametrize("command_", ["send", "reply"])
def test_a_second_body_is_refused(where: Tree, tmp_path: Path, way: tuple[str, ...], command_: str) -> None:
    first = post(where, sender="gemini", to="claude")
    words = [command_, "gemini" if command_ == "send" else first, "--from", "claude", "-m", "x"]
    path = tmp_path / "body"
    path.write_text("another")
    said = "error: -m holds the body, and {} holds another: leave one of them out\n"
    assert _run(way, *words, "--file", str(path), body=b"") == (1, said.format(path))
    assert _run(way, *words, "--file", "-", body=b"") == (1, said.format("standard input"))
    ours, theirs = os.pipe()
    os.write(theirs, b"another")
    with path.open() as file, os.fdopen(ours) as pipe, os.fdopen(theirs):
        for given in (file, pipe):
            assert _run(way, *words, stdin=given.fileno()) == (1, said.format("standard input"))
    if command_ == "send":
        told = "error: the lines of a batch hold the bodies: leave -m or --batch out\n"
        assert _run(way, *words, "--batch", body=b"") == (1, told)
    assert states(where, "claude") == {}


@WAYS
@pytest.mark.parametrize("text", ["", "caf\udce9"])
def test_a_body_that_cannot_be_sent_is_refused(where: Tree, way: tuple[str, ...], text: str) -> None:
    code, said = _run(way, "send", "gemini", "--from", "claude", "-m", text, stdin=subprocess.DEVNULL)
    assert code == 1
    assert "the body is " in said
    assert (said.count("\n"), states(where, "claude")) == (1, {})


@WAYS
def test_a_loop_that_reads_lines_keeps_its_lines(where: Tree, way: tuple[str, ...]) -> None:
    script = 'while read -r line; do "$@" send gemini --from claude -m "got $line"; done'
    done = subprocess.run(["bash", "-c", script, "sh", *way], input=b"a\nb\nc\n", capture_output=True, check=True)
    assert [_message(where, id_).body for id_ in done.stdout.decode().split()] == ["got a", "got b", "got c"]


@WAYS
def test_with_a_body_in_the_line_nobody_waits_for_standard_input(where: Tree, way: tuple[str, ...]) -> None:
    """As under ssh, which keeps its standard input open."""
    ours, theirs = os.pipe()
    try:
        code, said = _run(way, "send", "gemini", "--from", "claude", "-m", "x", stdin=ours)
    finally:
        os.close(ours)
        os.close(theirs)
    assert (code, _message(where, said).body) == (0, "x")


# --- a person answers -------------------------------------------------------------------------------------


def test_a_person_answers_in_a_terminal_without_saying_who_they_are(where: Tree, settings: Settings) -> None:
    assert command("init", "me").returncode == 0
    question = post(where, sender="gemini", to="claude", subject="merge?")
    code, shown = on_terminal(b"", "reply", "last", "-m", "agreed")
    answer = _message(where, shown.splitlines()[0])
    assert (code, answer.sender, answer.recipients, answer.subject) == (0, "me", ["gemini"], "Re: merge?")
    assert (answer.get("In-Reply-To"), answer.get("Hops")) == (question, "0")
    assert {step.verb for step in route(where, settings)} == {"deliver"}


# --- what it costs ----------------------------------------------------------------------------------------

_LISTED = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
listed = []
def hear(event, facts):
    if event in ("os.listdir", "os.scandir"):
        listed.append(os.fspath(facts[0]))
sys.addaudithook(hear)
leave = os._exit
def look(code):
    sys.stderr.write("\\n".join(path for path in listed if "-outbox" in path))
    sys.stderr.write(" ".join(sys.modules.keys() & {"sqlite3", "click", "re", "typing", "dataclasses", "json"}))
    sys.stderr.flush()
    leave(code)
os._exit = look
from ai_bridge.cli.entry import ai_bridge
ai_bridge()
"""


@pytest.mark.parametrize("by", ["recipient", "sender", "supervisor"])
def test_an_exact_id_has_no_outbox_listed_and_nothing_slow_imported(where: Tree, settings: Settings, by: str) -> None:
    where.make(["codex"])
    id_ = post(where)
    route(where, settings)
    sender = {"recipient": "gemini", "sender": "claude", "supervisor": "codex"}[by]
    words = ["send", "--from", sender, "--reply-to", id_, "-m", "x"]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LISTED, ROOT, *words], capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    assert _message(where, done.stdout).get("In-Reply-To") == id_
    assert not os.path.exists(where.state_file("index.sqlite3"))
    assert len(states(where, sender)[DROPPED]) == 1
