"""Clocks that differ or jump are found, small differences are ignored, and nothing else depends on clocks."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.machines import clocks
from ai_bridge.machines.clocks import HERE, Clocks, notable
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.daemon import Daemon
from ai_bridge.settings import Settings
from tests.support.machine import MINI, TOWER
from tests.support.mail import post
from tests.support.presence import later, tell

Pass = Callable[[float], None]


@pytest.fixture
def pass_time(monkeypatch: pytest.MonkeyPatch) -> Pass:
    """Let seconds pass, by the clock and by the one that only counts."""
    real_counted, real_time, passed = clocks.counted, time.time, [0.0]
    monkeypatch.setattr(clocks, "counted", lambda: real_counted() + passed[0])
    monkeypatch.setattr(time, "time", lambda: real_time() + passed[0])

    def more(seconds: float) -> None:
        passed[0] += seconds

    return more


@pytest.mark.parametrize("jump_s", [-3600.0, -5.0, 5.0, 31_536_000.0])
def test_a_clock_that_jumps_is_noted(where: Tree, monkeypatch: pytest.MonkeyPatch, jump_s: float) -> None:
    found = Clocks(where)
    assert found.check() == 0.0
    later(monkeypatch, jump_s)
    assert found.check() == pytest.approx(jump_s, abs=1)
    assert notable(where) == {HERE: pytest.approx(jump_s, abs=1)}
    assert found.check() == 0.0
    assert HERE in notable(where)


@pytest.mark.parametrize("jump_s", [-1.5, 0.2, 1.5])
def test_a_small_correction_is_no_jump(where: Tree, monkeypatch: pytest.MonkeyPatch, jump_s: float) -> None:
    found = Clocks(where)
    later(monkeypatch, jump_s)
    assert found.check() == 0.0
    assert notable(where) == {}


def test_time_that_passes_is_no_jump(where: Tree, pass_time: Pass) -> None:
    found = Clocks(where)
    pass_time(86_400.0)
    assert found.check() == 0.0


@pytest.mark.parametrize("skew_s", [-86_400.0, -60.0, 60.0, 31_536_000.0])
def test_another_clock_that_differs_is_found_when_its_page_changes(
    where: Tree, pass_time: Pass, skew_s: float
) -> None:
    tell(where, -skew_s, host=TOWER)
    found = Clocks(where)
    found.check()
    assert notable(where) == {}
    pass_time(5.0)
    tell(where, -skew_s, host=TOWER)
    found.check()
    assert notable(where) == {TOWER: pytest.approx(skew_s, abs=2)}


@pytest.mark.parametrize("skew_s", [-20.0, 0.0, 20.0])
def test_a_small_difference_may_be_the_pages_way(where: Tree, pass_time: Pass, skew_s: float) -> None:
    tell(where, -skew_s, host=TOWER)
    found = Clocks(where)
    found.check()
    pass_time(5.0)
    tell(where, -skew_s, host=TOWER)
    found.check()
    assert notable(where) == {}


def test_what_changed_while_nobody_looked_tells_nothing(where: Tree, pass_time: Pass) -> None:
    tell(where, host=TOWER)
    found = Clocks(where)
    found.check()
    pass_time(20.0)
    tell(where, 600.0, host=TOWER)
    tell(where, 600.0, host=MINI)
    found.check()
    assert notable(where) == {}


def test_in_the_look_of_a_jump_no_other_clock_is_judged(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(where, host=TOWER)
    found = Clocks(where)
    found.check()
    tell(where, -1.0, host=TOWER)
    later(monkeypatch, 3600.0)
    found.check()
    assert list(notable(where)) == [HERE]


def test_after_a_day_it_is_forgotten(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    clocks._save(where, {HERE: 5.0, TOWER: 500.0})
    assert set(notable(where)) == {HERE, TOWER}
    later(monkeypatch, 86_401.0)
    assert notable(where) == {}


DAMAGED = ["", "{", "[]", "null", "3", '"x"', '{"here": 1}', '{"here": [1]}', '{"here": ["x", 1]}', "[" * 99_999]


@pytest.mark.parametrize("text", [*DAMAGED, '{"here": [1' + "0" * 400 + ", 1]}", "\0"])
def test_a_damaged_memory_is_none(where: Tree, monkeypatch: pytest.MonkeyPatch, text: str) -> None:
    path = Path(where.state_file("clocks.json"))
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert notable(where) == {}
    found = Clocks(where)
    later(monkeypatch, 10.0)
    found.check()
    assert list(notable(where)) == [HERE]


def test_a_router_tells_of_a_jump_and_mail_goes_on(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    daemon = Daemon(where, settings)
    later(monkeypatch, -86_400.0)
    post(where)
    with caplog.at_level(logging.WARNING, logger="ai_bridge"):
        daemon._look_around()
    assert "jumped by -86400 s" in caplog.text
    assert [step.verb for step in daemon.run_once()] == ["deliver"]
