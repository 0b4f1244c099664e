"""A name means one agent: itself, the only one of that name, or the one that is online; else it is refused."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.agents.resolve import AmbiguousAgent, resolve_agent
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.tree import ReservedAddress, Tree, UnknownAgent
from ai_bridge.settings import Settings
from tests.support.mail import post, route
from tests.support.presence import session


def test_a_name_means_itself_where_it_is_known(where: Tree) -> None:
    where.make(["claude@web"])
    assert resolve_agent(where, "claude") == "claude"
    assert resolve_agent(where, "claude@web") == "claude@web"


def test_a_short_name_means_the_only_one(where: Tree) -> None:
    where.make(["mini@web"])
    assert resolve_agent(where, "mini") == "mini@web"


def test_of_several_the_one_that_is_online_is_meant(where: Tree) -> None:
    where.make(["mini@api", "mini@web", "minister@web"])
    with pytest.raises(AmbiguousAgent, match=r"any of mini@api, mini@web \(none is online\): give the whole"):
        resolve_agent(where, "mini")
    with session(where, "mini@web"):
        assert resolve_agent(where, "mini") == "mini@web"
        with session(where, "mini@api"), pytest.raises(AmbiguousAgent, match=r"\(online: mini@api, mini@web\)"):
            resolve_agent(where, "mini")


@pytest.mark.parametrize(
    ("name", "refusal"),
    [("mini", UnknownAgent), ("mini@web", UnknownAgent), ("postmaster", ReservedAddress), ("Claude", UnknownAgent)],
)
def test_a_name_nobody_has_is_refused(where: Tree, name: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        resolve_agent(where, name)


def test_mail_to_a_short_name_reaches_who_is_meant(where: Tree, settings: Settings) -> None:
    where.make(["mini@api", "mini@web"])
    with session(where, "mini@api"):
        id_ = post(where, to="mini, mini@api, gemini")
        dropped = Path(where.outbox("claude").path) / "hand.txt"
        dropped.write_text("ID: by-hand\nFrom: claude\nTo: mini\nSubject: s\n\nhello")
        route(where, settings)
    assert [one.id for one in unread.unread_for(where, "mini@api")] == [id_, "by-hand"]
    assert [one.id for one in unread.unread_for(where, "gemini")] == [id_]
    assert unread.unread_for(where, "mini@web") == []


def test_a_router_that_died_after_the_copy_has_said_whom_a_short_name_means(where: Tree, settings: Settings) -> None:
    where.make(["mini@api", "mini@web"])
    outbox, text = where.outbox("claude"), "ID: m-1\nFrom: claude\nTo: {}\nSubject: s\n\nhello"
    Path(outbox.file("processing", "hand.txt")).write_text(text.format("mini"))
    Path(outbox.file("dropped", "m-1.mini@api.txt")).write_text(text.format("mini@api"))
    with session(where, "mini@web"):
        route(where, settings)
    assert [one.id for one in unread.unread_for(where, "mini@api")] == ["m-1"]
    assert unread.unread_for(where, "mini@web") == []
    assert outbox.names("processing") == outbox.names("dropped") == []


def test_a_hand_dropped_message_to_a_name_of_several_is_malformed_with_who_they_are(
    where: Tree,
    settings: Settings,
) -> None:
    where.make(["mini@api", "mini@web"])
    dropped = Path(where.outbox("claude").path) / "hand.txt"
    dropped.write_text("ID: by-hand\nFrom: claude\nTo: mini\nSubject: s\n\nhello")
    steps = route(where, settings)
    assert steps[0].verb == "reject"
    assert "mini may be any of mini@api, mini@web" in steps[0].why
