"""groups: the agents of one project whose cards name the group, and nobody else."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge.agents import address_book, cards, retirement
from ai_bridge.agents.cards import BadField
from ai_bridge.agents.peers import all_peers
from ai_bridge.agents.resolve import resolve_recipients
from ai_bridge.agents.several import groups
from ai_bridge.agents.several.groups import NobodyInGroup
from ai_bridge.health import card_rules
from ai_bridge.machines import this_machine
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree


@pytest.fixture
def team(where: Tree) -> Tree:
    """Mailboxes with codex and gemini in #backend, mini in #front, and agents of two projects."""
    where.make(["codex", "mini", "claude@web", "codex@web", "codex@api"])
    for agent in ("codex", "gemini", "codex@web", "codex@api"):
        cards.change(where, agent, {"groups": "backend"})
    cards.change(where, "mini", {"groups": "front, review"})
    return where


def test_a_group_is_its_members_without_the_sender(team: Tree) -> None:
    assert resolve_recipients(team, "claude", ["#backend"]) == ["codex", "gemini"]
    assert resolve_recipients(team, "codex", ["#backend"]) == ["gemini"]
    assert resolve_recipients(team, "claude", ["#front", "#backend, codex"]) == ["mini", "codex", "gemini"]


def test_a_group_never_leaves_the_senders_project(team: Tree) -> None:
    assert resolve_recipients(team, "claude@web", ["#backend"]) == ["codex@web"]
    assert resolve_recipients(team, "claude", ["#backend"], "web") == ["codex", "codex@web", "gemini"]


def test_a_group_without_anybody_else_is_refused_with_the_groups_there_are(team: Tree) -> None:
    with pytest.raises(NobodyInGroup) as refusal:
        resolve_recipients(team, "claude", ["#backnd"])
    assert str(refusal.value) == (
        "nobody else in the project of claude is in the group #backnd (did you mean #backend?): groups here are "
        "#backend, #front, #review (`ai-bridge card set groups=NAME ADDRESS` puts an agent into one)"
    )
    with pytest.raises(NobodyInGroup, match="groups here are #backend "):
        resolve_recipients(team, "mini", ["#front"])
    with pytest.raises(NobodyInGroup, match="groups here are none yet"):
        resolve_recipients(team, "codex@web", ["#backend"])
    with pytest.raises(NobodyInGroup):
        resolve_recipients(team, "claude", ["codex", "#Back End"])


def test_removed_agents_and_those_of_other_teams_are_in_no_group(team: Tree) -> None:
    retirement.retire(team, "codex")
    cards.put(team, "gemini", {"home": this_machine.here(), "link": "hub", "remote": "gemini"})
    with pytest.raises(NobodyInGroup):
        resolve_recipients(team, "claude", ["#backend"])


@pytest.mark.parametrize(
    "card", ["groups: [backend, '#front']", "groups:\n- backend\n- front", "groups: backend front"]
)
def test_a_card_may_name_its_groups_in_each_form_of_a_list(where: Tree, card: str) -> None:
    path = Path(cards.card_path(where, "gemini"))
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\nname: gemini\n{card}\n---\n")
    assert groups.groups_of(Snapshot(where.path), "gemini") == ["#backend", "#front"]
    assert [peer.groups for peer in all_peers(where)] == [[], ["#backend", "#front"]]
    cards.change(where, "gemini", {"description": "x"})
    assert resolve_recipients(where, "claude", ["#front"]) == ["gemini"]


def test_a_damaged_card_and_a_missing_one_name_no_group(where: Tree) -> None:
    path = Path(cards.card_path(where, "gemini"))
    path.parent.mkdir(exist_ok=True)
    for text in ("---\ngroups: [\n---\n", "groups: backend", ""):
        path.write_text(text)
        assert groups.groups_of(where, "gemini") == []
    assert groups.groups_of(where, "nobody") == []


def test_a_card_that_cannot_be_read_now_names_what_it_named_before(
    team: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    address_book.load_all(team)

    def refuse(path: str) -> None:
        raise PermissionError(13, "no", path)

    cards.load(team, "gemini")
    monkeypatch.setattr("ai_bridge.mailboxes.card_files.read", refuse)
    with pytest.raises(PermissionError):
        groups.groups_of(Snapshot(team.path), "codex")
    assert resolve_recipients(Snapshot(team.path), "claude", ["#front"]) == ["mini"]


@pytest.mark.parametrize("value", ["Back", "a/b", "back end!", "*", "a@b"])
def test_what_can_be_no_group_is_refused_and_found(where: Tree, value: str) -> None:
    with pytest.raises(BadField, match=r"groups holds names such as backend, in the letters of an address, and "):
        cards.change(where, "gemini", {"groups": value})
    path = Path(cards.card_path(where, "gemini"))
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\nname: gemini\ngroups: '{value}'\n---\n")
    (finding,) = card_rules.examine(where)
    assert finding.fix == "ai-bridge card edit gemini"
    assert "groups holds names such as backend" in finding.what


def test_a_list_with_what_is_no_text_is_found(where: Tree) -> None:
    assert groups.wrong_entries({"groups": ["backend", ["x"]]}) == [
        "groups holds names such as backend, in the letters of an address, and ['x'] is none"
    ]
