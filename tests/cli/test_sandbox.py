"""sandbox: a model whose shell may not write the mailboxes or the state learns which tool to use instead."""

from __future__ import annotations

import errno
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from ai_bridge.cli import fast_send, sandbox
from ai_bridge.cli.commands import mail
from ai_bridge.cli.main import bridge
from ai_bridge.errors import BridgeError, disk_error
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from ai_bridge.system.directories import state_base
from tests.support.disk import FaultyOs, FaultyReads
from tests.support.mail import post, route

REFUSALS = [errno.EROFS, errno.EACCES, errno.EPERM]
SENTENCE = "the shell of Codex CLI may not write {path} (its sandbox): use the tool {tool} instead"


@pytest.fixture(autouse=True)
def _in_a_shell_of_codex(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    monkeypatch.setenv("AI_BRIDGE_AGENT", "codex")
    monkeypatch.setenv("CODEX_THREAD_ID", "t-1")
    where.make(["codex"])
    Path(state_base()).mkdir(parents=True, exist_ok=True)


def _send_in_vain(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> tuple[int, str]:
    """Send while nothing can be written in the mailboxes; returns the exit code and standard error."""
    (body := Path(state_base(), "body")).write_text("hello")
    monkeypatch.setattr(sys, "stdin", None)
    monkeypatch.setattr(durable, "os", FaultyOs(fail={"link": number, "rename": number, "open": number}))
    request = fast_send.parse(["gemini", "--from", "codex", "--file", str(body)])
    assert request is not None
    return fast_send._exit_code(request), capsys.readouterr().err


@pytest.mark.parametrize("number", REFUSALS)
def test_a_send_in_the_shell_of_a_client_names_the_tool(
    where: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], number: int
) -> None:
    told = SENTENCE.format(path=where.path, tool="peer_send")
    assert _send_in_vain(monkeypatch, capsys, number) == (1, f"error: {told}\n")


def test_a_send_in_a_persons_shell_speaks_of_the_disk(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("CODEX_THREAD_ID")
    code, told = _send_in_vain(monkeypatch, capsys, errno.EROFS)
    assert code == 1
    assert "the file system is read-only; make it writable or choose other mailboxes" in told
    assert "sandbox" not in told


@pytest.mark.parametrize(
    ("words", "tool"),
    [
        (["read"], "peer_read"),
        (["read", "--peek"], "peer_read"),
        (["wait", "--new", "--timeout", "0"], "peer_wait"),
        (["acknowledge", "x"], "peer_read"),
    ],
)
def test_a_command_whose_state_is_read_only_names_the_tool_in_one_line(
    where: Tree, words: list[str], tool: str
) -> None:
    post(where, "hi", "codex", "gemini")
    with FaultyReads(state_base(), 0, errno.EROFS, ("open",)):
        done = CliRunner().invoke(bridge, words)
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == f"error: {SENTENCE.format(path=state_base(), tool=tool)}\n"


def test_a_message_that_was_shown_but_not_acknowledged_names_the_tool(
    where: Tree, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    post(where, "hi", "codex", "gemini")
    route(where, Settings())
    (waiting,) = unread.inboxes(where)["codex"]

    def refuse(_: unread.Waiting) -> None:
        raise OSError(errno.EROFS, "read-only", waiting.path)

    monkeypatch.setattr(unread.Waiting, "acknowledge", refuse)
    assert not mail._acknowledged(waiting)
    told = SENTENCE.format(path=where.path, tool="peer_read")
    assert capsys.readouterr().err == f"error: {told}: it stays unread\n"


def test_any_other_refusal_stays_as_it_is(where: Tree, tmp_path: Path) -> None:
    inside = f"{where.path}/codex-outbox/.tmp/x"
    assert isinstance(sandbox.explained("send", _refused(inside, errno.EROFS)), sandbox.Sandboxed)
    for command, refusal in (
        ("send", _refused(inside, errno.ENOSPC)),
        ("send", _refused(str(tmp_path / "a letter"), errno.EACCES)),
        ("send", _refused("standard output", errno.EPERM)),
        ("health", _refused(inside, errno.EROFS)),
        (None, _refused(inside, errno.EROFS)),
        ("send", BridgeError(what="no")),
    ):
        assert sandbox.explained(command, refusal) is refusal


def _refused(path: str, number: int) -> BridgeError:
    return disk_error(path, OSError(number, "refused", path))
