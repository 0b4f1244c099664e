"""send through the real command, with and without click: its output, its refusals, and the files in the outbox."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.cli import fast_send, receipts, sending
from ai_bridge.cli.commands import mail
from ai_bridge.mailboxes import find
from ai_bridge.mailboxes.marker import NewerFormat
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, READ, REASON, UNREAD
from ai_bridge.mailboxes.trace import Place
from ai_bridge.mailboxes.tree import NotMailboxes, Tree
from ai_bridge.message import message
from ai_bridge.settings import Settings
from tests.support.checkout import ROOT
from tests.support.command import BY_CLICK, BY_ENTRY, command, refused, without_output
from tests.support.mail import make_mailboxes, post, route, states
from tests.support.project import commit, git

OWN_ID = re.compile(r"(claude|gemini)-\d{8}-\d{6}-\d{6}-\w{4}")


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def _only(where: Tree, owner: str = "claude") -> str:
    (name,) = states(where, owner)[DROPPED]
    return Path(where.outbox(owner).file(DROPPED, name)).read_text()


# --- send -------------------------------------------------------------------------------------------------


def test_send_prints_the_id_of_the_message_in_the_outbox(where: Tree) -> None:
    done = command("send", "gemini", "--from", "claude", body="hello $(id) \\ \"'\n")
    assert (done.returncode, done.stderr) == (0, "")
    assert OWN_ID.fullmatch(done.stdout.strip())
    assert states(where, "claude") == {DROPPED: [f"{done.stdout.strip()}.gemini.txt"]}
    assert "\nSubject: message\n" in _only(where)
    assert _only(where).endswith("\n\nhello $(id) \\ \"'\n")


def test_send_in_json_tells_id_recipients_and_paths(where: Tree) -> None:
    where.make(["codex"])
    done = command("send", "*", "s", "--json", "--from", "claude", body="x")
    (line,) = done.stdout.splitlines()
    told = json.loads(line)
    assert list(told) == ["id", "to", "paths", "rings"]
    assert (told["to"], told["rings"]) == (["codex", "gemini"], 0)
    assert told["paths"] == [where.outbox("claude").file(DROPPED, f"{told['id']}.{to}.txt") for to in told["to"]]
    assert all(os.path.isfile(path) for path in told["paths"])


def test_the_body_comes_from_a_file_or_a_fifo(where: Tree, tmp_path: Path) -> None:
    (tmp_path / "body").write_text("from a file")
    words = ("send", "gemini", "--from", "claude", "--file")
    assert command(*words, str(tmp_path / "body")).returncode == 0
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


def test_an_answer_names_its_question_and_stays_in_the_thread(where: Tree) -> None:
    question = post(where, "question")
    answer = command("send", "claude", "--from", "gemini", "--reply-to", question, body="a").stdout.strip()
    command("send", "gemini", "--from", "claude", "--reply-to", answer, body="again")
    assert f"\nIn-Reply-To: {question}\nThread: {question}\n" in _only(where, "gemini")
    last = Path(where.outbox("claude").file(DROPPED, states(where, "claude")[DROPPED][-1])).read_text()
    assert f"\nIn-Reply-To: {answer}\nThread: {question}\n" in last


@pytest.mark.parametrize(("script", "sender"), [("send_to_gemini", "claude"), ("send_to_claude", "gemini")])
def test_the_older_commands_send_from_the_other_of_the_two(where: Tree, script: str, sender: str) -> None:
    path = Path(sys.executable).with_name(script)
    subprocess.run([path, "older"], input=b"x", check=True, capture_output=True, timeout=60)
    assert f"\nFrom: {sender}\n" in _only(where, sender)
    assert "\nSubject: older\n" in _only(where, sender)


@pytest.mark.parametrize("way", [BY_ENTRY, BY_CLICK], ids=["plain", "click"])
def test_a_closed_standard_input_is_an_empty_body(where: Tree, way: tuple[str, ...]) -> None:
    words = ["sh", "-c", '"$@" <&-', "sh", *way, "send", "gemini", "--from", "claude"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    refused(done, "the body is empty")
    assert states(where, "claude") == {}


@pytest.mark.parametrize("way", [BY_ENTRY, BY_CLICK], ids=["plain", "click"])
@pytest.mark.parametrize("output", ["closed", "full", "broken"])
def test_an_id_that_cannot_be_printed_is_said_in_one_line(where: Tree, output: str, way: tuple[str, ...]) -> None:
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
    where: Tree, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], body: bytes, says: str
) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAX_MESSAGE_BYTES", "1500")
    refused(command("send", "gemini", "--from", "claude", *words, body=body), says)
    assert states(where, "claude") == {}
    assert os.listdir(where.outbox("claude").temporary) == []


def test_an_empty_body_is_sent_on_request(where: Tree) -> None:
    assert command("send", "gemini", "--from", "claude", "--allow-empty").returncode == 0
    assert _only(where).endswith("Z\n\n")


# --- send without click -----------------------------------------------------------------------------------


def _sent_by(way: tuple[str, ...], words: tuple[str, ...], body: bytes, where: Tree) -> list[str]:
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
    where: Tree, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], code: int
) -> None:
    where.make(["codex"])
    monkeypatch.setenv("AI_BRIDGE_AGENT", "claude")
    older = Path(where.outbox("gemini").file(READ, "older.claude.txt"))
    older.write_text("ID: older\nFrom: gemini\nTo: claude\nSubject: s\n\nx")
    found = [_sent_by(way, words, b"hello", where) for way in (BY_ENTRY, BY_CLICK)]
    assert found[0] == found[1]
    assert found[0][0] == str(code)


def test_only_words_that_are_plainly_understood_go_without_click() -> None:
    request = fast_send.parse(["--from=claude", "gemini", "s", "--file", "-", "--json"])
    assert request is not None
    assert (request.sender, request.recipient, request.subject) == ("claude", "gemini", "s")
    assert (request.file, request.json, request.batch) == ("-", True, None)
    for words in ([], ["-h"], ["gemini", "--from"], ["gemini", "--", "s"], ["a", "b", "c"], ["a", "--json=1"]):
        assert fast_send.parse(words) is None


def test_every_option_known_without_click_is_the_same_with_it() -> None:
    by_click = {word: option for option in mail.send.params for word in option.opts if word.startswith("-")}
    for word, name in (fast_send.VALUES | fast_send.FLAGS).items():
        assert by_click[word].name == {"mailboxes": "where", "json": "as_json"}.get(name, name)
        assert by_click[word].is_flag is (word in fast_send.FLAGS)


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


def test_a_plain_send_imports_nothing_that_is_slow(where: Tree) -> None:
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
    assert "ai_bridge.mailboxes.compose" in loaded
    assert loaded & slow == set()


# --- context ----------------------------------------------------------------------------------------------

WAYS = pytest.mark.parametrize("way", [BY_ENTRY, BY_CLICK], ids=["plain", "click"])


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with some files, which is the working directory of the commands."""
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "f.py").write_text("one\ntwo\nthree\n")
    (folder / "long.txt").write_text("row\n" * 9000)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("AI_BRIDGE_AGENT", "claude")
    return folder


def _sent(where: Tree) -> list[tuple[str | None, str]]:
    """Return the header `Context` and the body of each dropped message."""
    outbox = where.outbox("claude")
    found = [message.parse(Path(outbox.file(DROPPED, name)).read_bytes()) for name in outbox.names(DROPPED)]
    return [(one.get("Context"), one.body) for one in found]


def _attached(where: Tree) -> list[str]:
    folder = where.outbox("claude").attached
    return sorted(os.listdir(folder)) if os.path.isdir(folder) else []


def test_context_stands_in_the_body_and_in_the_header(where: Tree, project: Path) -> None:
    done = command("send", "gemini", "--context", "f.py:2-", "--context=f.py:1", body="look at this")
    assert (done.returncode, done.stderr) == (0, "")
    assert _sent(where) == [
        (
            "f.py:2-3; f.py:1-1",
            "look at this\n"
            "\n--- context: f.py lines 2-3 of 3 ---\n2 | two\n3 | three\n--- end of context: f.py ---\n"
            "\n--- context: f.py line 1 of 3 ---\n1 | one\n--- end of context: f.py ---\n",
        )
    ]


def test_what_is_too_long_is_attached_and_each_recipient_is_told(where: Tree, project: Path) -> None:
    where.make(["codex"])
    assert command("send", "*", "--context", "long.txt", body="x").returncode == 0
    (name,) = _attached(where)
    assert Path(where.outbox("claude").attached, name).read_bytes() == (project / "long.txt").read_bytes()
    hash_ = name.removesuffix(".txt")
    for header, body in _sent(where):
        assert header == f"long.txt sha256:{hash_}"
        assert f"attached: 36000 bytes; to see all: ai-bridge show {hash_[:16]}; it begins:\n   1 | row\n" in body


@WAYS
@pytest.mark.parametrize("body", ["empty", "closed"])
def test_with_context_there_need_be_no_other_body(
    where: Tree, project: Path, way: tuple[str, ...], body: str
) -> None:
    closing = "<&-" if body == "closed" else ""
    words = ["sh", "-c", f'"$@" {closing}', "sh", *way, "send", "gemini", "--context", "f.py:1"]
    subprocess.run(words, input=b"", check=True, capture_output=True, timeout=60)
    assert [body.split("\n")[0] for _, body in _sent(where)] == ["--- context: f.py line 1 of 3 ---"]


@pytest.mark.parametrize(
    ("words", "code"),
    [
        (("gemini", "--context", "f.py"), 0),
        (("--context=f.py:2", "gemini", "s", "--context", "long.txt", "--json"), 0),
        (("gemini", "--context", "none"), 1),
        (("gemini", "--context", "f.py:4"), 1),
        (("gemini", "--context", "f.py:3-2"), 1),
        (("gemini", "--context", "../mailboxes/README.md"), 1),
        (("gemini", "--context", "/dev/zero"), 1),
        (("gemini", "--context", "-f"), 1),
        (("gemini", "--context", ""), 1),
        (("gemini", "--context="), 1),
        (("gmini", "--context", "long.txt"), 1),
        (("gemini", "two\nlines", "--context", "long.txt"), 1),
        (("gemini", "--from", "nobody", "--context", "long.txt"), 1),
        (("gemini", "--from", "postmaster", "--context", "long.txt"), 1),
        (("gemini", *("--context", "f.py") * 30), 0),
        (("gemini", *(f"--context=long.txt:{number}" for number in range(1, 22))), 1),
        (("gemini", "--context"), 2),
        (("gemini", "--contxt", "f.py"), 2),
        (("gemini", "--wait-read"), 2),
        (("gemini", "--wait-read", "soon"), 2),
        (("gemini", "--wait-read", "-1"), 2),
        (("gemini", "--wait-read=nan"), 2),
        (("gemini", "--wait-read="), 2),
        (("gmini", "--wait-read", "1"), 1),
    ],
)
def test_context_and_receipts_are_the_same_with_and_without_click(
    where: Tree, project: Path, words: tuple[str, ...], code: int
) -> None:
    found = []
    for way in (BY_ENTRY, BY_CLICK):
        found.append(_sent_by(way, words, b"hello", where))
        assert _attached(where) == [] or code == 0
    assert found[0] == found[1]
    assert found[0][0] == str(code)
    assert len(found[0]) == (5 if code == 0 else 3)
    assert os.listdir(where.outbox("claude").temporary) == []


def test_lists_and_numbers_are_understood_without_click() -> None:
    request = fast_send.parse(["gemini", "--context", "a", "--wait-read", "1.5", "--context=-b"])
    assert request is not None
    assert (request.context, request.wait_read) == (["a", "-b"], 1.5)
    for words in (["gemini", "--context"], ["gemini", "--wait-read", "x"], ["gemini", "--wait-read=-1"]):
        assert fast_send.parse(words) is None


def test_every_list_known_without_click_is_one_with_it() -> None:
    by_click = {word: option for option in mail.send.params for word in option.opts}
    for word, name in fast_send.LISTS.items():
        assert by_click[word].name == name
        assert by_click[word].multiple  # type: ignore[attr-defined]


def test_each_line_of_a_batch_may_have_its_own_context(where: Tree, project: Path) -> None:
    lines = [{"body": "1"}, {"body": "", "context": ["long.txt", "f.py:2"]}, {"body": "3", "context": []}]
    body = "\n".join(json.dumps(line) for line in lines)
    assert command("send", "gemini", "--batch", "--context", "f.py:1", body=body).returncode == 0
    headers, bodies = zip(*_sent(where), strict=True)
    assert [str(header).split(" sha256")[0] for header in headers] == ["f.py:1-1", "long.txt", "None"]
    assert (bodies[0][:4], bodies[2]) == ("1\n\n-", "3")
    assert len(_attached(where)) == 1


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"body": "x", "context": "f.py"}, "line 2 of the batch holds 'context', but may hold the texts body,"),
        ({"body": "x", "context": [1]}, "and a list `context`; nothing was sent"),
        ({"body": "x", "context": ["none"]}, "none: it does not exist"),
        ({"body": "x", "context": ["f.py"], "to": "gmini"}, "did you mean gemini?"),
    ],
    ids=range(4),
)
def test_a_batch_with_a_wrong_context_sends_and_attaches_nothing(
    where: Tree, project: Path, line: dict[str, object], says: str
) -> None:
    body = "\n".join(json.dumps(one) for one in ({"body": "x", "context": ["long.txt"]}, line))
    refused(command("send", "gemini", "--batch", body=body), says)
    assert states(where, "claude") == {}
    assert _attached(where) == []


# --- receipts ---------------------------------------------------------------------------------------------


def _waiting(
    way: tuple[str, ...], processes: list[subprocess.Popen[bytes]], *words: str
) -> tuple[subprocess.Popen[bytes], str]:
    """Start a send that waits; returns it and the ID, which it printed before."""
    process = subprocess.Popen(
        [*way, "send", "gemini", "--from", "claude", *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    processes.append(process)
    assert process.stdin
    assert process.stdout
    process.stdin.write(b"x")
    process.stdin.close()
    process.stdin = None
    return process, process.stdout.readline().decode().strip()


AT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


@WAYS
def test_the_id_is_printed_and_then_the_receipt_awaited(
    where: Tree, settings: Settings, processes: list[subprocess.Popen[bytes]], way: tuple[str, ...]
) -> None:
    process, id_ = _waiting(way, processes, "--wait-read", "60")
    assert OWN_ID.fullmatch(id_)
    assert process.poll() is None
    route(where, settings)
    assert where.outbox("claude").move("acknowledge", f"{id_}.gemini.txt")
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out) == (0, b"")
    assert re.fullmatch(rf"gemini: read at {AT}\n", err.decode())


@WAYS
def test_a_receipt_of_a_malformed_message_gives_the_reason(
    where: Tree, processes: list[subprocess.Popen[bytes]], way: tuple[str, ...]
) -> None:
    process, id_ = _waiting(way, processes, "--wait-read", "60")
    outbox, name = where.outbox("claude"), f"{id_}.gemini.txt"
    Path(outbox.file(MALFORMED, name) + REASON).write_text("no \x1b[31m good\n")
    os.rename(outbox.file(DROPPED, name), outbox.file(MALFORMED, name))
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (1, b"", b"gemini: malformed: no \\x1b[31m good\n")


@WAYS
def test_when_the_time_is_over_the_exit_code_is_three_and_the_mail_stays_sent(
    where: Tree, way: tuple[str, ...]
) -> None:
    where.make(["codex"])
    words = [*way, "send", "*", "--from", "claude", "--json", "--wait-read", "0"]
    done = subprocess.run(words, input=b"x", capture_output=True, timeout=60, check=False)
    assert (done.returncode, list(json.loads(done.stdout))) == (3, ["id", "to", "paths", "rings"])
    assert re.fullmatch(rf"codex: dropped since {AT}\ngemini: dropped since {AT}\n", done.stderr.decode())
    assert len(states(where, "claude")[DROPPED]) == 2


@WAYS
def test_an_interrupt_ends_the_wait_and_not_the_message(
    where: Tree, processes: list[subprocess.Popen[bytes]], way: tuple[str, ...]
) -> None:
    process, id_ = _waiting(way, processes, "--wait-read", "60")
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=60)
    assert (process.returncode, out, err) == (130, b"", b"")
    assert states(where, "claude") == {DROPPED: [f"{id_}.gemini.txt"]}


def test_a_batch_waits_for_all_and_names_each(where: Tree, settings: Settings) -> None:
    done = command("send", "gemini", "--from", "claude", "--batch", "--wait-read", "0", body='{"body": "1"}\n' * 2)
    ids = done.stdout.split()
    assert done.returncode == 3
    lines = done.stderr.splitlines()
    assert [line.partition(" since ")[0] for line in lines] == [f"{id_} → gemini: dropped" for id_ in ids]
    assert command("send", "gemini", "--from", "claude", "--batch", "--wait-read", "60").returncode == 0


def test_a_receipt_of_a_file_that_is_gone_says_so(where: Tree) -> None:
    place = Place(where.outbox("claude"), UNREAD, "n1.gemini.txt", "gemini")
    assert receipts._receipt(place, with_id=False) == "gemini: was unread, and its file is gone\n"
    assert receipts._receipt(place, with_id=True).startswith("n1 → gemini: was unread")


def test_a_wait_that_cannot_tell_the_id_does_not_begin(where: Tree) -> None:
    done = without_output("full", "send", "gemini", "--from", "claude", "--wait-read", "60", body=b"x")
    assert done.returncode == 1
    assert re.fullmatch(r"error: sent as [^\n]+\n", done.stderr)


# --- a decision -----------------------------------------------------------------------------------------


@WAYS
def test_a_decision_is_opened_with_its_rule_and_its_voters(where: Tree, way: tuple[str, ...]) -> None:
    where.make(["codex", "judy"])
    words = ("send", "gemini", "storage", "--from", "claude", "--decide", "majority", "--voters", "gemini, codex")
    subprocess.run([*way, *words], input=b"One file?", stdout=subprocess.PIPE, check=True, timeout=60)
    text = _only(where)
    assert "\nTo: gemini\n" in text
    assert "\nDecide: majority\nVoters: gemini, codex\n" in text


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--decide", "maybe"), "a decision is by majority or unanimous, not by 'maybe'"),
        (("--decide", "unanimous"), "takes three"),
        (("--voters", "gemini"), "--voters goes with --decide"),
        (("--decide", "majority", "--voters", "nobody"), "there is no agent nobody"),
    ],
)
def test_what_cannot_be_decided_is_refused_and_nothing_is_sent(
    where: Tree, words: tuple[str, ...], said: str
) -> None:
    refused(command("send", "gemini", "--from", "claude", *words, body="ok?"), said)
    assert states(where, "claude") == {}


# --- what happens while the body is read ------------------------------------------------------------------


def sent_after(change: Callable[[], object], recipient: str) -> int:
    """Send in this process; the change happens while the body is read. Returns the exit code."""
    read = sending._body

    def body(request: sending.Request, limit: int) -> str:
        change()
        return read(request, limit)

    request = fast_send.parse([recipient, "--from", "claude", "--file", __file__])
    assert request is not None
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sending, "_body", body)
        return sending.run(request, None)


def test_an_agent_that_comes_while_the_body_is_read_gets_the_message(where: Tree) -> None:
    assert sent_after(lambda: where.make(["late"]), "late") == 0
    assert states(where, "claude")[DROPPED][0].endswith(".late.txt")


def test_nothing_is_sent_into_a_tree_that_is_newer_or_gone_once_the_body_is_read(where: Tree) -> None:
    marker = Path(where.path, ".format-2")
    with pytest.raises(NewerFormat):
        sent_after(marker.touch, "gemini")
    marker.unlink()
    assert states(where, "claude") == {}
    with pytest.raises(NotMailboxes):
        sent_after(lambda: os.rename(where.path, f"{where.path}-aside"), "gemini")


# --- between projects -------------------------------------------------------------------------------------


@pytest.fixture
def shop(where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Mailboxes with agents of the projects shop and web, and a person; this process works in the folder shop."""
    where.make(["me", "codex@shop", "codex@web", "claude@shop"])
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    return where


@pytest.mark.parametrize("way", [BY_ENTRY, BY_CLICK])
def test_a_person_writes_in_the_project_of_the_folder(shop: Tree, way: tuple[str, ...]) -> None:
    words = ("send", "codex", "--from", "me")
    done = subprocess.run([*way, *words], input=b"x", capture_output=True, timeout=60, check=True)
    assert done.stderr == b""
    (name,) = states(shop, "me")[DROPPED]
    assert name.endswith(".codex@shop.txt")


@pytest.mark.parametrize(("sender", "to"), [("me", "codex@web"), ("claude@shop", "codex@web, codex@shop")])
def test_the_receipt_says_who_is_outside_the_project(shop: Tree, sender: str, to: str) -> None:
    done = command("send", to, "--from", sender, body="x")
    rings = "Sent to 2 agents. It rings 0 sessions.\n" if "," in to else ""
    assert (done.returncode, done.stderr) == (0, f"{rings}note: codex@web is outside your project\n")
    assert re.fullmatch(rf"{sender}-[\d-]+-\w+\n", done.stdout)


@pytest.mark.usefixtures("shop")
def test_without_a_standard_error_the_receipt_is_whole_all_the_same() -> None:
    script = '"$@" 2>&-'
    words = ["sh", "-c", script, "sh", *BY_ENTRY, "send", "codex@web", "--from", "claude@shop"]
    done = subprocess.run(words, input=b"x", capture_output=True, timeout=60, check=True)
    assert done.stdout.startswith(b"claude@shop-")


@pytest.mark.parametrize("place", ["beside", "inside"])
def test_a_worktree_uses_the_mailboxes_of_the_main_one(
    where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, place: str
) -> None:
    shutil.rmtree(where.path)
    shop = tmp_path / "code" / "shop"
    shop.mkdir(parents=True)
    (shop / "a").write_text("a")
    commit(shop)
    fix = tmp_path / "code" / "fix" if place == "beside" else shop / "fix"
    git(shop, "worktree", "add", "-q", str(fix))
    make_mailboxes(shop / "mailboxes", "claude", "gemini")
    (fix / "deep").mkdir()
    monkeypatch.chdir(fix / "deep")
    monkeypatch.delenv("AI_BRIDGE_MAILBOXES")
    sent = [command("send", "gemini", "--from", "claude", body="cli")]
    sent.append(
        subprocess.run(
            [ROOT / "management" / "send.sh", "gemini", "--from", "claude"],
            input=b"sh",
            capture_output=True,
            timeout=60,
            check=False,
        )
    )
    assert [(done.returncode, done.stderr) for done in sent] == [(0, ""), (0, b"")]
    assert len(states(Tree(str(shop / "mailboxes")), "claude")[DROPPED]) == 2


# --- a body from a file, and another from standard input ------------------------------------------------


def _with_input(
    where: Tree, body: Path, stdin: int, way: tuple[str, ...] = BY_ENTRY
) -> subprocess.CompletedProcess[str]:
    words = [*way, "send", "gemini", "--from", "claude", "--mailboxes", where.path, "--file", str(body)]
    done = subprocess.run(words, stdin=stdin, capture_output=True, text=True, timeout=60, check=False)
    return subprocess.CompletedProcess(words, done.returncode, done.stdout, done.stderr)


@pytest.mark.parametrize("kind", ["pipe", "pipe still open", "file"])
@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="nothing says what the parent has open")
def test_a_second_body_on_standard_input_is_refused_and_not_dropped(where: Tree, tmp_path: Path, kind: str) -> None:
    body, other = tmp_path / "body", tmp_path / "other"
    body.write_text("from the file")
    other.write_text("from standard input")
    stdin, ours = os.pipe()
    os.write(ours, b"from standard input")
    if kind == "pipe":
        os.close(ours)
    if kind == "file":
        os.close(stdin)
        stdin = os.open(other, os.O_RDONLY)
    refused(_with_input(where, body, stdin), f"{body} holds the body, and standard input holds another")
    os.lseek(stdin, 0, os.SEEK_END) if kind == "file" else os.read(stdin, 100)
    assert _with_input(where, body, stdin).returncode == 0  # nothing is left there
    os.close(stdin)
    if kind != "pipe":
        os.close(ours)
    assert len(states(where, "claude")[DROPPED]) == 1


def test_an_input_that_the_shell_passed_on_is_left_alone(where: Tree, tmp_path: Path) -> None:
    """The loop's own input, which the loop goes on to read, is nobody's second body."""
    for name in ("one", "two"):
        (tmp_path / name).write_text(name)
    loop = 'while read name; do "$@" send gemini --from claude --file "$name" || exit; done; printf "%s\\n" rest'
    done = subprocess.run(
        ["sh", "-c", loop, "sh", *BY_ENTRY],
        input="one\ntwo\n",
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={**os.environ, "AI_BRIDGE_MAILBOXES": where.path},
        check=False,
    )
    assert (done.returncode, done.stderr, done.stdout.splitlines()[-1]) == (0, "", "rest")
    assert len(states(where, "claude")[DROPPED]) == 2


def test_a_sender_of_another_project_than_the_folder_is_named(
    where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.rmtree(where.path)
    monkeypatch.delenv("AI_BRIDGE_MAILBOXES")
    Tree(find.user_wide()).make(["claude@web", "codex@web", "claude@shop"])
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    done = command("send", "codex", "--from", "claude@web", body="x")
    said = "note: you wrote as claude@web, an agent of the project web; this folder is of the project shop\n"
    assert (done.returncode, done.stderr) == (0, said)
    assert command("send", "claude", "--from", "claude@shop", body="x").stderr == ""
