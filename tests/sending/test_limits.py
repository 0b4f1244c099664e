"""Before a send: two agents that answer each other at once are stopped, and a refusal by a card comes at once."""

from __future__ import annotations

from pathlib import Path

import pytest

from ai_bridge import settings
from ai_bridge.agents import cards
from ai_bridge.agents.policy import RefusedByCard
from ai_bridge.errors import BridgeError
from ai_bridge.history import threads
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.compose import Draft, Sent
from ai_bridge.mailboxes.outbox import DROPPED, HELD, READ
from ai_bridge.mailboxes.tree import Tree, UnknownAgent
from ai_bridge.router.route import Router
from ai_bridge.sending import allowances, limits, pairs, traffic
from ai_bridge.sending.allow import allow_mail
from ai_bridge.sending.limits import NotSent, NotSentByModel
from ai_bridge.settings import Settings
from tests.support.mail import LIMIT, post, route, send, send_batch, states

OTHER = {"claude": "gemini", "gemini": "claude"}


@pytest.fixture
def settings_(where: Tree, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """The settings as they are where nobody sets any."""
    monkeypatch.delenv("AI_BRIDGE_PAIR_PER_HOUR")
    loaded = settings.load(where.path)
    assert (loaded.max_hops, loaded.pair_per_hour) == (20, 60)
    return loaded


def _say(where: Tree, loaded: Settings, sender: str, draft: Draft, by_person: bool = False) -> Sent:
    """Send as the faces do, for a model unless a person sends."""
    limits.check(where, sender, [draft], loaded, by_person, by_model=not by_person)
    return send(where, sender, draft, LIMIT)


def _answer(where: Tree, loaded: Settings, sender: str, id_: str, by_person: bool = False) -> str:
    in_reply_to, thread, depth = threads.reply_headers(where, trace.find(where, id_)[0].load())
    draft = Draft([OTHER[sender]], "and you?", "s", in_reply_to, thread, hops=depth)
    return _say(where, loaded, sender, draft, by_person).id


def _talk(where: Tree, loaded: Settings, id_: str, last: str) -> tuple[int, str, str]:
    """Let both answer at once until one is refused; returns how many answers, the last ID and the refusal."""
    router, answers = Router(where, set(where.agents()), loaded), 0
    while answers < 1000:
        assert [step.verb for step in router.one_pass()] == ["deliver"]
        try:
            id_ = _answer(where, loaded, OTHER[last], id_)
        except NotSent as refusal:
            return answers, id_, str(refusal)
        last, answers = OTHER[last], answers + 1
    raise AssertionError("they go on for ever")


# --- threads ----------------------------------------------------------------------------------------------


def test_two_eager_agents_end_after_twenty_answers_and_a_person_lets_them_go_on(
    where: Tree, settings_: Settings
) -> None:
    first = _say(where, settings_, "claude", Draft(["gemini"], "hello")).id
    answers, last, refusal = _talk(where, settings_, first, "claude")
    assert answers == 20
    assert refusal == (
        "nothing was sent: this thread has gone on for 20 answers since a person last wrote or approved it (setting "
        f"max_hops): tell your user to run `ai-bridge allow {first}`, if it is to go on"
    )
    assert allow_mail(where, last, settings_.max_hops) == []
    again = _answer(where, settings_, "gemini", last)
    answers, _, refusal = _talk(where, settings_, again, "gemini")
    assert answers == 19
    assert "gone on for 40 answers" in refusal


def test_a_persons_answer_begins_the_count_anew(where: Tree, settings_: Settings) -> None:
    _, last, _ = _talk(where, settings_, _say(where, settings_, "claude", Draft(["gemini"], "x")).id, "claude")
    persons = _answer(where, settings_, "gemini", last, by_person=True)
    assert trace.find(where, persons)[0].load().get("Hops") == "0"
    assert _talk(where, settings_, persons, "gemini")[0] == 20


def test_an_answer_says_how_deep_it_is_and_what_answers_nothing_does_not(where: Tree, settings_: Settings) -> None:
    first = _say(where, settings_, "claude", Draft(["gemini"], "x")).id
    second = _answer(where, settings_, "gemini", first)
    assert [trace.find(where, id_)[0].load().get("Hops") for id_ in (first, second)] == [None, "1"]


def test_a_limit_of_zero_is_none(where: Tree) -> None:
    loaded = settings.load(where.path, {"max_hops": 0, "pair_per_hour": 0})
    limits.check(where, "claude", [Draft(["gemini"], "x", hops=10**6)] * 300, loaded)


# --- pairs ------------------------------------------------------------------------------------------------


def _fresh_until_refused(where: Tree, loaded: Settings, delivered: bool = True) -> tuple[int, str]:
    """Let both send each other new threads in turn; returns how many messages, and the refusal."""
    router, sent, sender = Router(where, set(where.agents()), loaded), 0, "claude"
    while sent < 1000:
        try:
            _say(where, loaded, sender, Draft([OTHER[sender]], "something else"))
        except NotSent as refusal:
            return sent, str(refusal)
        if delivered:
            assert [step.verb for step in router.one_pass()] == ["deliver"]
        sent, sender = sent + 1, OTHER[sender]
    raise AssertionError("they go on for ever")


def test_with_new_threads_they_end_after_sixty_messages_and_a_person_lets_them_go_on(
    where: Tree, settings_: Settings
) -> None:
    sent, refusal = _fresh_until_refused(where, settings_)
    assert sent == 60
    assert refusal == (
        "nothing was sent: claude and gemini have exchanged 60 messages within an hour, the most that is set "
        "(pair_per_hour): this eases in about 60 min; if it cannot wait, tell your user to run "
        "`ai-bridge allow claude`, or to raise pair_per_hour in settings.toml"
    )
    assert allow_mail(where, "gemini", settings_.max_hops) == []
    _say(where, settings_, "claude", Draft(["gemini"], "on"))


def test_what_is_dropped_and_not_delivered_yet_counts(where: Tree, settings_: Settings) -> None:
    assert _fresh_until_refused(where, settings_, delivered=False)[0] == 60


def test_a_person_lets_go_on_whose_mail_is_not_delivered_yet_and_it_counts_not_even_then(
    where: Tree, settings_: Settings
) -> None:
    _fresh_until_refused(where, settings_, delivered=False)
    allow_mail(where, "claude", settings_.max_hops)
    _say(where, settings_, "claude", Draft(["gemini"], "on"))
    assert len(list(Router(where, set(where.agents()), settings_).one_pass())) == 61
    allowance = allowances.of_agent(where, "claude")
    assert allowance is not None
    later = [second for second in traffic.recent(where, "claude", "gemini").counted if second > allowance.seconds]
    assert len(later) <= 1  # "on" counts, unless it was delivered in the very second of the allowance
    for _ in range(60 - len(later)):
        _say(where, settings_, "claude", Draft(["gemini"], "and on"))
    with pytest.raises(NotSent):
        _say(where, settings_, "claude", Draft(["gemini"], "and on"))


def test_a_person_is_neither_refused_nor_counted(where: Tree, settings_: Settings) -> None:
    for _ in range(70):
        _say(where, settings_, "claude", Draft(["gemini"], "x"), by_person=True)
    _say(where, settings_, "claude", Draft(["gemini"], "x"))
    assert {step.verb for step in route(where, settings_)} == {"deliver"}
    assert len(traffic.recent(where, "claude", "gemini").counted) == 1
    for _ in range(59):
        _say(where, settings_, "claude", Draft(["gemini"], "x"))
    with pytest.raises(NotSent):
        _say(where, settings_, "claude", Draft(["gemini"], "x"))
    _say(where, settings_, "claude", Draft(["gemini"], "x"), by_person=True)


def test_a_person_is_told_the_setting_and_the_command(where: Tree, settings_: Settings) -> None:
    _fresh_until_refused(where, settings_)
    with pytest.raises(NotSent) as caught:  # gemini wrote to claude, so a program that answers may go no further
        limits.check(where, "claude", [Draft(["gemini"], "x")], settings_)
    assert not isinstance(caught.value, NotSentByModel)
    assert str(caught.value) == (
        "claude and gemini have exchanged 60 messages within an hour, the most that is set (`pair_per_hour` in "
        "settings.toml, or AI_BRIDGE_PAIR_PER_HOUR): this eases in about 60 min, or a person lets them go on with "
        "`ai-bridge allow claude`; nothing was sent"
    )
    assert "tell your user to run `ai-bridge allow claude`" in caught.value.to_model()


def _program(where: Tree, loaded: Settings, sender: str) -> None:
    """Send as a program does that no client started."""
    limits.check(where, sender, [draft := Draft([OTHER[sender]], "x")], loaded)
    send(where, sender, draft, LIMIT)


@pytest.mark.parametrize("delivered", [True, False])
def test_a_program_that_nobody_answers_has_no_limit(where: Tree, settings_: Settings, delivered: bool) -> None:
    for _ in range(100):
        _program(where, settings_, "claude")
        if delivered:
            assert [step.verb for step in route(where, settings_)] == ["deliver"]
    assert HELD not in states(where, "claude")
    route(where, settings_)
    _say(where, settings_, "gemini", Draft(["claude"], "one answer to a hundred lines"))
    assert [step.verb for step in route(where, settings_)] == ["deliver"]


@pytest.mark.parametrize("delivered", [True, False])
def test_two_programs_that_answer_each_other_end_although_no_header_names_a_model(
    where: Tree, settings_: Settings, delivered: bool
) -> None:
    for number in range(60 + delivered):  # a first one that was delivered answers nobody, and is free
        _program(where, settings_, ("claude", "gemini")[number % 2])
        if delivered:
            assert [step.verb for step in route(where, settings_)] == ["deliver"]
    with pytest.raises(NotSent):
        _program(where, settings_, "gemini" if delivered else "claude")


def test_a_person_who_writes_to_a_program_does_not_limit_it(where: Tree, settings_: Settings) -> None:
    _say(where, settings_, "gemini", Draft(["claude"], "how far are you?"), by_person=True)
    for _ in range(70):
        _program(where, settings_, "claude")
    assert {step.verb for step in route(where, settings_)} == {"deliver"}


def test_other_pairs_and_an_agents_mail_to_itself_have_budgets_of_their_own(where: Tree, settings_: Settings) -> None:
    where.make(["codex"])
    _fresh_until_refused(where, settings_)
    _say(where, settings_, "claude", Draft(["codex"], "x"))
    limits.check(where, "codex", [Draft(["codex"], "x")] * 60, settings_)
    with pytest.raises(NotSent):
        limits.check(where, "codex", [Draft(["codex"], "x")] * 61, settings_)


def test_a_batch_and_a_fan_out_are_refused_whole(where: Tree, settings_: Settings) -> None:
    where.make(["codex"])
    for drafts in ([Draft(["codex"], "x")] * 61, [Draft(["codex"], "x"), *[Draft(["*"], "x")] * 60]):
        with pytest.raises(NotSent, match="claude and codex have exchanged 60"):
            limits.check(where, "claude", drafts, settings_, by_model=True)
    assert states(where, "claude") == {}


def test_it_is_told_when_it_eases(where: Tree, settings_: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    now = 1_795_317_845
    monkeypatch.setattr(traffic.time, "time", lambda: now)
    refusal = pairs.too_busy(where, "claude", "gemini", [now - 3000, now - 10, *[now] * 58], 2, 60)
    assert refusal is not None
    assert refusal.facts["minutes"] == 60
    refusal = pairs.too_busy(where, "claude", "gemini", [now - 3000, now - 10, *[now] * 58], 1, 60)
    assert refusal is not None
    assert refusal.facts["minutes"] == 10


def test_an_hour_later_they_may_go_on(where: Tree, settings_: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    _fresh_until_refused(where, settings_)
    later = traffic.time.time() + traffic.SPAN_S + 1
    monkeypatch.setattr(traffic.time, "time", lambda: later)
    _say(where, settings_, "claude", Draft(["gemini"], "on"))


# --- cards ------------------------------------------------------------------------------------------------


def test_who_is_refused_by_a_card_is_told_at_once(where: Tree, settings_: Settings) -> None:
    cards.change(where, "gemini", {"refuse": "claude"})
    with pytest.raises(RefusedByCard) as caught:
        _say(where, settings_, "claude", Draft(["gemini"], "x"))
    assert str(caught.value) == ("gemini takes no mail from claude: its card says so (`ai-bridge card show gemini`)")
    with pytest.raises(RefusedByCard):
        _say(where, settings_, "claude", Draft(["gemini"], "x"), by_person=True)
    assert states(where, "claude") == {}


def test_of_everybody_who_refuses_is_left_out(where: Tree, settings_: Settings) -> None:
    where.make(["codex"])
    cards.change(where, "gemini", {"refuse": "*"})
    assert _say(where, settings_, "claude", Draft(["*"], "x")).recipients == ["codex"]
    with pytest.raises(RefusedByCard):
        _say(where, settings_, "claude", Draft(["codex, gemini"], "x"))
    cards.change(where, "codex", {"refuse": "claude"})
    with pytest.raises(RefusedByCard):
        _say(where, settings_, "claude", Draft(["*"], "x"))


def test_a_card_that_holds_does_not_keep_from_sending(where: Tree, settings_: Settings) -> None:
    cards.change(where, "gemini", {"hold": "*"})
    assert _say(where, settings_, "claude", Draft(["gemini"], "x")).recipients == ["gemini"]


# --- trouble ----------------------------------------------------------------------------------------------


def test_who_is_unknown_is_refused_as_ever(where: Tree, settings_: Settings) -> None:
    for sender, recipient in (("nobody", "gemini"), ("claude", "nobody")):
        with pytest.raises(UnknownAgent):
            _say(where, settings_, sender, Draft([recipient], "x"))


def test_without_any_state_nothing_is_counted_and_all_goes_on(
    where: Tree, settings_: Settings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "file"))
    _say(where, settings_, "claude", Draft(["gemini"], "x"))
    assert [step.verb for step in Router(where, {"claude", "gemini"}, settings_).one_pass()] == ["deliver"]


def test_an_outbox_that_cannot_be_listed_holds_nothing_and_a_file_that_cannot_be_read_counts(
    where: Tree, settings_: Settings
) -> None:
    outbox = where.outbox("gemini")
    Path(outbox.file(DROPPED, "n1.claude.txt")).write_bytes(b"\xff")
    with pytest.raises(NotSent):
        limits.check(where, "claude", [Draft(["gemini"], "x")] * 60, settings_, by_model=True)
    limits.check(where, "claude", [Draft(["gemini"], "x")] * 59, settings_, by_model=True)
    assert pairs.dropped(where, "nobody", "claude") == []


def test_a_decision_opened_by_an_answer_is_as_deep_as_one(where: Tree, settings_: Settings) -> None:
    """It is a thread of its own: a person lets it go on by the ID of what it answers."""
    first = post(where, "x")
    draft = Draft(["claude"], "let us vote", "s", first, None, hops=21)
    with pytest.raises(NotSent, match=f"`ai-bridge allow {first}`"):
        limits.check(where, "gemini", [draft], settings_)
    allow_mail(where, first, settings_.max_hops)
    with pytest.raises(BridgeError):
        limits.check(where, "gemini", [draft], settings_)
    draft.hops = 20
    limits.check(where, "gemini", [draft], settings_)
    assert (
        threads.depth_of(where, trace.find(where, send_batch(where, "gemini", [draft], LIMIT)[0].id)[0].load()) == 20
    )
    assert states(where, "gemini").keys() == {DROPPED}
    assert READ not in states(where, "claude")
