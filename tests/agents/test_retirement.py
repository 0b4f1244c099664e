"""retirement: an agent that was removed gets no mail, has no tool and no place in `*`, until it is brought back."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ai_bridge.agents import cards, policy, presence, resolve, retirement, session_names
from ai_bridge.agents.cards import BadField
from ai_bridge.agents.identity import Identity
from ai_bridge.agents.peers import all_peers
from ai_bridge.agents.policy import RecipientRemoved
from ai_bridge.agents.retired import RETIRED, UNUSED, retired_since
from ai_bridge.agents.session_names import Removed
from ai_bridge.errors import BridgeError
from ai_bridge.mailboxes.outbox import MALFORMED, UNREAD
from ai_bridge.mailboxes.snapshot import Snapshot
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.command import command
from tests.support.mail import post, route, states

WEEK_S = 7 * 86_400


@pytest.fixture
def removed(where: Tree) -> Tree:
    """Mailboxes whose agent gemini was removed; codex stays."""
    where.make(["codex"])
    retirement.retire(where, "gemini")
    return where


def test_a_removed_agent_is_refused_mail_with_the_command_that_brings_it_back(removed: Tree) -> None:
    done = command("send", "gemini", "--from", "claude", body="x", AI_BRIDGE_MAILBOXES=removed.path)
    said = "gemini was removed and takes no mail: `ai-bridge init gemini` brings it back"
    assert (done.returncode, done.stderr) == (1, f"error: {said}\n")
    assert states(removed, "claude") == {}


def test_mail_that_was_dropped_another_way_is_malformed(removed: Tree, settings: Settings) -> None:
    post(removed, to="gemini", sender="claude")
    route(removed, settings)
    assert list(states(removed, "claude")) == [MALFORMED]


def test_everybody_leaves_it_out(removed: Tree) -> None:
    assert resolve.resolve_recipients(removed, "claude", ["*"]) == ["codex"]
    assert [peer.address for peer in all_peers(removed)] == ["claude", "codex"]
    (found,) = (peer for peer in all_peers(removed, with_retired=True) if peer.address == "gemini")
    assert found.as_json()["retired"] == retired_since(removed, "gemini") != ""


def test_a_damaged_rule_does_not_let_mail_to_it_pass(removed: Tree) -> None:
    path = Path(cards.card_path(removed, "gemini"))
    path.write_text(path.read_text().replace("name: gemini", "name: gemini\nhold: ["))
    assert isinstance(policy.refusal(removed, "gemini", "claude"), RecipientRemoved)


def test_init_brings_it_back_if_it_is_named(removed: Tree) -> None:
    for words, since in ((["init"], True), (["init", "codex"], True), (["init", "gemini"], False)):
        done = command(*words, "--mailboxes", removed.path)
        assert (done.returncode, "gemini is back" in done.stderr) == (0, not since)
        assert bool(retired_since(removed, "gemini")) is since
    assert policy.refusal(removed, "gemini", "claude") is None


def test_nobody_sets_the_field_by_hand(where: Tree) -> None:
    with pytest.raises(BadField, match="`ai-bridge remove gemini` retires an agent"):
        cards.change(where, "gemini", {RETIRED: "now"})


def test_no_session_takes_the_address_of_a_removed_agent(removed: Tree) -> None:
    with pytest.raises(Removed, match="`ai-bridge init gemini` brings it back"):
        session_names.take(removed, Identity("gemini", "x"))


# --- names of further sessions ----------------------------------------------------------------------------


def take_two(where: Tree) -> None:
    first = session_names.take(where, Identity("claude", "x"))
    second = session_names.take(where, Identity("claude", "x"))
    assert second.address == "claude-2"
    where.make(["claude-2"])
    cards.introduce(where, "claude-2", "claude-code")
    for name in (first, second):
        name.release()


def away_for(where: Tree, name: str, seconds: float) -> None:
    at = time.time() - seconds
    os.utime(where.lock_file(presence.SESSION, name), (at, at))


def test_the_name_of_a_further_session_retires_after_a_week_and_comes_back_with_the_next(where: Tree) -> None:
    take_two(where)
    for name, seconds in (("claude", 9 * WEEK_S), ("claude-2", WEEK_S - 60)):
        away_for(where, name, seconds)
    assert retirement.retire_unused(where) == []
    away_for(where, "claude-2", WEEK_S + 60)
    assert retirement.retire_unused(where) == ["claude-2"]
    assert retired_since(where, "claude-2").startswith(UNUSED)
    assert retirement.retire_unused(where) == []
    first = session_names.take(where, Identity("claude", "x"))
    assert session_names.take(where, Identity("claude", "x")).address == "claude-2"
    assert (first.address, retired_since(where, "claude-2")) == ("claude", "")


def test_a_name_that_retired_by_itself_is_no_refusal_for_a_session_that_wants_just_it(where: Tree) -> None:
    take_two(where)
    away_for(where, "claude-2", WEEK_S + 60)
    retirement.retire_unused(where)
    assert session_names.take(where, Identity("claude-2", "x")).address == "claude-2"


def test_a_name_stays_while_mail_waits_for_it_or_a_session_has_it(where: Tree, settings: Settings) -> None:
    take_two(where)
    post(where, to="claude-2", sender="gemini")
    away_for(where, "claude-2", WEEK_S + 60)
    assert retirement.retire_unused(where) == []
    route(where, settings)
    assert list(states(where, "gemini")) == [UNREAD]
    away_for(where, "claude-2", WEEK_S + 60)
    assert retirement.retire_unused(where) == []


def test_an_agent_that_somebody_made_never_retires_by_itself(where: Tree) -> None:
    where.make(["worker-2"])
    cards.introduce(where, "worker-2")
    assert retirement.retire_unused(where) == []


def test_the_retired_are_listed_again_only_after_a_card_changed(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    retirees = retirement.Retirees()
    assert retirees.names(Snapshot(where.path)) == frozenset()
    monkeypatch.setattr(retirement.address_book, "load_all", lambda _: pytest.fail("no card has changed"))
    assert retirees.names(Snapshot(where.path)) == frozenset()
    monkeypatch.undo()
    retirement.retire(where, "gemini")
    assert retirees.names(Snapshot(where.path)) == {"gemini"}


def test_mailboxes_without_cards_have_no_retired_agents(tmp_path: Path) -> None:
    assert retirement.Retirees().names(Tree(str(tmp_path / "none"))) == frozenset()


def test_a_removed_sender_of_the_project_is_no_candidate_for_a_short_name(removed: Tree) -> None:
    with pytest.raises(BridgeError, match="was removed and takes no mail"):
        raise policy.refusal(removed, resolve.resolve_agent(removed, "gemini"), "claude") or AssertionError
