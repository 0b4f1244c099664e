"""Decisions: a message opens one, answers vote, the files alone give the count, and a judge ends a split."""

from __future__ import annotations

import itertools
import shutil
from pathlib import Path

import pytest

from ai_bridge.decisions import judge, opening, tally
from ai_bridge.decisions.decision import APPROVED, DISPUTED, OPEN, REJECTED, Decision, Vote
from ai_bridge.decisions.opening import NoVoters, TooFewVoters
from ai_bridge.decisions.tally import NoDecision
from ai_bridge.errors import NoSuchMessage
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.message import Message
from ai_bridge.message.votes import APPROVE, MAJORITY, OBJECT, UNANIMOUS
from ai_bridge.settings import Settings
from tests.support.mail import LIMIT, post, route, send
from tests.support.presence import session
from tests.support.votes import answer, propose


@pytest.fixture
def where(where: Tree) -> Tree:
    where.make(["codex", "judy"])
    return where


def state(where: Tree, thread: str) -> str:
    return tally.tally(where, thread).state


# --- open -----------------------------------------------------------------------------------------------


def test_who_is_written_to_and_votes(where: Tree) -> None:
    assert opening.opening("claude", ["gemini", "codex"], MAJORITY, ["gemini", "codex"]) == (
        ["gemini", "codex"],
        {"Decide": "majority", "Voters": "gemini, codex"},
    )


def test_a_voter_who_is_not_written_to_is_kept_for_the_judgement(where: Tree) -> None:
    recipients, headers = opening.opening("claude", ["gemini"], MAJORITY, ["gemini", "judy", "claude"])
    assert recipients == ["gemini"]
    assert headers["Voters"] == "gemini, judy"


def test_where_all_must_agree_all_are_written_to(where: Tree) -> None:
    assert opening.opening("claude", ["gemini"], UNANIMOUS, ["gemini", "judy"])[0] == ["gemini", "judy"]


def test_who_is_written_to_may_be_another_than_who_votes(where: Tree) -> None:
    assert opening.opening("claude", ["codex"], MAJORITY, ["gemini"])[0] == ["codex", "gemini"]


@pytest.mark.parametrize("voters", [["codex", "gemini", "judy"], ["codex", "judy"]])
def test_more_than_one_voter_is_not_kept_back(where: Tree, voters: list[str]) -> None:
    assert opening.opening("claude", ["gemini"], MAJORITY, voters)[0] == [
        "gemini",
        *[v for v in voters if v != "gemini"],
    ]


def test_where_the_others_cannot_come_out_even_nobody_is_kept_back(where: Tree) -> None:
    voters = ["gemini", "codex", "judy"]
    assert opening.opening("claude", ["gemini", "codex"], MAJORITY, voters)[0] == voters


def test_nobody_decides_alone(where: Tree) -> None:
    with pytest.raises(NoVoters):
        opening.opening("claude", ["gemini"], MAJORITY, ["claude"])
    with pytest.raises(TooFewVoters):
        opening.opening("claude", ["gemini"], UNANIMOUS, ["gemini"])


# --- the rules ------------------------------------------------------------------------------------------


def decision(rule: str, voters: int, votes: dict[int, str], asked: int | None = None) -> Decision:
    """Return a decision of an opener (0) and so many voters, of whom the first `asked` were written to."""
    names = [f"v{number}" for number in range(1, voters + 1)]
    made = Decision(Message({"ID": "t", "Decide": rule, "Voters": ", ".join(names)}, ""), "v0")
    made.asked |= set(names[: voters if asked is None else asked])
    made.votes |= {f"v{number}": Vote(f"v{number}", tag, made.opening) for number, tag in votes.items()}
    return made


@pytest.mark.parametrize(
    ("voters", "asked", "votes", "expected"),
    [
        (1, 1, {}, OPEN),
        (1, 1, {1: APPROVE}, APPROVED),
        (1, 1, {1: OBJECT}, DISPUTED),
        (1, 1, {0: OBJECT, 1: OBJECT}, REJECTED),
        (2, 2, {1: APPROVE}, APPROVED),
        (2, 2, {1: OBJECT}, OPEN),
        (2, 2, {1: OBJECT, 2: OBJECT}, REJECTED),
        (2, 2, {1: OBJECT, 2: APPROVE}, APPROVED),
        (2, 1, {1: APPROVE}, APPROVED),
        (2, 1, {1: OBJECT}, DISPUTED),
        (3, 3, {1: APPROVE}, OPEN),
        (3, 3, {1: APPROVE, 2: APPROVE}, APPROVED),
        (3, 3, {1: OBJECT, 2: OBJECT}, OPEN),
        (3, 3, {1: OBJECT, 2: OBJECT, 3: APPROVE}, DISPUTED),
        (3, 3, {1: OBJECT, 2: OBJECT, 3: OBJECT}, REJECTED),
        (4, 4, {1: APPROVE, 2: APPROVE}, APPROVED),
        (4, 4, {1: OBJECT, 2: OBJECT, 3: OBJECT}, REJECTED),
    ],
)
def test_by_majority(voters: int, asked: int, votes: dict[int, str], expected: str) -> None:
    assert decision(MAJORITY, voters, votes, asked).state == expected


@pytest.mark.parametrize(
    ("votes", "expected"),
    [
        ({}, OPEN),
        ({1: APPROVE}, OPEN),
        ({1: APPROVE, 2: APPROVE}, APPROVED),
        ({1: OBJECT}, OPEN),
        ({1: OBJECT, 2: APPROVE}, DISPUTED),
        ({1: OBJECT, 2: OBJECT}, REJECTED),
        ({0: OBJECT, 1: APPROVE, 2: APPROVE}, DISPUTED),
    ],
)
def test_by_all(votes: dict[int, str], expected: str) -> None:
    assert decision(UNANIMOUS, 2, votes).state == expected


def test_the_quorum_is_two_of_three_and_three_of_three() -> None:
    for voters in (1, 2):
        ordinary = decision(MAJORITY, voters, {})
        assert (ordinary.needed, ordinary.voter_count) == (2, 3)
    critical = decision(UNANIMOUS, 2, {})
    assert (critical.needed, critical.voter_count) == (3, 3)


@pytest.mark.parametrize("rule", [MAJORITY, UNANIMOUS])
@pytest.mark.parametrize("voters", [2, 3, 4, 5])
def test_every_way_to_vote_comes_to_one_end_and_none_both(rule: str, voters: int) -> None:
    for tags in itertools.product([APPROVE, OBJECT, None], repeat=voters):
        made = decision(rule, voters, {n: tag for n, tag in enumerate(tags, 1) if tag})
        approve, objections = made.count(APPROVE), made.count(OBJECT)
        assert (made.state == APPROVED) == (approve >= made.needed)
        assert not (made.state == REJECTED and approve >= objections)
        if made.state == OPEN:
            assert made.missing


# --- from the files -------------------------------------------------------------------------------------


@pytest.mark.parametrize("moved", [True, False], ids=["delivered", "dropped"])
def test_votes_are_counted_wherever_their_files_are(where: Tree, settings: Settings, moved: bool) -> None:
    thread = propose(where, ["gemini", "codex"])
    assert state(where, thread) == OPEN
    assert tally.tally(where, thread).missing == ["gemini", "codex"]
    id_ = answer(where, thread, "gemini", "[LGTM] go on")
    if moved:
        route(where, settings)
        unread.acknowledge(where, "claude", [id_])
    found = tally.tally(where, thread)
    assert (found.state, found.missing) == (APPROVED, ["codex"])
    assert found.votes["gemini"].message.id == id_


def test_the_newest_vote_of_a_voter_counts(where: Tree) -> None:
    thread = propose(where, ["gemini", "codex"])
    answer(where, thread, "gemini", "[CONTINUE] tests are missing")
    answer(where, thread, "codex", "[CONTINUE] I agree with gemini")
    assert state(where, thread) == REJECTED
    answer(where, thread, "gemini", "thanks for the tests")
    assert state(where, thread) == REJECTED
    answer(where, thread, "gemini", "[LGTM] now")
    assert state(where, thread) == APPROVED


def test_an_opener_may_change_its_mind(where: Tree) -> None:
    thread = propose(where, ["gemini"])
    answer(where, thread, "gemini", "[CONTINUE] no")
    answer(where, thread, "claude", "[CONTINUE] you are right", to="gemini")
    assert state(where, thread) == REJECTED


def test_whoever_has_no_vote_changes_nothing(where: Tree) -> None:
    thread = propose(where, ["gemini", "codex"])
    answer(where, thread, "judy", "[LGTM]")
    assert state(where, thread) == OPEN


def test_an_answer_without_a_tag_is_no_vote_and_is_told(where: Tree) -> None:
    thread = propose(where, ["gemini"])
    answer(where, thread, "gemini", "interesting")
    found = tally.tally(where, thread)
    assert (found.state, found.missing, found.untagged) == (OPEN, ["gemini"], ["gemini"])


def test_any_message_of_the_thread_leads_to_the_decision(where: Tree) -> None:
    thread = propose(where, ["gemini"])
    vote = answer(where, thread, "gemini", "[LGTM]")
    later = answer(where, vote, "claude", "thanks", to="gemini")
    assert {tally.tally(where, id_).id for id_ in (thread, vote, later)} == {thread}


def test_a_thread_that_decides_nothing_is_said_to_be_none(where: Tree) -> None:
    id_ = post(where)
    with pytest.raises(NoDecision, match="belongs to no decision"):
        tally.tally(where, id_)
    with pytest.raises(NoSuchMessage):
        tally.tally(where, "no-such-id")


def test_a_vote_that_forges_its_sender_is_not_counted(where: Tree) -> None:
    thread = propose(where, ["gemini", "codex"])
    forged = Path(where.outbox("judy").path) / "judy-20261122-000000-000000-aaaa.claude.txt"
    forged.write_text(
        f"ID: judy-20261122-000000-000000-aaaa\nFrom: gemini\nTo: claude\nSubject: s\nThread: {thread}\n\n[LGTM]"
    )
    assert state(where, thread) == OPEN


def test_a_message_by_hand_opens_a_decision_too(where: Tree, settings: Settings) -> None:
    (Path(where.outbox("claude").path) / "hand.txt").write_text(
        "ID: by-hand\nFrom: claude\nTo: gemini, codex\nSubject: s\nDecide: unanimous\nVoters: gemini, codex\n\nok?"
    )
    route(where, settings)
    answer(where, "by-hand", "gemini", "[LGTM]")
    answer(where, "by-hand", "codex", "[LGTM]")
    assert state(where, "by-hand") == APPROVED


def test_all_decisions_are_listed_newest_last(where: Tree) -> None:
    first, second = propose(where, ["gemini"]), propose(where, ["gemini", "codex"], opener="judy")
    post(where)
    assert [found.id for found in tally.decisions(where)] == [first, second]
    assert tally.decisions(where)[1].as_json() == {
        "thread": second,
        "subject": "the index",
        "opener": "judy",
        "rule": "majority",
        "state": "open",
        "needed": 2,
        "of": 3,
        "votes": {"judy": "[LGTM]", "gemini": None, "codex": None},
        "vote_ids": {"judy": second},
        "missing": ["gemini", "codex"],
        "judge": None,
    }


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ("Decide: maybe\nVoters: gemini", "Decide is 'maybe', but must be majority or unanimous"),
        ("Decide: Majority\nVoters: gemini", "Decide is 'Majority'"),
        ("Decide: majority", "Voters must name 1 or more besides the sender"),
        ("Decide: majority\nVoters: claude", "Voters must name 1 or more besides the sender"),
        ("Decide: majority\nVoters: gemini codex", "Voters names 'gemini codex', and there is no such agent"),
        ("Decide: majority\nVoters: gemini, nobody", "Voters names 'nobody'"),
        ("Decide: unanimous\nVoters: gemini", "Voters must name 2 or more"),
    ],
)
def test_a_message_by_hand_that_opens_no_possible_decision_is_malformed_and_decides_nothing(
    where: Tree, settings: Settings, headers: str, why: str
) -> None:
    path = Path(where.outbox("claude").path) / "by-hand.gemini.txt"
    path.write_text(f"ID: by-hand\nFrom: claude\nTo: gemini\nSubject: s\n{headers}\n\nok?")
    if "gemini" not in headers or "gemini codex" in headers:
        with pytest.raises(NoDecision):
            tally.tally(where, "by-hand")
    steps = route(where, settings)
    assert steps[0].verb == "reject"
    assert why in steps[0].why


def test_by_all_whoever_was_not_written_to_is_missing(where: Tree, settings: Settings) -> None:
    (Path(where.outbox("claude").path) / "hand.txt").write_text(
        "ID: by-hand\nFrom: claude\nTo: gemini\nSubject: s\nDecide: unanimous\nVoters: gemini, codex\n\nok?"
    )
    route(where, settings)
    answer(where, "by-hand", "gemini", "[LGTM]")
    found = tally.tally(where, "by-hand")
    assert (found.state, found.missing) == (OPEN, ["codex"])


def _hand(where: Tree, owner: str, name: str, id_: str, headers: str, body: str = "ok?", to: str = "gemini") -> None:
    path = Path(where.outbox(owner).path) / name
    path.write_text(f"ID: {id_}\nFrom: {owner}\nTo: {to}\nSubject: s\n{headers}\n\n{body}")


def test_a_thread_named_after_an_agent_is_no_mail_to_that_agent(where: Tree, settings: Settings) -> None:
    other = propose(where, ["gemini"], opener="judy")
    answer(where, other, "gemini", "[LGTM] of the other", to="judy, codex")
    _hand(where, "claude", "codex.gemini.txt", "codex", "Decide: majority\nVoters: gemini")
    route(where, settings)
    assert tally.tally(where, "codex").state == OPEN


def test_nobody_takes_a_decision_over_by_its_id(where: Tree, settings: Settings) -> None:
    thread = propose(where, ["codex"], opener="gemini")
    _hand(where, "claude", "x.judy.txt", thread, "Decide: majority\nVoters: judy", to="judy")
    route(where, settings)
    found = tally.tally(where, thread)
    assert (found.opener, found.state) == ("gemini", OPEN)


def test_an_id_that_two_claim_and_that_is_nobodys_opens_nothing(where: Tree, settings: Settings) -> None:
    for owner in ("claude", "judy"):
        _hand(where, owner, "x.gemini.txt", "x", "Decide: majority\nVoters: gemini")
    route(where, settings)
    with pytest.raises(NoDecision):
        tally.tally(where, "x")


def test_an_opener_cannot_call_more_judges(where: Tree, settings: Settings) -> None:
    thread = propose(where, ["gemini", "codex"])
    for voter in ("gemini", "codex"):
        answer(where, thread, voter, "[CONTINUE] no")
    where.make(["a", "b", "c"])
    for number, friend in enumerate("abc"):
        _hand(where, "claude", f"j{number}.{friend}.txt", f"j{number}", f"Thread: {thread}\nDecide: judge", to=friend)
        answer(where, thread, friend, "[LGTM]")
    route(where, settings)
    assert state(where, thread) == REJECTED


def test_an_older_vote_that_is_delivered_late_changes_nothing(where: Tree, settings: Settings) -> None:
    thread = propose(where, ["gemini"], ["gemini", "judy"])
    answer(where, thread, "gemini", "[LGTM] now")
    route(where, settings)
    older = "gemini-20200101-000000-000000-aaaa"
    _hand(where, "gemini", "old.txt", older, f"Thread: {thread}", "[CONTINUE] not yet", to="claude")
    route(where, settings)
    assert state(where, thread) == APPROVED
    assert not judged(where, "judy")


def test_other_mail_with_a_tag_costs_the_router_no_count(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = propose(where, ["gemini"])

    def never(*_: object) -> None:
        raise AssertionError("the votes were counted")

    monkeypatch.setattr(tally, "tally", never)
    answer(where, thread, "codex", "[LGTM] but I am not asked")
    _hand(where, "gemini", "x.txt", "x", "Thread: none-such", "[LGTM]", to="claude")
    _hand(where, "gemini", "y.txt", "y", "Thread: ../..", "[LGTM]", to="claude")
    steps = route(where, settings)
    assert not [step.why for step in steps if step.verb == "deliver" and step.why]


# --- the judge ------------------------------------------------------------------------------------------


def judged(where: Tree, agent: str) -> list[Message]:
    """Return the requests to judge that wait unread for an agent."""
    loaded = [one.load() for one in unread.unread_for(where, agent)]
    return [message for message in loaded if message.get("Decide") == "judge"]


def test_where_two_disagree_the_voter_kept_back_is_asked_once(where: Tree, settings: Settings) -> None:
    thread = propose(where, ["gemini"], ["gemini", "judy"])
    answer(where, thread, "gemini", "[CONTINUE] one file is enough\n[CONTINUE] > really")
    for _ in range(3):
        route(where, settings)
    (request,) = judged(where, "judy")
    assert (request.sender, request.subject, request.thread) == ("claude", "judge: the index", thread)
    assert request.get("Auto-Submitted") == "auto-generated"
    assert "> Let us use SQLite for the index." in request.body
    assert "> [CONTINUE] one file is enough" in request.body
    found = tally.tally(where, thread)
    assert (found.state, found.missing, found.judges) == (DISPUTED, ["judy"], ["judy"])


@pytest.mark.parametrize(("vote", "expected"), [("[LGTM]", APPROVED), ("[CONTINUE] gemini is right", REJECTED)])
def test_the_judge_decides(where: Tree, settings: Settings, vote: str, expected: str) -> None:
    thread = propose(where, ["gemini"], ["gemini", "judy"])
    answer(where, thread, "gemini", "[CONTINUE] no")
    route(where, settings)
    answer(where, judged(where, "judy")[0].id, "judy", vote)
    route(where, settings)
    assert state(where, thread) == expected
    assert len(judged(where, "judy")) == 1


def test_with_nobody_kept_back_an_agent_that_is_online_is_asked(where: Tree, settings: Settings) -> None:
    where.make(["claude@web", "anna@shop"])
    thread = propose(where, ["gemini"])
    with session(where, "judy"), session(where, "anna@shop"), session(where, "gemini"):
        answer(where, thread, "gemini", "[CONTINUE] no")
        route(where, settings)
    assert len(judged(where, "judy")) == 1, "of the same project as the opener"
    assert not judged(where, "anna@shop")
    assert tally.tally(where, thread).judges == ["judy"]


def test_where_nobody_is_online_whoever_was_seen_last_finds_the_request_with_its_mail(
    where: Tree, settings: Settings
) -> None:
    where.make(["anna@shop"])
    with session(where, "anna@shop"):
        pass
    thread = propose(where, ["gemini"])
    answer(where, thread, "gemini", "[CONTINUE] no")
    route(where, settings)
    assert len(judged(where, "anna@shop")) == 1
    assert tally.tally(where, thread).judges == ["anna@shop"]


def test_another_agent_is_asked_before_a_further_session_of_one_that_votes(where: Tree, settings: Settings) -> None:
    thread = propose(where, ["gemini"])
    where.make(["claude-2"])
    with session(where, "claude-2"), session(where, "judy"):
        answer(where, thread, "gemini", "[CONTINUE] no")
        route(where, settings)
    assert len(judged(where, "judy")) == 1


def test_voters_kept_back_by_hand_are_asked_once_the_others_have_come_to_no_end(
    where: Tree, settings: Settings
) -> None:
    (Path(where.outbox("claude").path) / "hand.txt").write_text(
        "ID: by-hand\nFrom: claude\nTo: gemini\nSubject: s\nDecide: majority\nVoters: gemini, codex, judy\n\nok?"
    )
    route(where, settings)
    answer(where, "by-hand", "gemini", "[LGTM] fine")
    route(where, settings)
    for agent in ("codex", "judy"):
        (request,) = judged(where, agent)
        assert 'claude needs more votes on "s"' in request.body
        assert "Your voice decides" not in request.body
    assert tally.tally(where, "by-hand").missing == ["codex", "judy"]
    answer(where, "by-hand", "judy", "[LGTM]")
    found = tally.tally(where, "by-hand")
    assert (found.state, found.awaited) == (APPROVED, [])


def test_with_nobody_there_the_next_vote_asks(where: Tree, settings: Settings) -> None:
    for agent in ("codex", "judy"):
        shutil.rmtree(where.outbox(agent).path)
    thread = propose(where, ["gemini"])
    answer(where, thread, "gemini", "[CONTINUE] no")
    route(where, settings)
    found = tally.tally(where, thread)
    assert (found.state, found.judges) == (DISPUTED, [])
    where.make(["codex"])
    with session(where, "codex"):
        answer(where, thread, "gemini", "[CONTINUE] still no")
        route(where, settings)
    assert len(judged(where, "codex")) == 1


def test_a_vote_by_hand_under_any_name_asks_too(where: Tree, settings: Settings) -> None:
    thread = propose(where, ["gemini"], ["gemini", "judy"])
    (Path(where.outbox("gemini").path) / "no.txt").write_text(
        f"ID: no\nFrom: gemini\nTo: claude\nSubject: s\nThread: {thread}\n\n[CONTINUE]"
    )
    route(where, settings)
    assert len(judged(where, "judy")) == 1


@pytest.mark.parametrize(("voters", "rule"), [(["gemini", "codex"], MAJORITY), (["gemini", "codex"], UNANIMOUS)])
def test_while_a_vote_is_missing_or_three_decide_no_judge_is_asked(
    where: Tree, settings: Settings, voters: list[str], rule: str
) -> None:
    thread = propose(where, voters, rule=rule)
    with session(where, "judy"):
        answer(where, thread, "gemini", "[CONTINUE] no")
        route(where, settings)
        answer(where, thread, "codex", "[LGTM]")
        route(where, settings)
    assert not judged(where, "judy")


def test_a_vote_sent_to_others_too_asks_once(where: Tree, settings: Settings) -> None:
    thread = propose(where, ["gemini"], ["gemini", "judy"])
    answer(where, thread, "gemini", "[CONTINUE] no", to="claude, codex, judy")
    route(where, settings)
    assert len(judged(where, "judy")) == 1


def test_a_long_proposal_is_quoted_in_part(where: Tree, settings: Settings) -> None:
    recipients, headers = opening.opening("claude", ["gemini"], MAJORITY, ["gemini", "judy"])
    thread = send(where, "claude", Draft(recipients, "[LGTM]\n" * 50_000, "s", extra=headers), LIMIT).id
    answer(where, thread, "gemini", "[CONTINUE]\n" * 50_000)
    route(where, settings)
    (request,) = judged(where, "judy")
    assert "characters in all)" in request.body
    assert len(request.body) < 20_000
    assert tally.tally(where, thread).votes["claude"].message.id == thread


def test_trouble_with_the_judge_keeps_no_vote_from_being_delivered(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    thread = propose(where, ["gemini"], ["gemini", "judy"])
    id_ = answer(where, thread, "gemini", "[CONTINUE] no")

    def broken(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(judge, "ask_if_split", broken)
    steps = route(where, settings)
    assert [step.why for step in steps if step.verb == "deliver" and step.outbox.owner == "gemini"] == [
        "no judge could be asked: [Errno 28] No space left on device"
    ]
    assert id_ in [one.id for one in unread.unread_for(where, "claude")]
