"""The other machines, as their pages report; how fresh a page is depends only on what this machine sees."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ai_bridge.agents import presence
from ai_bridge.machines import presence_pages, this_machine
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system import front_matter
from tests.support.machine import LAPTOP, MINI, TOWER, On, settle_on
from tests.support.presence import later, session, tell


def test_all_machines_are_known_by_their_pages_and_by_who_lives_there(where: Tree, on: On) -> None:
    on(LAPTOP)
    assert presence.known_machines(where) == {LAPTOP}
    settle_on(where, TOWER, "claude")
    tell(where, host=MINI)
    tell(where, host=LAPTOP)
    Path(where.path, "agents", "gemini.md").write_text("---\nname: gemini\nhome: ../../x\n---\n")
    assert presence.known_machines(where) == {LAPTOP, TOWER, MINI}
    assert presence_pages.pages(where) == [MINI]


def test_who_is_there_is_told_by_changes_seen_here(where: Tree, on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    on(LAPTOP)
    for host, age_s in ((TOWER, 5.0), (MINI, 5000.0)):
        tell(where, age_s, host=host)
    assert presence_pages.fresh(where) == {TOWER}
    tell(where, 4000.0, host=MINI)  # its clock is an hour behind, and it is alive
    assert presence_pages.fresh(where) == {TOWER, MINI}
    later(monkeypatch, presence_pages.OFFLINE_S + 1)
    assert presence_pages.fresh(where) == set()


def test_a_clock_that_went_back_makes_no_page_fresh_for_ever(
    where: Tree, on: On, monkeypatch: pytest.MonkeyPatch
) -> None:
    on(LAPTOP)
    tell(where, host=TOWER)
    assert presence_pages.fresh(where) == {TOWER}
    later(monkeypatch, -86_400)
    assert presence_pages.fresh(where) == set()
    tell(where, 1.0, host=TOWER)


@pytest.mark.parametrize("at", ["0001-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "yesterday", "", "{a: b}", "[]"])
def test_no_time_on_a_page_is_too_odd(where: Tree, at: str) -> None:
    path = Path(presence_pages.page_path(where, TOWER))
    path.parent.mkdir()
    path.write_text(f"---\nhost: x\nat: {at}\nonline: {{claude: {at}}}\nwants: {{claude: x}}\n---\n")
    for _ in range(2):
        presence_pages.fresh(where)
        presence_pages.asked(where)
        presence.all_presences(where)
        assert list(presence_pages.stated(where)) == [TOWER]


def test_a_page_is_parsed_when_it_changed_only(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(where, host=TOWER, wants={"claude": "x"})
    assert presence_pages.asked(where) == {"claude": TOWER}

    def parse(_: bytes) -> tuple[dict[str, object], str]:
        raise AssertionError("parsed again")

    monkeypatch.setattr(front_matter, "parse", parse)
    assert presence_pages.asked(where) == {"claude": TOWER}
    monkeypatch.undo()
    tell(where, host=TOWER, wants={"gemini": "x"})
    assert presence_pages.asked(where) == {"gemini": TOWER}


def test_a_thousand_pages_cost_a_sweep_little(where: Tree) -> None:
    tell(where, host="m0-abcdefgh", online={"claude": "x"})
    raw = Path(presence_pages.page_path(where, "m0-abcdefgh")).read_bytes()
    for number in range(1000):
        Path(presence_pages.page_path(where, f"m{number}-abcdefgh")).write_bytes(raw)
    presence_pages.asked(where)
    started = time.process_time()
    presence_pages.asked(where)
    presence_pages.stated(where)
    assert time.process_time() - started < 1.0


def test_of_a_folder_only_pages_are_read(where: Tree) -> None:
    folder = Path(where.path, presence_pages.FOLDER)
    folder.mkdir()
    (folder / "x y.md").write_text("")
    (folder / f"{TOWER}.sync-conflict-20261122-030057-757LWGV.md").write_text("")
    (folder / f"{TOWER}.txt").write_text("")
    (folder / f"{MINI}.md").mkdir()
    os.symlink("/etc/passwd", folder / f"{TOWER}.md")
    assert presence_pages.pages(where) == [MINI, TOWER]
    assert presence_pages.fresh(where) == set()
    assert presence_pages.asked(where) == {}


def test_what_this_machine_asks_for_is_on_its_page_until_it_has_it(where: Tree, on: On) -> None:
    settle_on(where, TOWER, "claude", "gemini")
    on(LAPTOP)
    asked = Path(where.state_file("wanted", "claude"))
    asked.parent.mkdir(parents=True)
    asked.write_text("")
    (asked.parent / "not an address").write_text("")
    assert presence.announce(where)
    assert list(presence_pages.read_page(where, LAPTOP)[1]["wants"]) == ["claude"]  # type: ignore[call-overload]
    assert not presence.announce(where)
    settle_on(where, LAPTOP, "claude", epoch=2)
    assert presence.announce(where)
    assert "wants" not in presence_pages.read_page(where, LAPTOP)[1]
    assert not asked.exists()


def test_two_processes_do_not_write_the_page_at_once(where: Tree, on: On) -> None:
    from ai_bridge.system.locks import Lock

    settle_on(where, TOWER, "gemini")
    on(LAPTOP)
    lock = Lock(where.lock_file("presence", "page"))
    assert lock.acquire("presence")
    with session(where, "claude"):
        assert not presence.announce(where)
        lock.release()
        assert presence.announce(where)
    assert this_machine.here() == LAPTOP
