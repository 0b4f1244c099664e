"""What a command has answered is there after a power cut, on the file systems that write the latest."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.networks import software
from tests.networks.guest import boot
from tests.power_cuts.cases import CASES
from tests.power_cuts.inside import CUT, KEPT, LOST
from tests.support.checkout import ROOT

pytestmark = [pytest.mark.cuts, pytest.mark.timeout(900)]
_DISK_BYTES = 512 * 1024 * 1024
_LIMIT_S = 400.0
_MAKE = {"ext4": ["mkfs.ext4", "-q", "-F"], "xfs": ["mkfs.xfs", "-q", "-f"]}


def _disks(base: Path, fs: str) -> list[Path]:
    """Return an empty disk for each case."""
    made = [base / f"disk{number}" for number in range(len(CASES))]
    for disk in made:
        with disk.open("wb") as file:
            file.truncate(_DISK_BYTES)
        subprocess.run(
            [software.path_of(_MAKE[fs][0]) or "", *_MAKE[fs][1:], str(disk)], check=True, capture_output=True
        )
    return made


def _after_a_cut(base: Path, fs: str, phase: str) -> dict[str, str]:
    """Have all answered, cut the power, and return of each case what is said of it on the disks mounted again."""
    disks = _disks(base, fs)
    words = [sys.executable, "-m", "tests.power_cuts.inside"]
    _, shown = boot.run([*words, phase, fs], _LIMIT_S, str(ROOT), disks, cut_at=CUT)
    assert shown.splitlines()[-1:] == [CUT], shown[-3000:]
    code, shown = boot.run([*words, "check", fs], _LIMIT_S, str(ROOT), disks)
    assert code == 0, shown[-3000:]
    verdicts = [line for line in shown.splitlines() if line.startswith((KEPT, LOST))]
    print("\n".join([f"\n{fs}, {phase}:", *verdicts]))
    return {line.partition(" ")[2].partition(":")[0]: line for line in verdicts}


@pytest.fixture(params=_MAKE)
def fs(request: pytest.FixtureRequest) -> str:
    """A file system that can be had here."""
    if missing := software.missing("cuts"):
        pytest.skip(f"there is no {', '.join(missing)}: `./management/test.sh --cuts` as root installs it")
    return str(request.param)


def test_what_a_command_answered_survives_a_power_cut(fs: str, tmp_path: Path) -> None:
    found = _after_a_cut(tmp_path, fs, "answer")
    assert set(found) == {case.name for case in CASES}
    assert [line for line in found.values() if not line.startswith(KEPT)] == []


def test_without_its_flush_the_same_cut_takes_the_answer_back(fs: str, tmp_path: Path) -> None:
    """The control: a test that could not lose would prove nothing."""
    found = _after_a_cut(tmp_path, fs, "unflushed")
    kept = [case.name for case in CASES if fs not in case.lucky and found[case.name].startswith(KEPT)]
    assert kept == []
