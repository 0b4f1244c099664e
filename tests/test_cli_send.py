"""send through the real command, with and without click: what it prints, refuses and leaves in the outbox."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge.cli import fast, mail
from ai_bridge.mailboxes import Mailboxes
from ai_bridge.outbox import DROPPED, READ
from tests.conftest import ROOT, command, post, states

OWN_ID = re.compile(r"(claude|gemini)-\d{8}-\d{6}-\d{6}-\w{4}")
BY_CLICK = (sys.executable, "-c", "from ai_bridge.cli.main import bridge; bridge(prog_name='ai-bridge')")
BY_ENTRY = (sys.executable, "-m", "ai_bridge")


@pytest.fixture(autouse=True)
def _in_reach(where: Mailboxes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def refused(done: subprocess.CompletedProcess[str], *parts: str) -> None:
    """Check that a command was refused by one line which says all of `parts`."""
    assert (done.returncode, done.stdout) == (1, "")
    assert re.fullmatch(r"error: [^\n]+\n", done.stderr)
    for part in parts:
        assert part in done.stderr


def without_output(
    output: str, *words: str, body: bytes = b"", way: tuple[str, ...] = BY_ENTRY
) -> subprocess.CompletedProcess[str]:
    """Run a command whose standard output is closed, on a full disk, or a pipe that nobody reads any more."""
    script = '"$@" >&-' if output == "closed" else '"$@" >/dev/full' if output == "full" else '"$@"'
    ours, theirs = os.pipe()
    os.close(ours)
    try:
        done = subprocess.run(
            ["sh", "-c", script, "sh", *way, *words],
            input=body,
            stdout=theirs,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(theirs)
    return subprocess.CompletedProcess(done.args, done.returncode, "", done.stderr.decode())


def _only(where: Mailboxes, owner: str = "claude") -> str:
    (name,) = states(where, owner)[DROPPED]
    return Path(where.outbox(owner).file(DROPPED, name)).read_text()


# --- send -------------------------------------------------------------------------------------------------


def test_send_prints_the_id_of_the_message_in_the_outbox(where: Mailboxes) -> None:
    done = command("send", "gemini", "--from", "claude", body="hello $(id) \\ \"'\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert OWN_ID.fullmatch(done.stdout.strip())
    assert states(where, "claude") == {DROPPED: [f"{done.stdout.strip()}.gemini.txt"]}
    assert "\nSubject: message\n" in _only(where)
    assert _only(where).endswith("\n\nhello $(id) \\ \"'\n")


def test_send_in_json_tells_id_recipients_and_paths(where: Mailboxes) -> None:
    where.make(["codex"])
    done = command("send", "*", "s", "--json", "--from", "claude", body="x")
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert list(told) == ["id", "to", "paths"]
    assert told["to"] == ["codex", "gemini"]
    assert told["paths"] == [where.outbox("claude").file(DROPPED, f"{told['id']}.{to}.txt") for to in told["to"]]
    assert all(os.path.isfile(path) for path in told["paths"])


def test_the_body_comes_from_a_file_or_a_fifo(where: Mailboxes, tmp_path: Path) -> None:
    (tmp_path / "body").write_text("from a file")
    words = ("send", "gemini", "--from", "claude", "--file")
    assert command(*words, str(tmp_path / "body"), body="not this").returncode == 0
    assert command(*words, "-", body="from standard input").returncode == 0
    script = '"$0" -m ai_bridge "$@" <(printf "from a %s" process)'
    subprocess.run(["bash", "-c", script, sys.executable, *words], check=True, capture_output=True, timeout=60)
    bodies = [
        Path(where.outbox("claude").file(DROPPED, name)).read_text() for name in states(where, "claude")[DROPPED]
    ]
    assert [body.partition("\n\n")[2] for body in bodies] == [
        "from a file",
        "from standard input",
        "from a process",
    ]


def test_an_answer_names_its_question_and_stays_in_the_thread(where: Mailboxes) -> None:
    question = post(where, "question")
    answer = command("send", "claude", "--from", "gemini", "--reply-to", question, body="a").stdout.strip()
    command("send", "gemini", "--from", "claude", "--reply-to", answer, body="again")
    assert f"\nIn-Reply-To: {question}\nThread: {question}\n" in _only(where, "gemini")
    last = Path(where.outbox("claude").file(DROPPED, states(where, "claude")[DROPPED][-1])).read_text()
    assert f"\nIn-Reply-To: {answer}\nThread: {question}\n" in last


@pytest.mark.parametrize(("script", "sender"), [("send_to_gemini", "claude"), ("send_to_claude", "gemini")])
def test_the_older_commands_send_from_the_other_of_the_two(where: Mailboxes, script: str, sender: str) -> None:
    path = Path(sys.executable).with_name(script)
    subprocess.run([path, "older"], input=b"x", check=True, capture_output=True, timeout=60)
    assert f"\nFrom: {sender}\n" in _only(where, sender)
    assert "\nSubject: older\n" in _only(where, sender)


@pytest.mark.parametrize("way", [BY_ENTRY, BY_CLICK], ids=["plain", "click"])
def test_a_closed_standard_input_is_an_empty_body(where: Mailboxes, way: tuple[str, ...]) -> None:
    words = ["sh", "-c", '"$@" <&-', "sh", *way, "send", "gemini", "--from", "claude"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    refused(done, "the body is empty")
    assert states(where, "claude") == {}


@pytest.mark.parametrize("way", [BY_ENTRY, BY_CLICK], ids=["plain", "click"])
@pytest.mark.parametrize("output", ["closed", "full", "broken"])
def test_an_id_that_cannot_be_printed_is_said_in_one_line(
    where: Mailboxes, output: str, way: tuple[str, ...]
) -> None:
    done = without_output(output, "send", "gemini", "--from", "claude", body=b"x", way=way)
    assert done.returncode == 1 or (output, done.returncode) == ("closed", 0)
    assert re.fullmatch(r"(error: [^\n]+\n)?", done.stderr)
    assert len(states(where, "claude")[DROPPED]) == 1


@pytest.mark.parametrize(
    ("words", "body", "says"),
    [
        ((), b"", "the body is empty: pipe text in or name a --file, or say --allow-empty"),
        ((), b"caf\xe9", "standard input is not UTF-8 text (byte 3)"),
        ((), b"x" * 2000, "over the limit of 1500 (setting max_message_bytes)"),
        ((), b"x" * 1450, "the message is 15"),
        (("--file", "/nowhere/at/all"), b"", "/nowhere/at/all: it does not exist; check the path"),
        (("--file", "/"), b"", "/: it is a directory; name a file"),
        (("--reply-to", "none"), b"x", "there is no message none"),
    ],
    ids=range(7),
)
def test_what_cannot_be_sent_is_refused_before_anything_is_written(
    where: Mailboxes, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], body: bytes, says: str
) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAX_MESSAGE_BYTES", "1500")
    refused(command("send", "gemini", "--from", "claude", *words, body=body), says)
    assert states(where, "claude") == {}
    assert os.listdir(where.outbox("claude").temporary) == []


def test_an_empty_body_is_sent_on_request(where: Mailboxes) -> None:
    assert command("send", "gemini", "--from", "claude", "--allow-empty").returncode == 0
    assert _only(where).endswith("Z\n\n")


# --- send without click -----------------------------------------------------------------------------------


def _sent_by(way: tuple[str, ...], words: tuple[str, ...], body: bytes, where: Mailboxes) -> list[str]:
    """Send, and return all that can be told from outside, but for the ID and the date; tidies up after itself."""
    done = subprocess.run([*way, "send", *words], input=body, capture_output=True, timeout=60, check=False)
    seen = [str(done.returncode), done.stdout.decode(), done.stderr.decode()]
    outbox = where.outbox("claude")
    for name in outbox.names(DROPPED):
        seen += [name, Path(outbox.file(DROPPED, name)).read_text()]
        os.unlink(outbox.file(DROPPED, name))
    return [re.sub(r"Date: .*", "Date", OWN_ID.sub("ID", text)) for text in seen]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("gemini",), 0),
        (("gemini", ""), 0),
        (("gemini, codex", "grüße"), 0),
        (("*", "--json"), 0),
        (("--agent", "nobody", "--from=claude", "gemini", "--reply-to", "older"), 0),
        (("gemini", "--batch"), 1),
        (("gmini",), 1),
        (("Bad!",), 1),
        (("",), 1),
        (("postmaster",), 1),
        (("gemini", "two\nlines"), 1),
        (("gemini", "\x1b[31m"), 1),
        (("gemini", "--from", "nobody"), 1),
        (("gemini", "--reply-to", "none"), 1),
        (("gemini", "--file", "/nowhere"), 1),
        (("gemini", "--file", "/"), 1),
        (("gemini", "--mailboxes", "/nowhere"), 1),
        (("gemini", "--agent"), 2),
        (("gemini", "s", "too many"), 2),
        (("gemini", "--frm", "claude"), 2),
        (("gemini", "--json=yes"), 2),
        ((), 2),
    ],
)
def test_send_is_the_same_with_and_without_click(
    where: Mailboxes, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int
) -> None:
    where.make(["codex"])
    monkeypatch.setenv("AI_BRIDGE_AGENT", "claude")
    older = Path(where.outbox("gemini").file(READ, "older.claude.txt"))
    older.write_text("ID: older\nFrom: gemini\nTo: claude\nSubject: s\n\nx")
    found = [_sent_by(way, words, b"hello", where) for way in (BY_ENTRY, BY_CLICK)]
    assert found[0] == found[1]
    assert found[0][0] == str(code)


def test_only_words_that_are_plainly_understood_go_without_click() -> None:
    request = fast.parse(["--from=claude", "gemini", "s", "--file", "-", "--json"])
    assert request is not None
    assert (request.sender, request.recipient, request.subject) == ("claude", "gemini", "s")
    assert (request.file, request.json, request.batch) == ("-", True, None)
    for words in ([], ["-h"], ["gemini", "--from"], ["gemini", "--", "s"], ["a", "b", "c"], ["a", "--json=1"]):
        assert fast.parse(words) is None


def test_every_option_known_without_click_is_the_same_with_it() -> None:
    by_click = {word: option for option in mail.send.params for word in option.opts if word.startswith("--")}
    for word, name in (fast.VALUES | fast.FLAGS).items():
        assert by_click[word].name == {"mailboxes": "where", "json": "as_json"}.get(name, name)
        assert by_click[word].is_flag is (word in fast.FLAGS)


_LOOK = """
import os, sys
sys.path.insert(0, sys.argv.pop(1))
leave = os._exit
def look(code):
    sys.stderr.write(" ".join(sys.modules))
    sys.stderr.flush()
    leave(code)
os._exit = look
from ai_bridge.cli.entry import ai_bridge
ai_bridge()
"""


def test_a_plain_send_imports_nothing_that_is_slow(where: Mailboxes) -> None:
    words = ["send", "gemini", "s", "--from", "claude", "--mailboxes", where.path]
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", _LOOK, ROOT, *words],
        input=b"x",
        capture_output=True,
        timeout=60,
        check=True,
    )
    loaded = set(done.stderr.decode().split())
    slow = {"click", "yaml", "frontmatter", "mcp", "watchdog", "re", "ctypes", "pathlib", "typing", "dataclasses"}
    assert "ai_bridge.send" in loaded
    assert loaded & slow == set()
