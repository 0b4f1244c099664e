"""A machine's ID: unique, the same for good, and the same for all who ask first at once."""

from __future__ import annotations

import os
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from ai_bridge.machines import this_machine


def test_a_machine_has_one_id_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: "Aragon.example.org")
    made = this_machine.here()
    monkeypatch.setattr("socket.gethostname", lambda: "renamed")
    assert made == this_machine.here()
    assert made.startswith("aragon-")
    assert this_machine.is_home(made)


def test_machines_of_the_same_name_have_different_ids(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = set()
    for number in range(20):
        monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / str(number)))
        found.add(this_machine.here())
    assert len(found) == 20


@pytest.mark.parametrize("name", ["", "...", "Ünïcode", "123", "x" * 100])
def test_any_host_name_gives_an_id_that_can_name_a_file(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.setattr("socket.gethostname", lambda: name)
    assert this_machine.is_home(this_machine.here())
    assert len(this_machine.here()) < 40


def test_whoever_asks_at_once_gets_the_same(tmp_path: Path) -> None:
    script = "from ai_bridge.machines import this_machine; print(this_machine.here())"

    def ask(_: int) -> str:
        return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True).stdout

    with ThreadPoolExecutor(8) as pool:
        assert len(set(pool.map(ask, range(8)))) == 1
    assert os.listdir(tmp_path / "state") == ["home"]


@pytest.mark.parametrize("junk", [b"", b"../../etc/passwd\n", b"\xff\xff", b"a b\n"])
def test_a_damaged_id_is_replaced(tmp_path: Path, junk: bytes) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/home").write_bytes(junk)
    made = this_machine.here()
    assert this_machine.is_home(made)
    assert this_machine.here() == made


def test_a_process_that_lives_keeps_its_id_where_the_state_directory_is_removed(tmp_path: Path) -> None:
    import shutil

    made = this_machine.here()
    shutil.rmtree(tmp_path / "state")
    assert this_machine.here() == made
    assert (
        subprocess.run(
            [sys.executable, "-c", "from ai_bridge.machines import this_machine; print(this_machine.here())"],
            capture_output=True,
            text=True,
            timeout=60,
            check=True,
        ).stdout.strip()
        == made
    )


def test_an_id_that_another_process_made_meanwhile_is_taken_over(tmp_path: Path) -> None:
    this_machine.here()
    path = tmp_path / "state" / "home"
    path.unlink()
    path.write_text("other-aaaaaaaa\n")
    assert this_machine.here() == "other-aaaaaaaa"
