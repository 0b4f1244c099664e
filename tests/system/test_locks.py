"""Locks: one holder at a time, freed by its death, and its text is believed only while it is held."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from ai_bridge.system import durable, locks
from ai_bridge.system.locks import Holder, Lock, holder

_HOLD = """
import sys
from ai_bridge.system.locks import Lock
lock = Lock(sys.argv[1])
print(lock.acquire("router", "gemini"), flush=True)
sys.stdin.read()
"""

Processes = list[subprocess.Popen[bytes]]


@pytest.fixture
def path(tmp_path: Path) -> str:
    return str(tmp_path / "locks" / "router-gemini.lock")


def _hold(path: str, processes: Processes) -> subprocess.Popen[bytes]:
    """Start a process that holds the lock."""
    words = [sys.executable, "-c", _HOLD, path]
    process = subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    processes.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == b"True\n"
    return process


def test_one_holds_it_and_the_others_are_told_who(path: str, processes: Processes) -> None:
    process = _hold(path, processes)
    assert not Lock(path).acquire("router", "gemini", patience_s=0)
    found = holder(path)
    assert found is not None
    assert (found.pid, found.role, found.serves, found.ready) == (process.pid, "router", "gemini", False)
    assert str(found) == f"router, pid {process.pid}, since {found.since}"


def test_a_lock_is_freed_by_the_death_of_its_holder(path: str, processes: Processes) -> None:
    process = _hold(path, processes)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert Path(path).read_text().startswith(f"{process.pid} router ")
    assert holder(path) is None
    lock = Lock(path)
    assert lock.acquire("reader", "gemini", patience_s=0)
    assert f"{os.getpid()} reader " in Path(path).read_text()
    lock.release()


def test_a_lock_is_not_handed_down_to_children(path: str, processes: Processes) -> None:
    lock = Lock(path)
    assert lock.acquire("router")
    processes.append(subprocess.Popen(["sleep", "60"], close_fds=False))
    lock.release()
    assert holder(path) is None


def test_release_empties_the_text_and_does_no_harm_twice(path: str) -> None:
    lock = Lock(path)
    lock.release()
    assert lock.acquire("router")
    assert lock.held
    lock.release()
    lock.release()
    assert not lock.held
    assert Path(path).read_text() == ""
    assert lock.acquire("router", patience_s=0)
    lock.release()


@pytest.mark.parametrize(
    "text", ["", "garbage", "\0\xff" * 300, f"{os.getppid()} router 2026-01-01T00:00:00Z ready all"]
)
def test_text_without_a_lock_is_not_believed(path: str, text: str) -> None:
    os.makedirs(os.path.dirname(path))
    Path(path).write_bytes(text.encode("latin-1"))
    assert holder(path) is None
    lock = Lock(path)
    assert lock.acquire("router", "gemini", patience_s=0)
    lock.release()


def test_without_a_file_nobody_holds_it_and_none_is_made(path: str) -> None:
    assert holder(path) is None
    assert not os.path.exists(path)


@pytest.mark.parametrize("text", ["", "garbage", "12", "x router 2026 ready", "² router 2026 ready", "\0" * 600])
def test_a_holder_whose_text_cannot_be_read_is_just_starting(path: str, text: str) -> None:
    lock = Lock(path)
    assert lock.acquire("router")
    Path(path).write_text(text)
    found = holder(path)
    assert found is not None
    assert (found.pid, found.role, found.ready, str(found)) == (0, "unknown", False, "just starting")
    lock.release()


def test_what_a_router_serves_may_have_spaces_and_readiness_is_told(path: str) -> None:
    lock = Lock(path)
    assert lock.acquire("router", "a")
    lock.describe("router", "a b", ready=True)
    found = holder(path)
    assert found is not None
    assert (found.serves, found.ready) == ("a b", True)
    lock.release()


def test_a_router_is_never_unknown_while_it_describes_itself_anew(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    lock = Lock(path)
    assert lock.acquire("router", "gemini")
    seen: list[Holder | None] = []

    class LookingOs:
        """Passes everything on, and looks who holds the lock after every call."""

        def __getattr__(self, name: str) -> object:
            real = getattr(os, name)

            def call(*words: object) -> object:
                result = real(*words)
                seen.append(holder(path))
                return result

            return call if name in ("ftruncate", "lseek", "write", "pwrite") else real

    monkeypatch.setattr(durable, "os", LookingOs())
    lock.describe("router", "gemini", ready=True)
    monkeypatch.undo()
    lock.release()
    assert seen
    assert {found.role for found in seen if found} == {"router"}


def test_patience_outlasts_a_probe(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    probe = Lock(path)
    assert probe.acquire("probe")
    monkeypatch.setattr(locks.time, "sleep", lambda _: probe.release())
    lock = Lock(path)
    assert lock.acquire("router", patience_s=60)
    lock.release()


def test_patience_ends(path: str) -> None:
    other = Lock(path)
    assert other.acquire("router")
    assert not Lock(path).acquire("router", patience_s=0.02)
    other.release()


def test_only_the_holder_may_describe_itself(path: str) -> None:
    with pytest.raises(RuntimeError, match="is not held"):
        Lock(path).describe("router", "gemini")


def test_a_lock_that_cannot_be_described_is_not_kept(path: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "rewrite", full)
    before = len(os.listdir("/proc/self/fd"))
    lock = Lock(path)
    with pytest.raises(OSError, match="No space"):
        lock.acquire("router")
    assert not lock.held
    assert holder(path) is None
    assert len(os.listdir("/proc/self/fd")) == before


def test_a_lock_file_that_is_a_symbolic_link_is_not_followed(path: str, tmp_path: Path) -> None:
    os.makedirs(os.path.dirname(path))
    (tmp_path / "precious").write_text("kept")
    os.symlink(tmp_path / "precious", path)
    with pytest.raises(OSError, match="symbolic link"):
        Lock(path).acquire("router")
    assert (tmp_path / "precious").read_text() == "kept"


def test_eight_processes_take_turns(path: str, tmp_path: Path, processes: Processes) -> None:
    script = (
        "import sys\nfrom ai_bridge.system.locks import Lock\nfor _ in range(25):\n"
        "    lock = Lock(sys.argv[1])\n    assert lock.acquire('router', patience_s=60)\n"
        "    n = int(open(sys.argv[2]).read())\n    open(sys.argv[2], 'w').write(str(n + 1))\n    lock.release()\n"
    )
    counter = tmp_path / "counter"
    counter.write_text("0")
    processes += [subprocess.Popen([sys.executable, "-c", script, path, str(counter)]) for _ in range(8)]
    assert [process.wait(100) for process in processes] == [0] * 8
    assert counter.read_text() == "200"


def test_a_lock_that_another_thread_releases_while_it_is_asked_about_is_not_in_place(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = Lock(str(tmp_path / "x.lock"))
    assert lock.acquire("session")
    real = os.stat

    def release_first(path: str) -> os.stat_result:
        monkeypatch.setattr(os, "stat", real)
        lock.release()
        return real(path)

    monkeypatch.setattr(os, "stat", release_first)
    assert not lock.is_in_place()
