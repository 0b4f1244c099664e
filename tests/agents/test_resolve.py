"""A short name means an agent of one's own project, then an agent without a project; it never leaves the project."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.agents.resolve import (
    NobodyElse,
    OtherProject,
    leaving,
    project_for,
    resolve_agent,
    resolve_recipients,
    resolve_writer,
)
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.tree import ReservedAddress, Tree, UnknownAgent
from ai_bridge.settings import Settings
from tests.support.mail import post, route
from tests.support.presence import session


def test_a_name_means_itself_where_it_is_known(where: Tree) -> None:
    where.make(["claude@web"])
    assert resolve_agent(where, "claude") == "claude"
    assert resolve_agent(where, "claude@web") == "claude@web"


def test_a_short_name_means_the_agent_of_the_project_first(where: Tree) -> None:
    where.make(["gemini@web", "gemini@api"])
    assert resolve_agent(where, "gemini", "web") == "gemini@web"
    assert resolve_agent(where, "gemini", "shop") == "gemini"


@pytest.mark.parametrize("online", [(), ("mini@web",)])
def test_a_short_name_never_means_an_agent_of_another_project(where: Tree, online: tuple[str, ...]) -> None:
    where.make(["mini@web", "minister@web"])
    for agent in online:
        with session(where, agent), pytest.raises(OtherProject):
            resolve_agent(where, "mini", "shop")
    with pytest.raises(OtherProject, match=r"mini is no agent of the project shop, but mini@web is: give the whole"):
        resolve_agent(where, "mini", "shop")
    where.make(["mini@api"])
    with pytest.raises(OtherProject, match=r"mini is no agent here, but mini@api, mini@web are: give the whole"):
        resolve_agent(where, "mini")


@pytest.mark.parametrize(
    ("name", "refusal"),
    [("mini", UnknownAgent), ("mini@web", UnknownAgent), ("postmaster", ReservedAddress), ("Claude", UnknownAgent)],
)
def test_a_name_nobody_has_is_refused(where: Tree, name: str, refusal: type[Exception]) -> None:
    with pytest.raises(refusal):
        resolve_agent(where, name, "web")


def test_everybody_is_everybody_of_the_project(where: Tree) -> None:
    where.make(["codex@web", "mini@web", "mini@api"])
    assert resolve_recipients(where, "codex@web", ["*"]) == ["mini@web"]
    assert resolve_recipients(where, "claude", ["*"]) == ["gemini"]
    assert resolve_recipients(where, "claude", ["*"], "web") == ["codex@web", "gemini", "mini@web"]
    with pytest.raises(NobodyElse, match="nobody else in the project of mini@api"):
        resolve_recipients(where, "mini@api", ["*"])


def test_a_sender_without_a_project_writes_in_that_of_its_folder(
    where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "shop").mkdir()
    monkeypatch.chdir(tmp_path / "shop")
    assert project_for(where, "claude") == ""
    where.make(["codex@shop", "codex@web"])
    assert project_for(where, "claude") == "shop"
    assert project_for(where, "codex@web") == "web"
    assert leaving(where, "claude", ["gemini", "codex@shop", "codex@web"]) == ["codex@web"]
    assert leaving(where, "codex@web", ["gemini", "codex@shop", "codex@web"]) == ["codex@shop"]
    assert resolve_writer(where, "codex", "claude") == "codex@shop"
    assert resolve_writer(where, "postmaster", "claude") == "postmaster"


def test_mail_to_a_short_name_reaches_the_agent_that_is_meant(where: Tree, settings: Settings) -> None:
    where.make(["codex@api", "mini@api", "mini@web"])
    id_ = post(where, to="mini, mini@api, gemini", sender="codex@api")
    dropped = Path(where.outbox("codex@api").path) / "hand.txt"
    dropped.write_text("ID: by-hand\nFrom: codex@api\nTo: mini\nSubject: s\n\nhello")
    route(where, settings)
    assert [one.id for one in unread.unread_for(where, "mini@api")] == [id_, "by-hand"]
    assert [one.id for one in unread.unread_for(where, "gemini")] == [id_]
    assert unread.unread_for(where, "mini@web") == []


@pytest.mark.parametrize("meant", ["mini@api", "mini"])
def test_a_router_that_died_after_the_copy_has_said_whom_a_short_name_means(
    where: Tree, settings: Settings, meant: str
) -> None:
    where.make(["codex@api", "mini@api", "mini"])
    outbox, text = where.outbox("codex@api"), "ID: m-1\nFrom: codex@api\nTo: {}\nSubject: s\n\nhello"
    Path(outbox.file("processing", "hand.txt")).write_text(text.format("mini"))
    Path(outbox.file("dropped", f"m-1.{meant}.txt")).write_text(text.format(meant))
    route(where, settings)
    found = {agent: [one.id for one in unread.unread_for(where, agent)] for agent in ("mini", "mini@api")}
    assert found == {"mini": [], "mini@api": [], meant: ["m-1"]}
    assert outbox.names("processing") == outbox.names("dropped") == []


def test_a_hand_dropped_message_to_another_project_by_a_short_name_is_malformed_with_the_addresses(
    where: Tree,
    settings: Settings,
) -> None:
    where.make(["mini@api", "mini@web"])
    dropped = Path(where.outbox("claude").path) / "hand.txt"
    dropped.write_text("ID: by-hand\nFrom: claude\nTo: mini\nSubject: s\n\nhello")
    steps = route(where, settings)
    assert steps[0].verb == "reject"
    assert "mini is no agent here, but mini@api, mini@web are" in steps[0].why


def test_an_outbox_that_is_hidden_for_a_moment_is_no_other_projects(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A failing look at one name must not make mail malformed: the list of all outboxes is asked, too."""
    where.make(["mini@web"])
    monkeypatch.setattr(Tree, "has_outbox", lambda self, name: False)
    assert resolve_recipients(where, "claude@web", ["mini"]) == ["mini@web"]
