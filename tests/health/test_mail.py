"""How the mail stands: true counts, ages and routers, a level for them, and a remedy for each finding."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from ai_bridge.health import mail
from ai_bridge.health.agent_health import AgentHealth
from ai_bridge.health.finding import NOTE, OK, WRONG
from ai_bridge.health.mail import examine, router_of, worst_level
from ai_bridge.mailboxes.outbox import DROPPED, READ, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.settings import Settings
from ai_bridge.system.locks import Lock
from tests.support.mail import post, route

HOUR_S = 3600.0


@pytest.fixture
def an_hour_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let health look at its clock an hour from now."""
    now = mail.time.time

    class Clock:
        @staticmethod
        def time() -> float:
            return now() + HOUR_S

    monkeypatch.setattr(mail, "time", Clock)


def _of(where: Tree, settings: Settings, agent: str) -> AgentHealth:
    (report,) = examine(where, settings, [agent])
    return report


def told(report: AgentHealth) -> list[tuple[int, str]]:
    """Return the level and the sentence of each finding."""
    return [(finding.level, finding.sentence) for finding in report.findings]


def _router(where: Tree, *agents: str) -> list[Lock]:
    locks = [Lock(where.lock_file("router", agent)) for agent in agents]
    assert all(lock.acquire("router") for lock in locks)
    return locks


def test_all_is_well_with_a_router_and_nothing_in_its_way(where: Tree, settings: Settings) -> None:
    post(where, "x")
    route(where, settings)
    post(where, "on its way")
    locks = _router(where, "claude", "gemini")
    reports = examine(where, settings, where.agents())
    assert worst_level(reports) == OK
    assert [report.as_json() for report in reports] == [
        _json("claude", dropped=1),
        _json("gemini", unread=1, coming=1),
    ]
    for lock in locks:
        lock.release()


def _json(agent: str, dropped: int = 0, unread: int = 0, coming: int = 0) -> dict[str, object]:
    counts = {"dropped": dropped, "processing": 0, "held": 0, "malformed": 0, "unread": unread, "coming": coming}
    waits = {state: {"count": count, "oldest_s": pytest.approx(0, abs=60)} for state, count in counts.items()}
    return {"agent": agent, "router": os.getpid(), **waits, "level": "healthy", "findings": []}


def test_no_router_is_no_finding_about_an_agent(where: Tree, settings: Settings) -> None:
    report = _of(where, settings, "gemini")
    assert (report.router, report.findings, report.as_json()["level"]) == (None, [], "healthy")


def test_a_reader_making_the_pass_is_no_router(where: Tree) -> None:
    lock = Lock(where.lock_file("router", "gemini"))
    assert router_of(where, "gemini") is None
    assert lock.acquire("reader", "gemini")
    assert router_of(where, "gemini") is None
    lock.describe("router", "gemini")
    assert router_of(where, "gemini") is not None
    lock.release()


@pytest.mark.usefixtures("an_hour_later")
@pytest.mark.parametrize("claimed", [True, False])
def test_mail_that_waits_too_long_is_critical(where: Tree, settings: Settings, claimed: bool) -> None:
    id_ = post(where, "x")
    if claimed:
        where.outbox("claude").move("claim", f"{id_}.gemini.txt")
    locks = _router(where, "claude", "gemini")
    report = _of(where, settings, "claude")
    assert worst_level([report, _of(where, settings, "gemini")]) == WRONG
    assert told(report) == [
        (WRONG, "1 stuck in .processing for 1 h; a restarted router releases them: `ai-bridge restart`")
        if claimed
        else (WRONG, "1 not picked up for 1 h although a router runs: `ai-bridge restart`")
    ]
    place, fix = (".processing" if claimed else "outbox", "ai-bridge restart")
    assert [(one.where, one.fix) for one in report.findings] == [(place, fix)]
    for lock in locks:
        lock.release()


@pytest.mark.usefixtures("an_hour_later")
def test_mail_that_waits_for_its_reader_without_a_router_is_a_warning(where: Tree, settings: Settings) -> None:
    post(where, "x")
    Path(where.outbox("claude").file(DROPPED, "by hand.txt")).write_text("x")
    locks = _router(where, "claude")  # it is to move the file without a recipient in its name
    report = _of(where, settings, "claude")
    assert told(report) == [
        (WRONG, "1 not picked up for 1 h although a router runs: `ai-bridge restart`"),
        (
            NOTE,
            "1 not picked up for 1 h, because no router runs and the recipient has not read: `ai-bridge start`",
        ),
    ]
    locks[0].release()
    assert {level for level, _ in told(_of(where, settings, "claude"))} == {NOTE}


@pytest.mark.usefixtures("an_hour_later")
def test_mail_that_nobody_has_read_yet_is_no_finding(where: Tree, settings: Settings) -> None:
    post(where, "x")
    route(where, settings)
    locks = _router(where, "gemini")
    report = _of(where, settings, "gemini")
    assert (report.unread.count, report.findings) == (1, [])
    assert report.unread.oldest_s >= HOUR_S
    locks[0].release()


@pytest.mark.parametrize(("stuck_s", "found"), [(HOUR_S - 60, NOTE), (HOUR_S + 60, OK)])
@pytest.mark.usefixtures("an_hour_later")
def test_how_long_is_too_long_is_a_setting(where: Tree, settings: Settings, stuck_s: float, found: int) -> None:
    post(where, "x")
    settings.put("stuck_s", stuck_s, "here")
    assert worst_level(examine(where, settings, ["claude"])) == found


def test_the_age_is_the_time_in_its_place_whatever_the_file_says(where: Tree, settings: Settings) -> None:
    id_ = post(where, "x")
    os.utime(where.outbox("claude").file(DROPPED, f"{id_}.gemini.txt"), (0, 0))
    assert _of(where, settings, "claude").dropped.oldest_s < HOUR_S


def test_malformed_mail_is_a_warning(where: Tree, settings: Settings) -> None:
    for name in ("a.txt", "b.txt"):
        Path(where.outbox("claude").file(DROPPED, name)).write_text("no headers")
    route(where, settings)
    locks = _router(where, "claude")
    report = _of(where, settings, "claude")
    assert report.malformed.count == 2
    assert [level for level, _ in told(report)] == [NOTE, NOTE]
    locks[0].release()


def test_an_outbox_of_the_older_layout_is_examined_all_the_same(where: Tree, settings: Settings) -> None:
    os.mkdir(os.path.join(where.path, "old-outbox"))
    assert _of(where, settings, "old").processing.count == 0


def test_without_any_agent_nothing_works() -> None:
    assert worst_level([]) == WRONG


def test_every_inbox_is_counted_by_one_look_at_each_outbox(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    where.make(["codex"])
    for sender, to in (("claude", "gemini"), ("codex", "gemini"), ("gemini", "claude")):
        post(where, "x", to=to, sender=sender)
    route(where, settings)
    for odd in ("-.gemini.txt", "gemini.txt", ".gemini.txt"):
        Path(where.outbox("codex").file(UNREAD, odd)).write_text("x")
    looks: list[str] = []
    names = Outbox.names

    def noted(outbox: Outbox, state: str, recipient: str = "") -> list[str]:
        looks.extend([outbox.owner] if state == UNREAD else [])
        assert state != READ
        return names(outbox, state, recipient)

    expected = {agent: len(unread_for(where, agent)) for agent in where.agents()}
    monkeypatch.setattr(Outbox, "names", noted)
    assert {one.agent: one.unread.count for one in examine(where, settings, where.agents())} == expected
    assert expected == {"claude": 1, "codex": 0, "gemini": 3}
    assert looks == ["claude", "codex", "gemini"]


def test_an_id_with_a_date_that_no_calendar_has_is_no_age_and_stops_nothing(where: Tree, settings: Settings) -> None:
    name = "claude-20261340-000000-000000-ab.gemini.txt"
    Path(where.outbox("claude").file(DROPPED, name)).write_text("dropped by hand")
    report = _of(where, settings, "claude")
    assert (report.dropped.count, report.dropped.oldest_s) == (1, 0.0)
