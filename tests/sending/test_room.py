"""An inbox that is full takes no more: the rest waits dropped, in its order, and everybody can see why."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.health import mail
from ai_bridge.health.finding import NOTE
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.route import Router
from ai_bridge.sending import room
from ai_bridge.settings import Settings
from tests.support.command import command
from tests.support.mail import LIMIT, post, route, send, states


@pytest.fixture
def loaded(where: Tree, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """At most three unread messages per agent."""
    monkeypatch.setenv("AI_BRIDGE_MAX_UNREAD", "3")
    return settings_.load(where.path, {"settle_s": 0.0})


def _read(where: Tree, count: int, agent: str = "gemini") -> list[str]:
    found = unread.unread_for(where, agent)[:count]
    assert all(one.acknowledge() for one in found)
    return [one.id for one in found]


def test_the_default_is_ten_thousand(where: Tree) -> None:
    assert settings_.load(where.path).max_unread == 10_000


def test_what_is_beyond_waits_and_comes_in_order_once_the_agent_reads(where: Tree, loaded: Settings) -> None:
    sent = [post(where, str(number)) for number in range(8)]
    router, read = Router(where, {"claude", "gemini"}, loaded), []
    while len(read) < 8:
        steps = list(router.one_pass())
        assert {step.verb for step in steps} <= {"deliver", "wait"}
        assert sum(step.verb == "wait" for step in steps) == (len(read) < 5)
        assert len(states(where, "claude")[UNREAD]) <= 3
        read += _read(where, 2)
    assert read == sent
    assert {HELD, MALFORMED}.isdisjoint(states(where, "claude"))


def test_it_is_the_sum_of_all_senders_and_others_are_not_kept_waiting(where: Tree, loaded: Settings) -> None:
    where.make(["codex"])
    for sender in ("claude", "codex", "claude", "codex"):
        post(where, sender=sender)
    post(where, to="codex")
    route(where, loaded)
    assert len(unread.unread_for(where, "gemini")) == 3
    assert len(unread.unread_for(where, "codex")) == 1
    assert len(states(where, "codex")[DROPPED]) == 1


def test_a_copy_of_a_message_to_all_waits_alone(where: Tree, loaded: Settings) -> None:
    where.make(["codex"])
    for _ in range(3):
        post(where)
    Path(where.outbox("claude").path, "all.txt").write_text("ID: n1\nFrom: claude\nTo: *\nSubject: s\n\nb")
    Path(where.outbox("claude").path, "one.txt").write_text("ID: n2\nFrom: claude\nTo: gemini\nSubject: s\n\nb")
    route(where, loaded)
    assert [one.id for one in unread.unread_for(where, "codex")] == ["n1"]
    assert sorted(states(where, "claude")[DROPPED]) == ["n1.gemini.txt", "one.txt"]


@pytest.mark.parametrize("limit", [0, 3])
def test_inboxes_are_counted_once_and_again_only_if_one_is_full(
    where: Tree, monkeypatch: pytest.MonkeyPatch, limit: int
) -> None:
    listed: list[str] = []
    real = Outbox.listed

    def listing(self: Outbox, state: str) -> list[str]:
        listed.append(state)
        return real(self, state)

    monkeypatch.setattr(Outbox, "listed", listing)
    loaded = settings_.load(where.path, {"max_unread": limit})
    router = Router(where, {"claude", "gemini"}, loaded)
    for _ in range(2):
        post(where)
        list(router.one_pass())
    assert listed == [UNREAD] * (2 if limit else 0)  # one look per outbox
    for _ in range(4):
        post(where)
    list(router.one_pass())
    assert listed == [UNREAD] * (4 if limit else 0)


def test_a_new_router_counts_what_others_delivered(where: Tree, loaded: Settings) -> None:
    for _ in range(4):
        post(where)
        route(where, loaded)
    assert len(unread.unread_for(where, "gemini")) == 3


def test_status_and_health_say_why_it_waits_and_what_to_do(where: Tree, loaded: Settings) -> None:
    sent = [post(where) for _ in range(5)]
    route(where, loaded)
    ((place, why),) = mail.explain(where, sent[-1])
    assert place.state == DROPPED
    assert why == "gemini has 3 unread messages, the most that is set (max_unread): it waits until gemini reads"
    done = command("status", sent[-1], "--mailboxes", where.path, "--json")
    assert json.loads(done.stdout)["reason"] == why
    loaded.stuck_s = 0.0
    claude, gemini = mail.examine(where, loaded, ["claude", "gemini"])
    (found,) = [one for one in gemini.findings if one.where == "inbox"]
    assert (found.level, found.fix) == (NOTE, "ai-bridge read --agent gemini")
    assert "3 unread, the most that is set (max_unread), and 2 messages waiting in the outboxes" in found.what
    said = [one.what for one in claude.findings if one.where == "outbox"]
    assert said == ["2 messages waiting until gemini has read its mail (max_unread)"]
    _read(where, 3)
    route(where, loaded)
    assert mail.explain(where, sent[-1])[0][1] is None
    assert not [one for one in mail.examine(where, loaded, ["gemini"])[0].findings if one.where == "inbox"]


def test_a_notice_waits_too_and_is_not_lost(where: Tree, loaded: Settings) -> None:
    for _ in range(3):
        post(where, sender="gemini", to="claude")
    Path(where.outbox("claude").path, "x.txt").write_text("ID: n1\nFrom: claude\nTo: nobody\nSubject: s\n\nb")
    route(where, loaded)
    assert len(states(where, "postmaster")[DROPPED]) == 1
    _read(where, 3, "claude")
    route(where, loaded)
    assert len(states(where, "postmaster")[UNREAD]) == 1


def test_the_shared_file_may_only_lower_it(where: Tree) -> None:
    for value, then in ((5, 5), (20_000, 10_000), (0, 10_000)):
        Path(where.path, "settings.toml").write_text(f"max_unread = {value}\n")
        assert settings_.load(where.path).max_unread == then


def test_names_of_no_recipient_count_for_nobody(where: Tree) -> None:
    send(where, "claude", Draft(["gemini"], "b"), LIMIT)
    assert room.unread_by_recipient(where) == {}
    assert room.waiting_for(where, "gemini") == {"claude": 1}
