"""However two hosts are joined, and however badly: all accepted mail is read once, and nothing else is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.networks import guests, run, software
from tests.networks.plan import FULL, Plan
from tests.networks.verdict import Verdict

pytestmark = [pytest.mark.machines, pytest.mark.timeout(2400)]


def _here(ground: str, plan: Plan, base: Path) -> Verdict:
    return run.measure(ground, plan, base)


def _in_guest(ground: str, plan: Plan, base: Path) -> Verdict:
    return guests.measure(ground, plan)


@pytest.mark.parametrize(
    ("ground", "measure"),
    [
        ("syncthing", _here),
        ("sshfs", _here),
        ("nfs", _in_guest),
        ("nfs-quick", _in_guest),
        ("smb", _in_guest),
    ],
)
def test_cuts_and_kills_lose_nothing_and_repeat_nothing(
    ground: str, measure: Callable[[str, Plan, Path], Verdict], tmp_path: Path
) -> None:
    if why := software.why_not(ground):
        pytest.skip(why)
    plan = run.chosen_plan()
    print()
    verdict = measure(ground, plan, tmp_path)
    assert verdict.is_clean
    assert verdict.sent == 2 * plan.messages
    assert plan != FULL or verdict.cuts > plan.flaps, "the long partition came"
