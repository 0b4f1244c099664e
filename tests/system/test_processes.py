"""The processes around this one: keys that no later process has, and a program that starts and can be completed."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge.system import processes as processes_
from ai_bridge.system.processes import ancestor_keys, is_gone, own_key, parent_key, pip_command, program
from tests.support.checkout import ROOT

KEYS = "from ai_bridge.system.processes import *\nprint(own_key(), parent_key(), *ancestor_keys(8), sep='\\n')\n"


def child(*before: str) -> list[str]:
    """Return the keys a child process finds: its own, its parent's, and those of all it descends from."""
    words = [*before, sys.executable, "-P", "-c", f"import sys; sys.path.insert(0, {str(ROOT)!r})\n{KEYS}"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    return done.stdout.splitlines()


def test_a_child_finds_its_parent_and_all_it_descends_from() -> None:
    own, parent, *ancestors = child()
    assert parent == ancestors[0] == own_key()
    assert ancestors[1] == parent_key() == ancestor_keys(8)[0]
    assert own not in [parent, *ancestors]


def test_a_shell_between_is_an_ancestor_too() -> None:
    _, parent, *ancestors = child("sh", "-c", '"$@"; :', "sh")
    assert parent != own_key()
    assert ancestors[:2] == [parent, own_key()]


def started_by(*before: str) -> str:
    """Return the key a child process finds for the program that started it."""
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom ai_bridge.system.processes import *\n"
    words = [*before, sys.executable, "-P", "-c", f"{script}print(starter_key(2))"]
    return subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()


def test_the_program_that_started_a_process_is_found_with_and_without_a_shell_between() -> None:
    assert started_by() == own_key()
    for shell in ("sh", "bash"):
        assert started_by(shell, "-c", '"$@"; :', "sh") == own_key()


def test_a_program_that_is_no_shell_is_not_passed_over() -> None:
    script = "import subprocess, sys; subprocess.run(sys.argv[1:])"
    assert started_by(sys.executable, "-c", script) != own_key()


def test_of_shells_in_shells_only_so_many_are_passed_over() -> None:
    assert started_by("sh", "-c", '"$@"; :', "sh", "sh", "-c", '"$@"; :', "sh") != own_key()


def test_a_process_keeps_its_key_and_no_two_have_the_same() -> None:
    assert own_key() == own_key()
    assert len({child()[0] for _ in range(3)} | {own_key()}) == 4


def test_a_later_process_of_the_same_number_has_another_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = own_key()
    status = processes_._status(os.getpid())
    later = [*status[:19], str(int(status[19]) + 1), *status[20:]]
    monkeypatch.setattr(processes_, "_status", lambda pid: later)
    assert own_key() != before


def test_a_strange_name_of_a_process_confuses_nothing(tmp_path: Path) -> None:
    strange = tmp_path / "a) S 1 ("
    os.symlink("/bin/sh", strange)
    _, parent, *ancestors = child(str(strange), "-c", '"$@"; :', "sh")
    assert ancestors[:2] == [parent, own_key()]


def test_where_the_system_tells_nothing_the_number_has_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes_, "_status", lambda pid: [])
    assert parent_key() == f"process {os.getppid()}"
    assert ancestor_keys(8) == [parent_key()]


def test_however_deep_it_is_a_bounded_number_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(processes_, "_status", lambda pid: ["S", str(pid + 1), *["0"] * 18])
    assert [len(ancestor_keys(most)) for most in (1, 8)] == [1, 8]


def test_the_program_starts_from_anywhere_without_a_path(tmp_path: Path) -> None:
    done = subprocess.run(
        [*program(), "--help"], cwd=tmp_path, env={"HOME": str(tmp_path)}, capture_output=True, text=True, check=True
    )
    assert "send" in done.stdout


def test_where_no_script_is_installed_the_module_is_run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    assert program() == [str(tmp_path / "python"), "-P", "-m", "ai_bridge"]


def test_a_process_that_ended_is_gone_and_what_is_no_process_is_not() -> None:
    assert not is_gone(own_key())
    assert not is_gone("a session's name")
    assert is_gone(child()[0])


# --- what completes this program --------------------------------------------------------------------------


def test_a_missing_distribution_comes_by_this_interpreters_pip_in_a_version_that_is_asked_for() -> None:
    python, *words = shlex.split(pip_command("nats-py"))
    assert python == sys.executable
    assert words == ["-m", "pip", "install", "nats-py[nkeys]>=2.11"]
    assert shlex.split(pip_command("mcp"))[-1] == "mcp<3,>=2.3"
    dry = [*shlex.split(pip_command("watchdog")), "--dry-run", "--no-deps", "--no-index"]
    assert subprocess.run(dry, capture_output=True, check=False).returncode == 0


def test_an_environment_of_pipx_is_completed_by_pipx(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    made = tmp_path / "ai-bridge"
    made.mkdir()
    (made / "pipx_metadata.json").write_text("{}")
    monkeypatch.setattr(sys, "prefix", str(made))
    assert pip_command("nats-py") == "pipx inject --force ai-bridge 'nats-py[nkeys]>=2.11'"


def test_without_metadata_the_bare_name_has_to_do() -> None:
    script = f"import sys; sys.path.insert(0, {str(ROOT)!r})\nfrom ai_bridge.system import processes\n"
    words = [sys.executable, "-S", "-P", "-c", script + "print(processes.pip_command('nats-py'))"]
    done = subprocess.run(words, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("-m pip install nats-py\n")


AGAIN = """\
import os, signal, sys
from pathlib import Path
from ai_bridge.system import processes, signals

def note(*_):
    with open(sys.argv[1], "a") as file:
        file.write(f"{os.getpid()} ended in turn {turn}\\n")
    sys.exit(0)

mark = Path(sys.argv[1] + ".turn")
turn = 2 if mark.exists() else 1
mark.touch()
if turn == 1:
    signal.signal(signal.SIGTERM, lambda *_: None)
    wanted = sys.argv[2] == "wanted"
    processes.start_again(lambda: (os.kill(os.getpid(), signal.SIGTERM), wanted)[1])
    print("it went on")
else:
    signal.signal(signal.SIGTERM, note)
    signals.unblock()
    print("the signal was lost")
"""


def test_a_signal_that_comes_while_the_program_starts_again_ends_the_new_one(tmp_path: Path) -> None:
    log = tmp_path / "log"
    process = subprocess.Popen([sys.executable, "-c", AGAIN, str(log), "wanted"], cwd=ROOT, stdout=subprocess.PIPE)
    output, _ = process.communicate(timeout=20)
    assert (process.returncode, output) == (0, b"")
    assert log.read_text() == f"{process.pid} ended in turn 2\n"


def test_a_program_that_is_told_to_end_does_not_start_again(tmp_path: Path) -> None:
    words = [sys.executable, "-c", AGAIN, str(tmp_path / "log"), "not wanted"]
    done = subprocess.run(words, cwd=ROOT, capture_output=True, check=True)
    assert done.stdout == b"it went on\n"


@pytest.mark.parametrize(("words", "said"), [(["--version"], ""), (["nothing"], "No such command")])
def test_a_trial_runs_the_program_in_the_same_way_with_other_words(words: list[str], said: str) -> None:
    script = (
        "import sys\n"
        "sys.orig_argv = [sys.executable, '-P', '-m', 'ai_bridge', 'router', '--poll']\n"
        "sys.argv = ['ai_bridge', 'router', '--poll']\n"
        "from ai_bridge.system.processes import trial\n"
        f"print(trial(*{words!r}))\n"
    )
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, check=True, text=True)
    assert said in done.stdout
    assert bool(done.stdout.strip()) is bool(said)
