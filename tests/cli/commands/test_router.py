"""start, stop, restart, status, health, logs and install-service, through the real `ai-collab` and real routers."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router import control
from ai_bridge.system.locks import Lock
from tests.support.command import BY_ENTRY, command, refused
from tests.support.machine import TOWER
from tests.support.mail import post, states
from tests.support.wait import until


@pytest.fixture(autouse=True)
def _no_router_stays(where: Tree, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    yield
    control.stop(where)


def _collab(*words: str) -> subprocess.CompletedProcess[str]:
    script = Path(sys.executable).with_name("ai-collab")
    return subprocess.run([script, *words], capture_output=True, text=True, timeout=60, check=False)


def _told(*words: str) -> list[dict[str, object]]:
    done = _collab(*words, "--json")
    assert done.stderr == ""
    return [json.loads(line) for line in done.stdout.splitlines()]


def _running(where: Tree) -> list[tuple[int, list[str]]]:
    return [(router.holder.pid, router.agents) for router in control.running(where)]


# --- start and stop ---------------------------------------------------------------------------------------


def test_start_returns_once_a_router_serves_in_the_background(where: Tree) -> None:
    done = _collab("start")
    ((pid, agents),) = _running(where)
    assert agents == ["claude", "gemini"]
    assert (done.returncode, done.stdout, done.stderr) == (0, f"router of all agents started, pid {pid}\n", "")
    assert os.getsid(pid) == pid
    id_ = post(where, "hello")
    until(lambda: states(where, "claude") == {UNREAD: [f"{id_}.gemini.txt"]})


def test_start_and_stop_in_json(where: Tree) -> None:
    (started,) = _told("start", "--agent", "gemini")
    assert started == {
        "pid": _running(where)[0][0],
        "serves": "gemini",
        "log": control.log_file(where, "gemini"),
    }
    assert _told("stop") == [{"pid": started["pid"], "agents": ["gemini"]}]
    assert _told("stop") == []


@pytest.mark.parametrize(
    ("first", "second", "stop"),
    [
        ((), (), "`ai-collab stop`"),
        ((), ("--agent", "gemini"), "`ai-collab stop`"),
        (("--agent", "gemini"), ("--agent", "gemini"), "`ai-collab stop --agent gemini`"),
    ],
)
def test_a_second_router_is_refused_by_the_name_of_the_first(
    where: Tree, first: tuple[str, ...], second: tuple[str, ...], stop: str
) -> None:
    _collab("start", *first)
    ((pid, _),) = before = _running(where)
    whose = "all agents" if not first else "gemini"
    said = (f"error: a router of {whose} runs already (router, pid {pid}, since 20", f"{stop} stops it\n")
    refused(_collab("start", *second), *said)
    for other in (command("router", *second), command("start", *second)):
        refused(other, said[0], said[1].replace("ai-collab", "ai-bridge"))
    assert _running(where) == before


def test_routers_of_their_own_are_not_called_a_router_of_all(where: Tree) -> None:
    command("start", "--agent", "claude")
    started = command("start")
    ((_, agents), (gemini, _)) = _running(where)
    assert agents == ["claude"]
    assert started.stdout == f"router of gemini (beside that of claude) started, pid {gemini}\n"
    command("stop")
    for agent in ("claude", "gemini"):
        command("start", "--agent", agent)
    pids = ", ".join(f"pid {pid}" for pid in sorted(pid for pid, _ in _running(where)))
    refused(command("start"), f"error: routers of claude, gemini run already ({pids}): `ai-bridge stop` stops them")


def test_each_agent_may_have_a_router_of_its_own(where: Tree) -> None:
    for agent in ("claude", "gemini"):
        assert _collab("start", "--agent", agent).returncode == 0
    (claude, _), (gemini, _) = _running(where)
    done = _collab("stop", "--agent", "claude")
    assert done.stdout == f"router of claude stopped, pid {claude}\n"
    assert _running(where) == [(gemini, ["gemini"])]
    _collab("start")
    assert len(_running(where)) == 2
    assert _collab("stop").returncode == 0
    assert _running(where) == []


def test_stop_without_a_router_says_so(where: Tree) -> None:
    done = _collab("stop")
    assert (done.returncode, done.stdout, done.stderr) == (0, "no router was running\n", "")
    refused(_collab("stop", "--agent", "gmini"), "did you mean gemini?")


def test_one_agent_of_a_router_of_all_is_not_stopped(where: Tree) -> None:
    _collab("start")
    before = _running(where)
    refused(_collab("stop", "--agent", "claude"), "claude is served by the router of all agents", "`ai-collab stop`")
    assert _running(where) == before


def test_restart_puts_a_new_router_in_the_place_of_all(where: Tree) -> None:
    assert _collab("restart").returncode == 0
    ((first, _),) = _running(where)
    assert _collab("restart").returncode == 0
    ((second, agents),) = _running(where)
    assert second != first
    assert agents == ["claude", "gemini"]


@pytest.mark.parametrize("broken", ["variable", "state", "home"])
def test_restart_stops_no_router_unless_the_new_one_would_start(
    where: Tree, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    monkeypatch.setenv("AI_BRIDGE_SWEEP_S", "3600")  # it ends by itself at a sweep that finds nobody who lives here
    assert command("start").returncode == 0
    before = _running(where)
    says = {
        "variable": "setting pair_per_hour in AI_BRIDGE_PAIR_PER_HOUR is 'many'",
        "state": f"{control.log_file(where, None)}: it is a directory",
        "home": "no agent of",
    }[broken]
    if broken == "variable":
        monkeypatch.setenv("AI_BRIDGE_PAIR_PER_HOUR", "many")
    elif broken == "state":
        os.unlink(control.log_file(where, None))
        os.mkdir(control.log_file(where, None))
    else:
        for agent in where.agents():
            Path(where.path, "agents", f"{agent}.md").write_text(f"---\nname: {agent}\nhome: {TOWER}\n---\n")
    refused(command("restart"), "error: nothing was stopped, because a new router would not start: ", says)
    assert _running(where) == before


def test_a_slip_in_the_settings_file_does_not_keep_a_router_from_a_restart(where: Tree) -> None:
    assert command("start").returncode == 0
    ((first, _),) = _running(where)
    Path(where.path, "settings.toml").write_text("pair_per_hours = 5\n")
    assert command("restart").returncode == 0
    ((second, _),) = _running(where)
    assert second != first


def test_a_check_serves_nobody_and_logs_nothing(where: Tree, tmp_path: Path) -> None:
    log = tmp_path / "log"
    Path(where.path, "settings.toml").write_text("pair_per_hours = 5\n")
    post(where, "x")
    done = command("router", "--check", "--log", str(log))
    assert (done.returncode, done.stdout, done.stderr, log.read_text()) == (0, "", "", "")
    assert set(states(where, "claude")) == {DROPPED}
    assert [name for name in os.listdir(os.path.dirname(where.lock_file("trial", "x"))) if "trial" in name] == []


def test_who_starts_it_is_not_whom_it_serves(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_AGENT", "gemini")
    assert _collab("start").stdout.startswith("router of all agents started")
    assert [agents for _, agents in _running(where)] == [["claude", "gemini"]]


def test_a_state_directory_named_from_here_is_the_routers_too(
    where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    # Named so that a router which takes it from its own working directory stays within the test's own.
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "elsewhere").lstrip("/"))
    assert _collab("start").returncode == 0
    assert not (tmp_path / "elsewhere").exists()
    assert _collab("stop").stdout.startswith("router of claude, gemini stopped")


def test_a_router_that_does_not_start_leaves_its_last_words(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_SWEEP_S", "0")
    refused(_collab("start"), "the router did not start: setting sweep_s in ", control.log_file(where, None))


def test_a_router_starts_in_spite_of_a_mistake_in_a_settings_file_and_logs_it(where: Tree) -> None:
    Path(where.path, "settings.toml").write_text("pair_per_hours = 5\n")
    assert _collab("start").returncode == 0
    said = (
        f"WARNING there is no setting pair_per_hours (in {where.path}/settings.toml:1) (did you mean pair_per_hour?)"
    )
    assert said in _collab("logs").stdout


# --- status and health ------------------------------------------------------------------------------------


def test_status_tells_the_routers_and_what_waits(where: Tree) -> None:
    post(where, "x", to="claude", sender="gemini")
    _collab("start", "--agent", "gemini")
    ((pid, _),) = _running(where)
    claude, gemini = _collab("status").stdout.splitlines()
    assert claude == "claude: no router; 0 unread, 1 on its way; 0 waiting in the outbox"
    assert re.fullmatch(rf"gemini: router, pid {pid}, since \S+; 0 unread; 1 waiting in the outbox", gemini)
    told = _told("status", "--agent", "gemini")
    assert [list(one) for one in told] == [
        ["agent", "router", "dropped", "processing", "held", "malformed", "unread", "coming", "level", "findings"]
    ]
    assert (told[0]["router"], told[0]["level"], told[0]["findings"]) == (pid, "healthy", [])


def test_health_is_zero_with_routers_and_one_without(where: Tree) -> None:
    without = _collab("health")
    assert (without.returncode, without.stderr) == (1, "")
    assert without.stdout.count("no router runs") == 1
    assert re.search(r"^router: no router runs: mail is delivered .*; `ai-bridge start`$", without.stdout, re.M)
    _collab("start")
    healthy = _collab("health")
    assert (healthy.returncode, healthy.stdout.splitlines()[-1]) == (0, "healthy")
    assert "\x1b" not in healthy.stdout
    assert _told("health")[-1] == {"level": "healthy"}
    assert [one["agent"] for one in _told("health")[:-1] if "agent" in one] == ["claude", "gemini"]


def test_health_is_one_while_readers_deliver_and_two_once_a_router_does_not(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AI_BRIDGE_STUCK_S", "1")
    post(where, "stuck")
    until(lambda: "not picked up" in _collab("health").stdout)
    shown = _collab("health", "--agent", "claude")
    assert shown.returncode == 1
    assert re.search(
        r"warning: 1 not picked up for \d+ s, because no router runs .*: `ai-bridge start`", shown.stdout
    )
    assert _told("health")[-1] == {"level": "warning"}
    with Lock(where.lock_file("router", "gemini")) as lock:
        assert lock.acquire("router", "gemini")  # it does nothing
        shown = _collab("health", "--agent", "claude")
        assert shown.returncode == 2
        assert re.search(r"critical: 1 not picked up for \d+ s although .*: `ai-bridge restart`", shown.stdout)
        assert _told("health")[-1] == {"level": "critical"}


def test_mailboxes_without_agents_are_not_well(tmp_path: Path) -> None:
    Tree(str(tmp_path / "new")).make([])
    done = _collab("health", "--mailboxes", str(tmp_path / "new"))
    assert (done.returncode, done.stdout.splitlines()[1:]) == (
        2,
        ["no agents yet: run `ai-bridge init`", "critical"],
    )


# --- logs -------------------------------------------------------------------------------------------------


def test_logs_shows_the_last_lines(where: Tree) -> None:
    nothing = _collab("logs")
    assert (nothing.returncode, nothing.stdout) == (0, "")
    assert nothing.stderr == f"nothing is logged yet in {control.log_file(where, None)}\n"
    _collab("start")
    id_ = post(where, "x")
    until(lambda: UNREAD in states(where, "claude"))
    _collab("stop")
    assert re.search(r"INFO router of claude, gemini started, pid \d+\n", _collab("logs").stdout)
    last = _collab("logs", "-n", "2").stdout.splitlines()
    stamp = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z"
    assert re.fullmatch(rf"{stamp} INFO deliver claude/{id_}\.gemini\.txt", last[0])
    assert re.fullmatch(rf"{stamp} INFO router of claude, gemini stopped", last[1])


def test_a_router_started_with_json_logs_json(where: Tree) -> None:
    _collab("start", "--json")
    id_ = post(where, "x")
    until(lambda: "deliver" in _collab("logs").stdout)
    (step,) = [line for line in map(json.loads, _collab("logs").stdout.splitlines()) if "verb" in line]
    assert list(step) == ["time", "level", "message", "verb", "sender", "file", "why"]
    assert (step["verb"], step["sender"], step["file"]) == ("deliver", "claude", f"{id_}.gemini.txt")


def test_logs_of_an_agent_are_lines_of_the_router_that_serves_it(where: Tree) -> None:
    nothing = command("logs", "--agent", "claude")
    assert nothing.stderr == f"nothing is logged yet in {control.log_file(where, 'claude')}\n"
    command("start")
    id_ = post(where, "x")
    until(lambda: UNREAD in states(where, "claude"))
    shown = command("logs", "--agent", "claude")
    assert shown.stderr == "the lines about claude in the log of the router of all agents:\n"
    assert f"INFO deliver claude/{id_}.gemini.txt\n" in shown.stdout
    command("stop")
    assert "router of claude, gemini stopped" in command("logs", "--agent", "claude", "-n", "1").stdout
    command("start", "--agent", "claude")
    shown = command("logs", "--agent", "claude")
    assert (shown.stderr, "router of claude started" in shown.stdout) == ("", True)
    assert "gemini" not in shown.stdout


@pytest.mark.parametrize("umask", [0, 0o022])
def test_a_log_is_for_its_user_alone_whatever_the_umask_and_whatever_it_was(where: Tree, umask: int) -> None:
    log = Path(control.log_file(where, None))
    log.parent.mkdir(parents=True)
    for old in (log, Path(f"{log}.1"), Path(f"{log}.stderr")):
        old.write_text("old\n" * 3000)
        old.chmod(0o644)
    before = os.umask(umask)
    try:
        assert command("start", AI_BRIDGE_LOG_BYTES="10000").returncode == 0
    finally:
        os.umask(before)
    post(where, "hello")
    until(lambda: Path(f"{log}.2").exists())
    modes = {file.name: file.stat().st_mode & 0o777 for file in log.parent.iterdir()}
    assert modes == dict.fromkeys(modes, 0o600)
    assert {"router.log", "router.log.1", "router.log.stderr"} <= set(modes)


def test_logs_follows_a_log_and_loses_no_line(where: Tree, processes: list[subprocess.Popen[bytes]]) -> None:
    log = Path(control.log_file(where, None))
    log.parent.mkdir(parents=True)
    log.write_text("x" * 200_000 + "\n")  # more than a pipe takes at once
    following = subprocess.Popen([*BY_ENTRY, "logs", "-f"], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    processes.append(following)
    assert following.stdout is not None
    assert following.stderr is not None
    seen = [following.stdout.read(1)]  # so it has read the log, and stands in the middle of printing it
    with log.open("a") as file:
        file.write("while it printed\n")
    os.set_blocking(following.stdout.fileno(), False)
    until(lambda: _has_come(following, seen, b"x\nwhile it printed\n"))
    following.send_signal(signal.SIGSTOP)
    with log.open("a") as file:
        file.write("just before the rotation\n")
    log.rename(f"{log}.1")
    log.write_text("after it\n")
    following.send_signal(signal.SIGCONT)
    until(lambda: _has_come(following, seen, b"just before the rotation\nafter it\n"))
    following.send_signal(signal.SIGINT)
    assert following.wait(60) == 130
    assert following.stderr.read() == b""


def _has_come(process: subprocess.Popen[bytes], seen: list[bytes], wanted: bytes) -> bool:
    assert process.stdout is not None
    seen.append(process.stdout.read() or b"")
    return b"".join(seen).endswith(wanted)


# --- install-service --------------------------------------------------------------------------------------


def test_install_service_writes_a_unit_and_replaces_none_unasked(where: Tree, tmp_path: Path) -> None:
    (told,) = _told("install-service")
    path = Path(str(told["path"]))
    assert path.parent == tmp_path / "home" / ".config" / "systemd" / "user"
    assert (told["written"], told["unit"]) == (True, path.read_text())
    assert f"# {path} (unchanged)\n" in _collab("install-service").stdout
    path.write_text("mine")
    refused(_collab("install-service"), f"{path} exists with other content", "--force")
    assert path.read_text() == "mine"
    shown = _collab("install-service", "--force").stdout
    enable = f"systemctl --user daemon-reload && systemctl --user enable --now {path.name}"
    assert f"To use it: ai-bridge stop && {enable}\n" in shown
    assert shown.endswith(": loginctl enable-linger\n")
    assert "ai-bridge stop --agent claude && " in _collab("install-service", "--agent", "claude").stdout
    assert path.read_text() == told["unit"]
