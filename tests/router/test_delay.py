"""Mail that a router at work does not move: readers hear of it, and no other mail is called late."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from pathlib import Path

import pytest

from ai_bridge.health import mail
from ai_bridge.health.finding import NOTE, OK
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import delay
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock
from tests.support.command import BY_ENTRY, command
from tests.support.mail import post, states
from tests.support.wait import until

LATE = r"1 message on its way; the router \(pid {pid}\) has not moved it for \d+ s"
ME = ("--agent", "gemini")
Processes = list[subprocess.Popen[bytes]]


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)


@pytest.fixture
def stopped(where: Tree, processes: Processes) -> subprocess.Popen[bytes]:
    """A router that holds its locks and has been stopped."""
    router = subprocess.Popen([*BY_ENTRY, "router"], stderr=subprocess.DEVNULL)
    processes.append(router)
    until(lambda: all((found := mail.router_of(where, agent)) and found.ready for agent in where.agents()))
    router.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, router.pid, os.WSTOPPED)
    return router


def _late(router: subprocess.Popen[bytes]) -> str:
    return LATE.format(pid=router.pid)


@pytest.mark.parametrize("words", [("read",), ("read", "--json"), ("read", "--from", "claude")])
def test_read_says_what_the_router_does_not_move(
    where: Tree, stopped: subprocess.Popen[bytes], words: tuple[str, ...]
) -> None:
    post(where, "hello")
    done = command(*words, *ME)
    assert (done.returncode, done.stdout) == (0, "")
    assert re.fullmatch(f"{_late(stopped)}\n", done.stderr)
    assert set(states(where, "claude")) == {DROPPED}
    stopped.send_signal(signal.SIGCONT)
    until(lambda: set(states(where, "claude")) == {UNREAD})
    done = command(*words, *ME)
    assert ("hello" in done.stdout, done.stderr) == (True, "")


@pytest.mark.parametrize("words", [(), ("--new",)])
def test_a_wait_that_ends_without_mail_says_it(
    where: Tree, stopped: subprocess.Popen[bytes], words: tuple[str, ...]
) -> None:
    post(where)
    done = command("wait", "--timeout", "0", *words, *ME)
    assert (done.returncode, done.stdout) == (3, "")
    assert re.fullmatch(f"{_late(stopped)}\n", done.stderr)


def test_status_says_it_of_my_mail_and_of_the_message(where: Tree, stopped: subprocess.Popen[bytes]) -> None:
    id_ = post(where)
    command("read", *ME)  # which waits for the router, in vain
    assert re.search(f"inbox: 0 messages unread; {_late(stopped)}\n", command("status", *ME).stdout)
    told = json.loads(command("status", "--json", *ME).stdout)["delay"]
    assert (told["count"], told["router"], told["oldest_s"] >= 1) == (1, stopped.pid, True)
    assert re.search(rf"dropped since \S+  the router \(pid {stopped.pid}\) has not", command("status", id_).stdout)
    assert "on its way" not in command("status", "--agent", "claude").stdout


def test_of_one_sender_only_what_is_asked_for_is_late(where: Tree, stopped: subprocess.Popen[bytes]) -> None:
    where.make(["codex"])
    post(where)
    post(where)
    assert command("read", "--from", "codex", *ME).stderr == ""
    assert re.fullmatch(
        rf"2 messages on their way; the router \(pid {stopped.pid}\) has not moved the oldest for \d+ s\n",
        command("read", *ME).stderr,
    )


def test_health_warns_of_a_router_that_moves_nothing(where: Tree, stopped: subprocess.Popen[bytes]) -> None:
    assert command("health").returncode == OK
    post(where)
    said: list[subprocess.CompletedProcess[str]] = []
    until(lambda: said.append(command("health", AI_BRIDGE_SWEEP_S="1")) or said[-1].returncode, 40)
    assert said[-1].returncode == NOTE
    assert re.search(f"gemini\n(  .*\n)*  warning: {_late(stopped)}; `ai-bridge restart`", said[-1].stdout)


# --- without a router of its own: the clock is ours --------------------------------------------------------


def _clock(monkeypatch: pytest.MonkeyPatch, now: float) -> None:
    class Clock:
        @staticmethod
        def time() -> float:
            return now

    monkeypatch.setattr(delay, "time", Clock)


def _dropped(where: Tree) -> tuple[str, float]:
    """Drop a message; returns its file, and when it came there."""
    name = f"{post(where)}.gemini.txt"
    path = where.outbox("claude").file(DROPPED, name)
    return path, os.lstat(path).st_ctime


@pytest.mark.parametrize("role", ["router", "reader"])
def test_what_came_a_moment_ago_is_not_late(where: Tree, monkeypatch: pytest.MonkeyPatch, role: str) -> None:
    _, came = _dropped(where)
    with Lock(where.lock_file("router", "gemini")) as lock:
        assert lock.acquire(role)
        _clock(monkeypatch, came + 0.9)
        assert delay.delay(where, "gemini") is None
        assert delay.delays(where) == {}
        _clock(monkeypatch, came + 75)
        found = delay.delay(where, "gemini")
        assert str(found) == f"1 message on its way; the {role} (pid {os.getpid()}) has not moved it for 1 min"
        assert delay.delay(where, "claude") is None


def test_mail_that_no_router_is_to_move_is_not_late(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    """A reader moves it itself, and `status` has said so before."""
    _, came = _dropped(where)
    _clock(monkeypatch, came + 3600)
    assert delay.delay(where, "gemini") is None
    assert delay.delays(where) == {}


def test_a_router_that_is_busy_with_other_mail_is_no_alarm(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, came = _dropped(where)
    where.make(["codex"])
    _clock(monkeypatch, came + 30)
    with Lock(where.lock_file("router", "gemini")) as lock:
        assert lock.acquire("router")

        def warned(moved: float) -> bool:
            for owner in where.agents():
                os.utime(where.outbox(owner).directory(PROCESSING), (came - 1000,) * 2)
            os.utime(where.outbox("codex").directory(PROCESSING), (moved,) * 2)
            (report,) = mail.examine(where, settings, ["gemini"])
            assert report.delay is not None
            assert any("has not moved it" in finding.sentence for finding in report.findings)
            return any(one.level == NOTE and "has not" in one.sentence for one in report.findings)

        assert warned(came - 1000)
        assert warned(came + 30 - 2 * settings.sweep_s)
        assert not warned(came + 31 - 2 * settings.sweep_s)
        assert not warned(came + 30)


def test_a_directory_that_is_gone_and_a_name_that_is_none_hinder_nobody(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, came = _dropped(where)
    _clock(monkeypatch, came + 30)
    os.rmdir(where.outbox("gemini").directory(PROCESSING))
    Path(path).with_name("claude-1.NOBODY.txt").write_text("x")
    with Lock(where.lock_file("router", "gemini")) as lock:
        assert lock.acquire("router")
        assert list(delay.delays(where)) == ["gemini"]
