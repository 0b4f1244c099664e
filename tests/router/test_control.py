"""Start, stop and recover real routers by their locks, and by the unit with which systemd runs one."""

from __future__ import annotations

import os
import shlex
import signal
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.errors import RouterRunning
from ai_bridge.health.mail import router_of
from ai_bridge.mailboxes.outbox import DROPPED, PROCESSING, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import control, log_tail, systemd
from ai_bridge.router.control import RouterFailed, RouterServesAll, RouterStays
from ai_bridge.router.served import ALL
from ai_bridge.system.locks import Holder, Lock
from tests.support.command import BY_ENTRY, command, refused
from tests.support.mail import post, states
from tests.support.wait import until

Processes = list[subprocess.Popen[bytes]]
Start = Callable[..., subprocess.Popen[bytes]]


@pytest.fixture
def start(where: Tree, processes: Processes) -> Start:
    """Start routers as processes: `start(only)` returns one once it is ready for all it serves."""

    def begin(only: str | None = None) -> subprocess.Popen[bytes]:
        words = [*BY_ENTRY, "router", "--mailboxes", where.path, *(["--agent", only] if only else [])]
        process = subprocess.Popen(words, stderr=subprocess.PIPE, start_new_session=True)
        processes.append(process)
        served = [only] if only else where.agents()
        until(lambda: process.poll() is not None or all(_serves(where, agent, process.pid) for agent in served))
        return process

    return begin


def _serves(where: Tree, agent: str, pid: int) -> bool:
    found = router_of(where, agent)
    return found is not None and found.ready and found.pid == pid


def _end(process: subprocess.Popen[bytes]) -> str:
    """Ask a router to end; returns what it logged."""
    process.terminate()
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 0, said
    return said


def _stranger(processes: Processes) -> subprocess.Popen[bytes]:
    """Start a process that has nothing to do with us."""
    processes.append(subprocess.Popen(["cat"], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0))
    return processes[-1]


def _is_unhurt(stranger: subprocess.Popen[bytes]) -> bool:
    """Tell whether no signal was sent to it: one that is on its way would come before the answer."""
    assert stranger.stdin is not None
    assert stranger.stdout is not None
    try:
        stranger.stdin.write(b"still here\n")
    except BrokenPipeError:
        return False
    return stranger.stdout.readline() == b"still here\n"


def _take(where: Tree, agent: str, serves: str) -> Lock:
    lock = Lock(where.lock_file("router", agent))
    assert lock.acquire("router", serves)
    return lock


# --- real processes -------------------------------------------------------------------------------------


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_ends_a_router_cleanly(where: Tree, start: Start, number: signal.Signals) -> None:
    process = start()
    for body in range(50):
        post(where, str(body))
    process.send_signal(number)
    said = process.communicate(timeout=60)[1].decode()
    assert process.returncode == 0
    assert "Traceback" not in said
    assert said.endswith("INFO router of claude, gemini stopped\n")
    found = states(where, "claude")
    assert PROCESSING not in found
    assert sum(map(len, found.values())) == 50


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT] * 2)
def test_a_signal_ends_a_router_whichever_of_its_threads_the_kernel_gives_it_to(
    where: Tree, start: Start, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    monkeypatch.setenv("AI_BRIDGE_SWEEP_S", "3600")
    process = start()
    process.send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, process.pid, os.WSTOPPED)
    process.send_signal(number)
    process.send_signal(signal.SIGCONT)
    assert process.wait(10) == 0


def test_what_a_killed_router_held_is_moved_by_the_next(where: Tree, start: Start) -> None:
    killed = start()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    id_ = post(where, "held")
    assert where.outbox("claude").move("claim", f"{id_}.gemini.txt")
    following = start()
    until(lambda: f"{id_}.gemini.txt" in states(where, "claude").get(UNREAD, []))
    assert f"WARNING release claude/{id_}.gemini.txt: a router that died had claimed it\n" in _end(following)


def test_a_killed_router_is_no_router_and_a_new_one_may_start(where: Tree, start: Start) -> None:
    killed = start()
    killed.send_signal(signal.SIGKILL)
    killed.wait()
    assert f"{killed.pid} router " in Path(where.lock_file("router", "gemini")).read_text()
    assert control.running(where) == []
    assert control.stop(where) == []
    following = start()
    assert [router.holder.pid for router in control.running(where)] == [following.pid]
    assert [router.holder.pid for router in control.stop(where)] == [following.pid]
    assert following.wait(60) == 0
    assert control.running(where) == []


def test_stop_ends_all_routers_or_that_of_one(where: Tree, start: Start) -> None:
    claude, gemini = start("claude"), start("gemini")
    assert {router.holder.pid: router.agents for router in control.running(where)} == {
        claude.pid: ["claude"],
        gemini.pid: ["gemini"],
    }
    assert [router.agents for router in control.stop(where, "gemini")] == [["gemini"]]
    assert gemini.wait(60) == 0
    assert claude.poll() is None
    control.stop(where)
    assert claude.wait(60) == 0


def test_a_router_that_is_not_ready_in_time_is_ended_again(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(control, "_START_S", 0.0)
    with pytest.raises(RouterFailed, match=r"the router did not start: it was not ready within 0 s; see .*log$"):
        control.start(where)
    assert control.running(where) == []


# --- who is signalled -----------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["{pid} router 2026-01-01T00:00:00Z ready all\n", "{pid}\n", "garbage"])
def test_a_process_that_holds_no_lock_is_never_signalled(where: Tree, processes: Processes, text: str) -> None:
    stranger = _stranger(processes)
    for agent in where.agents():
        os.makedirs(os.path.dirname(where.lock_file("router", agent)), exist_ok=True)
        Path(where.lock_file("router", agent)).write_text(text.format(pid=stranger.pid))
    assert control.running(where) == []
    assert control.stop(where) == []
    assert command("stop", "--mailboxes", where.path).stdout == "no router was running\n"
    assert _is_unhurt(stranger)


@pytest.mark.parametrize("pidfd", [True, False])
def test_a_number_that_changed_hands_meanwhile_is_never_signalled(
    where: Tree, processes: Processes, monkeypatch: pytest.MonkeyPatch, pidfd: bool
) -> None:
    stranger = _stranger(processes)
    seen = control.RunningRouter(Holder(stranger.pid, "router", ALL, "2026-01-01T00:00:00Z", True))
    seen.agents = ["claude"]
    monkeypatch.setattr(control, "running", lambda *_: [seen])
    if not pidfd:
        monkeypatch.delattr(os, "pidfd_open")
    lock = _take(where, "claude", ALL)
    assert control.stop(where) == [seen]
    lock.release()
    assert _is_unhurt(stranger)


@pytest.mark.parametrize("pidfd", [True, False])
def test_a_router_that_ended_by_itself_meanwhile_is_no_trouble(
    where: Tree, processes: Processes, monkeypatch: pytest.MonkeyPatch, pidfd: bool
) -> None:
    ended = _stranger(processes)
    ended.kill()
    ended.wait()
    seen = control.RunningRouter(Holder(ended.pid, "router", ALL, "2026-01-01T00:00:00Z", True))
    seen.agents = ["claude"]
    monkeypatch.setattr(control, "running", lambda *_: [seen])
    if not pidfd:
        monkeypatch.delattr(os, "pidfd_open")
    assert control.stop(where) == [seen]


def test_a_router_that_does_not_end_is_said_to_stay(
    where: Tree, start: Start, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_SWEEP_S", "0.1")  # a signal may go to another thread when all go on
    process = start()
    monkeypatch.setattr(control, "_STOP_S", 0.05)
    process.send_signal(signal.SIGSTOP)
    try:
        with pytest.raises(RouterStays, match=f"pid {process.pid}"):
            control.stop(where)
    finally:
        process.send_signal(signal.SIGCONT)
    assert process.wait(60) == 0


# --- who is who -----------------------------------------------------------------------------------------


def test_a_reader_that_makes_the_pass_is_no_router(where: Tree) -> None:
    lock = Lock(where.lock_file("router", "gemini"))
    assert lock.acquire("reader", "gemini")
    assert control.running(where) == []
    lock.release()


def test_one_agent_of_a_router_of_all_is_not_stopped_alone(where: Tree) -> None:
    lock = _take(where, "gemini", ALL)
    with pytest.raises(RouterServesAll, match=f"gemini is served by the router of all agents .*pid {os.getpid()}"):
        control.stop(where, "gemini")
    lock.release()


def test_an_agent_that_is_called_all_may_have_a_router_of_its_own(where: Tree, start: Start) -> None:
    where.make(["all"])
    process = start("all")
    with pytest.raises(RouterRunning, match=r"a router of all runs already .*`ai-bridge stop --agent all` stops it"):
        control.start(where, "all")
    assert control.log_file(where, "all") != control.log_file(where, None)
    assert [router.agents for router in control.stop(where, "all")] == [["all"]]
    assert process.wait(60) == 0


def test_the_tail_of_a_log_is_its_last_lines(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_bytes(b"1\n2\n\xff\n")
    assert "".join(log_tail.log_lines(str(log), 2, follow=False)) == "2\n\ufffd\n"


@pytest.mark.parametrize(("lines", "shown"), [(1, "6"), (2, "56"), (3, "456"), (5, "23456"), (9, "123456")])
def test_the_tail_of_a_log_reaches_back_into_rotated_files(tmp_path: Path, lines: int, shown: str) -> None:
    for name, text in (("log", "5\n6\n"), ("log.1", "3\n4\n"), ("log.2", "1\n2\n")):
        (tmp_path / name).write_text(text)
    found = "".join(log_tail.log_lines(str(tmp_path / "log"), lines, follow=False))
    assert found == "".join(f"{line}\n" for line in shown)


def test_the_tail_counts_a_log_once_that_is_rotated_while_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log = tmp_path / "log"
    log.write_text("1\n2\n")
    opened = log_tail._open_text

    def and_rotate(path: str) -> object:
        file = opened(path)
        if log.exists():
            log.rename(tmp_path / "log.1")
        return file

    monkeypatch.setattr(log_tail, "_open_text", and_rotate)
    assert "".join(log_tail.log_lines(str(log), 9, follow=False)) == "1\n2\n"


def test_the_lines_about_an_agent_are_not_those_about_another_of_a_longer_name(tmp_path: Path) -> None:
    wanted = [
        "router of claude, gemini started",
        "deliver claude/claude-2026-x.gemini.txt",
        "deliver gemini/g.claude.txt",
    ]
    others = [
        "deliver claude-2/claude-2-2026-x.gemini.txt",
        "deliver gemini/g.claude@web.txt",
        "now also router of x",
    ]
    (tmp_path / "log").write_text("".join(f"{line}\n" for line in (*wanted, *others)))
    found = "".join(log_tail.log_lines(str(tmp_path / "log"), 9, follow=False, agent="claude"))
    assert found.splitlines() == wanted


# --- the unit of systemd ----------------------------------------------------------------------------------


def _by_unit(unit: str, home: Path) -> subprocess.CompletedProcess[str]:
    """Run one pass as systemd would run the unit: with its command and the environment it names, and no other."""
    found = {key: shlex.split(line) for key, _, line in (line.partition("=") for line in unit.splitlines())}
    words = [word.replace("%%", "%").replace("$$", "$") for word in found["ExecStart"]]
    environment = dict(word.replace("%%", "%").partition("=")[::2] for word in found.get("Environment", []))
    return subprocess.run(
        [*words, "--once"],
        env={"HOME": str(home), **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_unit_runs_a_router_of_just_these_mailboxes(tmp_path: Path) -> None:
    where = Tree(str(tmp_path / '50% of "our" $HOME'))
    where.make(["claude", "gemini"])
    post(where, "x")
    post(where, "y", to="claude", sender="gemini")
    done = _by_unit(systemd.unit(where, "gemini")[1], tmp_path / "home")
    assert done.returncode == 0, done.stderr
    assert set(states(where, "claude")) == {UNREAD}
    assert set(states(where, "gemini")) == {DROPPED}


def test_the_units_router_keeps_to_the_locks_that_all_others_use(where: Tree, tmp_path: Path) -> None:
    other = _take(where, "gemini", "gemini")
    refused(_by_unit(systemd.unit(where, "gemini")[1], tmp_path / "home"), "a router of gemini runs already")
    other.release()


def test_a_unit_that_cannot_start_is_not_tried_each_second(where: Tree) -> None:
    lines = systemd.unit(where, None)[1].splitlines()
    (pause,) = [int(line.partition("=")[2]) for line in lines if line.startswith("RestartSec=")]
    assert pause >= 10
    assert lines.index("StartLimitIntervalSec=0") < lines.index("[Service]")  # systemd.unit(5): it is of [Unit]
