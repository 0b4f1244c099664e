"""The format of a tree: a program refuses mailboxes of a newer one in one sentence, and touches nothing in them."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge import clients
from ai_bridge.mailboxes import marker
from ai_bridge.mailboxes.adoption import adopt
from ai_bridge.mailboxes.find import find_mailboxes, nearest
from ai_bridge.mailboxes.marker import NAME, NewerFormat
from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import Tree, is_mailboxes
from ai_bridge.router.daemon import Daemon
from ai_bridge.settings import Settings
from ai_bridge.system.locks import holder
from tests.support import wire
from tests.support.checkout import ROOT
from tests.support.command import command, refused
from tests.support.mail import post, put_message, route, states
from tests.support.presence import tell
from tests.support.wait import until
from tests.support.wire import Wire

SENTENCE = "has format 2, and only format 1 is understood here: nothing there was touched; "
Contents = dict[str, tuple[int, int, bytes]]


def contents(path: str) -> Contents:
    """Return the mode, the time and the content of everything in a tree; a directory's content is its names."""
    return {
        str(one.relative_to(path)): (
            one.lstat().st_mode,
            one.lstat().st_mtime_ns,
            one.read_bytes() if one.is_file() else "\n".join(sorted(os.listdir(one))).encode(),
        )
        for one in [Path(path), *Path(path).rglob("*")]
    }


@pytest.fixture
def newer(where: Tree, settings: Settings) -> Iterator[Tree]:
    """Mailboxes of format 2 with mail in every state, which stay as they are whatever the test does."""
    post(where, "read")
    route(where, settings)
    put_message(where, "read", "n1.gemini.txt")
    put_message(where, "processing", "n2.gemini.txt", "n2")
    put_message(where, "held", "n3.gemini.txt", "n3")
    put_message(where, "malformed", "n4.gemini.txt", "n4")
    post(where, "dropped", to="gemini")
    post(where, "dropped", to="claude", sender="gemini")
    temporary = Path(where.outbox("claude").temporary, "old")
    temporary.write_text("half")
    os.utime(temporary, (1, 1))
    tell(where)  # so that this machine would have a page to write
    Path(where.path, ".format-2").touch()
    before = contents(where.path)
    yield where
    assert contents(where.path) == before


# --- the number -------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("names", "number"),
    [
        ([], 1),
        (["README.md", "claude-outbox"], 1),
        ([".format-1"], 1),
        ([".format-2", ".format-1"], 2),
        ([".format-3", ".format-10"], 10),
        ([".format-2.sync-conflict-20260101-000000-ABC"], 2),
        ([".format-1 (conflicted copy)"], 1),
        ([".format-", ".format-x", ".format-²", ".formats-9", "format-9"], 1),
    ],
)
def test_the_highest_number_in_a_name_of_the_root_is_the_format(names: list[str], number: int) -> None:
    assert marker.number(names) == number


def test_a_new_tree_says_its_format_and_an_older_one_without_it_goes_on(tmp_path: Path, settings: Settings) -> None:
    new, older = Tree(str(tmp_path / "new")), Tree(str(tmp_path / "older"))
    for one in (new, older):
        one.make(["claude", "gemini"])
        assert Path(one.path, NAME).read_bytes() == b""
    os.unlink(os.path.join(older.path, NAME))
    Path(older.path, "README.md").write_text("our notes, Format: 7\n")
    post(older.check(), "hello")
    assert [step.verb for step in route(older, settings)] == ["deliver"]
    older.make(["codex"])
    assert NAME not in os.listdir(older.path)


def test_a_newer_tree_is_found_even_if_nothing_else_in_it_is_known(tmp_path: Path) -> None:
    outer = Tree(str(tmp_path / "mailboxes"))
    outer.make(["claude"])
    inner = tmp_path / "project/mailboxes"
    inner.mkdir(parents=True)
    (inner / ".format-2").touch()
    assert is_mailboxes(str(inner))
    assert nearest(str(tmp_path / "project")) == str(inner)
    with pytest.raises(NewerFormat):
        find_mailboxes(str(inner))
    refused(command("init", "--mailboxes", str(inner)), SENTENCE)
    assert os.listdir(inner) == [".format-2"]


def test_the_check_of_a_tree_reads_nothing_more_for_it(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[str] = []
    for name in ("open", "stat", "listdir", "scandir"):
        real = getattr(os, name)
        monkeypatch.setattr(os, name, lambda *words, real=real, name=name: calls.append(name) or real(*words))
    assert is_mailboxes(where.path)
    assert calls == ["listdir"]


# --- refused, and nothing touched -------------------------------------------------------------------------


@pytest.mark.parametrize(
    "line",
    [
        *(
            "send gemini s --from claude",
            "send gemini s --from claude --json --wait-read 1",
            "send * s --from claude",
        ),
        *("read --agent gemini", "list --agent gemini", "wait --agent gemini --timeout 0", "show n1", "history"),
        *("acknowledge n1 --agent gemini", "restore n4", "restore n1", "allow n3", "search hello", "decisions"),
        *("card claude", "card set description=new claude", "status n1", "status", "config", "logs"),
        *("router", "router --once", "start", "stop", "restart", "health", "install-service"),
        *("init", "init codex", "sync status", "link", "link --remove", "link nats://127.0.0.1:1 --as ours"),
        *("install claude --yes", "install gemini --yes --scope project", "wait --new --agent gemini --timeout 0"),
    ],
)
def test_every_command_refuses_a_newer_tree(newer: Tree, line: str) -> None:
    done = command(*line.split(), body="hello", AI_BRIDGE_MAILBOXES=newer.path)
    refused(done, f"{newer.path} {SENTENCE}update ai-bridge, then try again")


@pytest.mark.parametrize("client", [one.name for one in clients.with_hooks()])
def test_a_hook_refuses_it(newer: Tree, client: str) -> None:
    for event in ("SessionStart", "BeforeAgent", "AfterTool", "SessionEnd"):
        body = f'{{"hook_event_name": "{event}"}}'
        refused(command("hook", client, body=body, AI_BRIDGE_MAILBOXES=newer.path), SENTENCE)


def test_it_is_refused_too_if_it_is_found_from_the_working_directory(
    newer: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(os.path.dirname(newer.path))
    for line in ("send gemini s --from claude", "read --agent gemini", "health", "init", "start"):
        refused(command(*line.split(), body="hello"), SENTENCE)


def test_the_doctor_reports_it_and_uninstall_does_its_work(newer: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(os.path.dirname(newer.path))
    done = command("doctor")
    assert (done.returncode, done.stderr) == (1, "")
    assert SENTENCE in done.stdout
    done = command("uninstall", "all", "--yes", AI_BRIDGE_MAILBOXES=newer.path)
    assert (done.returncode, done.stderr) == (0, "")


def test_adopting_it_is_refused(newer: Tree) -> None:
    with pytest.raises(NewerFormat):
        adopt(newer.path)


@pytest.mark.parametrize("shell", ["sh", "dash", "bash"])
def test_the_shell_sender_refuses_it(newer: Tree, shell: str) -> None:
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    words = [shell, str(ROOT / "management/send.sh"), "gemini", "s", "--from", "claude", "--mailboxes", newer.path]
    done = subprocess.run(words, input=b"hello", capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (1, b"")
    assert "has format 2" in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


@pytest.mark.parametrize("era", ["legacy", "modern"])
def test_no_tool_of_the_server_touches_it(
    newer: Tree, era: str, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    server = serve(newer, tmp_path / "stderr", processes, era)
    assert {tool["name"] for tool in server.tools()} >= {"peer_read", "peer_send"}
    all_refused(server)
    server.end()
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def serve(where: Tree, stderr: Path, processes: list[subprocess.Popen[bytes]], era: str = "legacy") -> Wire:
    """Start a server for gemini on these mailboxes."""
    theirs_in, ours_in, ours_out, theirs_out = wire.ends("pipes")
    words = [sys.executable, "-m", "ai_bridge", "mcp", "--agent", "gemini", "--mailboxes", where.path]
    with stderr.open("wb") as errors:
        process = subprocess.Popen(words, stdin=theirs_in, stdout=theirs_out, stderr=errors)
    processes.append(process)
    os.close(theirs_in)
    os.close(theirs_out)
    server = Wire(process, (ours_in, ours_out), "claude-code", era, stderr)
    server.open()
    return server


def all_refused(server: Wire) -> None:
    """Call every tool; each refuses in one sentence."""
    for tool, given in TOOLS.items():
        said = server.refusal(tool, **given)
        assert re.fullmatch(rf"error: [^\n]*{SENTENCE}tell your user to [^\n]+", said), tool


TOOLS: dict[str, dict[str, object]] = {
    "peer_read": {},
    "peer_send": {"to": "claude", "body": "hello"},
    "peer_context": {"to": "claude", "paths": ["README.md"]},
    "peer_wait": {"timeout_s": 0},
    "peer_list": {},
    "peer_history": {},
    "peer_status": {},
    "acknowledge_messages": {"ids": ["n1"]},
    "check_mail": {"event": "Stop"},
    "read_claude_messages": {},
}


# --- a tree that is changed by a newer program meanwhile --------------------------------------------------


def test_a_session_at_work_touches_nothing_more(
    where: Tree, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    tell(where)
    post(where, "hello")
    server = serve(where, tmp_path / "stderr", processes)
    assert "hello" in server.text("peer_read", peek=True)
    Path(where.path, ".format-2").touch()
    before = contents(where.path)
    all_refused(server)
    server.end()
    assert contents(where.path) == before
    assert "Traceback" not in (tmp_path / "stderr").read_text()


def test_a_router_at_work_ends_and_releases_its_locks(
    where: Tree, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    with (tmp_path / "stderr").open("wb") as errors:
        words = [sys.executable, "-m", "ai_bridge", "router", "--mailboxes", where.path]
        processes.append(subprocess.Popen(words, stdin=subprocess.DEVNULL, stderr=errors))
    until(lambda: (found := holder(where.lock_file("router", "claude"))) is not None and found.ready)
    Path(where.path, ".format-2").touch()
    assert processes[0].wait(20) == 1
    said = (tmp_path / "stderr").read_text()
    assert "Traceback" not in said
    assert said.splitlines()[-1].startswith(f"error: {where.path} {SENTENCE}")
    assert holder(where.lock_file("router", "claude")) is None


def test_the_tree_can_be_used_again_once_the_mark_is_gone(where: Tree, settings: Settings) -> None:
    post(where, "hello")
    mark = Path(where.path, ".format-2")
    mark.touch()
    with pytest.raises(NewerFormat):
        Daemon(where, settings).run_once()
    assert len(states(Tree(where.path), "claude")["dropped"]) == 1
    mark.unlink()
    Daemon(where, settings).run_once()
    assert list(states(where, "claude")) == [UNREAD]


def watches(pid: int) -> bool:
    """Tell whether a process watches directories."""
    try:
        opened = [os.readlink(path) for path in Path(f"/proc/{pid}/fd").iterdir()]
    except OSError:  # a descriptor was closed just now
        return False
    return any("inotify" in path for path in opened)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="/proc shows what a process has open")
def test_a_wait_ends_with_the_sentence(where: Tree, processes: list[subprocess.Popen[bytes]]) -> None:
    words = [sys.executable, "-m", "ai_bridge", "wait", "--agent", "gemini", "--mailboxes", where.path]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    processes.append(process)
    until(lambda: watches(process.pid))
    Path(where.path, ".format-2").touch()
    output, errors = process.communicate(timeout=20)
    assert (process.returncode, output) == (1, b"")
    assert SENTENCE in errors.decode()


def test_a_tree_without_a_number_is_of_the_first_format_for_programs_to_come(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(marker, "FORMAT", 2)
    assert marker.number([]) == 1
    assert marker.number([".format-2"]) == 2
