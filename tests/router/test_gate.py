"""A file dropped by other means meets the same limits at the router: held, its sender informed, a person decides."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from ai_bridge import settings
from ai_bridge.agents import cards
from ai_bridge.archive.restore import CannotRestore, put_back
from ai_bridge.history import search
from ai_bridge.history.query import Query
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, PROCESSING, READ, REASON, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.router.route import Router
from ai_bridge.sending import allowances, traffic
from ai_bridge.sending.allow import NothingOfThatName, allow_mail
from ai_bridge.sending.allowances import Allowance
from ai_bridge.settings import Settings
from tests.support.mail import LIMIT, post, route, send, states


@pytest.fixture
def loaded(where: Tree) -> Settings:
    """Small limits, and nothing to wait for before a file is refused."""
    return settings.load(where.path, {"settle_s": 0.0, "max_hops": 3, "pair_per_hour": 5})


def _drop(where: Tree, id_: str, sender: str = "claude", to: str = "gemini", **headers: str) -> None:
    """Put a message into an outbox by hand."""
    named = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    text = f"ID: {id_}\nFrom: {sender}\nTo: {to}\nSubject: s\n{named}\nbody"
    Path(where.outbox(sender).path, f"{id_}.txt").write_text(text)


def _verbs(where: Tree, loaded: Settings) -> list[str]:
    return [step.verb for step in route(where, loaded)]


def _notices(where: Tree, agent: str) -> list[tuple[str, str]]:
    """Return subject and body of the postmaster's notices to an agent."""
    found = [one.load() for one in unread_for(where, agent, "postmaster")]
    assert all(notice.get("Auto-Submitted") == "auto-generated" for notice in found)
    return [(notice.subject, notice.body) for notice in found]


# --- threads ----------------------------------------------------------------------------------------------


def _hand_talk(where: Tree, loaded: Settings) -> str:
    """Two agents that know nothing of `Hops` answer each other until one is not delivered; returns its ID."""
    pair, headers = ("claude", "gemini"), dict[str, str]()
    for number in range(100):
        sender, to = pair[number % 2], pair[1 - number % 2]
        _drop(where, f"n{number}", sender, to, **headers)
        if _verbs(where, loaded)[0] == "hold":
            return f"n{number}"
        headers = {"In_Reply_To": f"n{number}", "Thread": "n0"}
    raise AssertionError("they go on for ever")


def test_answers_without_hops_are_counted_and_the_first_beyond_is_held(where: Tree, loaded: Settings) -> None:
    assert _hand_talk(where, loaded) == "n4"
    (place,) = trace.find(where, "n4")
    why = (
        "this thread has gone on for 3 answers since a person last wrote or approved it (setting max_hops): "
        "a person lets it go on with `ai-bridge allow n0`"
    )
    assert (place.state, place.name, place.reason()) == (HELD, "n4.gemini.txt", why)
    assert _notices(where, "claude") == [
        (
            "held: n4.gemini.txt",
            "A message from your outbox waits for a person's approval.\n\n"
            f"Reason: {why}\nKept as: {place.path}\nTell your user, and do not send it again.\n",
        )
    ]
    assert _verbs(where, loaded) == []


def test_what_is_held_goes_on_once_it_is_allowed(where: Tree, loaded: Settings) -> None:
    held = _hand_talk(where, loaded)
    (place,) = allow_mail(where, held, loaded.max_hops)
    assert (place.id, place.state, place.reason()) == (held, DROPPED, None)
    assert os.listdir(where.outbox("claude").directory(HELD)) == []
    assert [(step.verb, step.name) for step in route(where, loaded)] == [("deliver", "n4.gemini.txt")]
    found = allowances.of_thread(where, "n0")
    assert found is not None
    assert found.hops == 4 + 3
    for number in range(5, 9):  # the pair's budget, of five, is used up: of that more below
        shutil.rmtree(Path(os.environ["AI_BRIDGE_STATE"], "traffic"))
        sender, to = ("claude", "gemini") if number % 2 == 0 else ("gemini", "claude")
        _drop(where, f"n{number}", sender, to, In_Reply_To=f"n{number - 1}", Thread="n0")
        assert _verbs(where, loaded)[0] == ("deliver" if number < 8 else "hold")


@pytest.mark.parametrize(("text", "verb"), [("3", "deliver"), ("4", "hold"), ("9" * 5000, "hold"), ("-9", "deliver")])
def test_the_header_is_believed_if_it_is_a_number(where: Tree, loaded: Settings, text: str, verb: str) -> None:
    _drop(where, "n1", Hops=text)
    assert _verbs(where, loaded)[0] == verb


def test_a_thread_is_allowed_by_any_message_of_it_even_if_its_first_is_gone(where: Tree, loaded: Settings) -> None:
    _drop(where, "n1", Hops="9", Thread="long-gone")
    _drop(where, "n2", Hops="9", Thread="other")
    route(where, loaded)
    assert [place.id for place in allow_mail(where, "long-gone", 3)] == ["n1"]
    assert [place.id for place in allow_mail(where, "n2.gemini.txt", 3)] == ["n2"]
    with pytest.raises(NothingOfThatName):
        allow_mail(where, "never-was", 3)
    assert sorted(os.listdir(Path(where.path, "allowed"))) == [
        *("long-gone.thread", "n2.gemini.txt.thread", "other.thread"),
    ]


def test_a_message_of_the_thread_that_cannot_be_read_any_more_is_passed_over(where: Tree, loaded: Settings) -> None:
    _hand_talk(where, loaded)
    names = states(where, "gemini")[UNREAD]
    search.thread(where, "n0")
    with open(where.outbox("gemini").file(UNREAD, names[-1]), "ab") as file:
        file.write(b"\xff")
    assert [place.id for place in allow_mail(where, "n0", 3)] == ["n4"]


# --- pairs ------------------------------------------------------------------------------------------------


def test_more_than_a_pair_may_is_held_and_goes_on_once_the_agent_is_allowed(where: Tree, loaded: Settings) -> None:
    for number in range(8):
        sender, to = ("claude", "gemini") if number % 2 else ("gemini", "claude")
        _drop(where, f"n{number}", sender, to, Composed_By="model")
    verbs = _verbs(where, loaded)
    assert (verbs.count("deliver"), verbs.count("hold")) == (5 + 3, 3)  # three are notices
    held = sorted(name for owner in ("claude", "gemini") for name in states(where, owner).get(HELD, []))
    assert len(held) == 3
    for agent in ("claude", "gemini"):
        allow_mail(where, agent, loaded.max_hops)
    assert _verbs(where, loaded) == ["deliver"] * 3
    assert all(HELD not in states(where, owner) for owner in ("claude", "gemini"))


def test_what_was_held_of_a_thread_goes_on_whatever_the_pair_has_sent(where: Tree, loaded: Settings) -> None:
    for number in range(7):
        _drop(where, f"n{number}", Thread="t", Composed_By="model")
    _verbs(where, loaded)
    assert len(allow_mail(where, "t", 3)) == 2
    assert _verbs(where, loaded) == ["deliver", "deliver"]
    _drop(where, "another", Thread="t", Composed_By="model")
    assert _verbs(where, loaded)[0] == "hold"


def test_a_persons_word_and_notices_are_not_counted(where: Tree, loaded: Settings) -> None:
    for number in range(9):
        _drop(where, f"n{number}", Hops="0")
    assert _verbs(where, loaded) == ["deliver"] * 9
    for number in range(9):
        _drop(where, f"bad{number}", to="nobody")
    assert _verbs(where, loaded).count("deliver") == 9
    assert not traffic.recent(where, "claude", "gemini")
    assert not traffic.recent(where, "postmaster", "claude")


def test_what_no_model_composed_and_nobody_answers_is_free(where: Tree, loaded: Settings) -> None:
    for number in range(9):
        _drop(where, f"n{number}")
    assert _verbs(where, loaded) == ["deliver"] * 9
    assert traffic.recent(where, "claude", "gemini").free
    _drop(where, "answer", "gemini", "claude")
    assert _verbs(where, loaded) == ["deliver"]
    for number in range(5):
        _drop(where, f"m{number}")
    verbs = _verbs(where, loaded)
    assert (verbs.count("deliver"), verbs.count("hold")) == (4 + 1, 1)  # one is a notice


def test_a_persons_message_makes_no_answer_count(where: Tree, loaded: Settings) -> None:
    _drop(where, "asked", "gemini", "claude", Hops="0")
    for number in range(9):
        _drop(where, f"n{number}")
    assert _verbs(where, loaded) == ["deliver"] * 10


def test_mail_to_oneself_counts(where: Tree, loaded: Settings) -> None:
    for number in range(6):
        _drop(where, f"n{number}", to="claude")
    assert _verbs(where, loaded).count("hold") == 1


def test_what_another_machine_delivered_makes_the_answers_count(where: Tree, loaded: Settings) -> None:
    """The mail for an agent elsewhere is counted there, so the tree itself has to say that it was written to."""
    Path(where.path, "agents/claude.md").write_text("---\nname: claude\nhome: elsewhere-0000\n---\n")
    gemini = Homes(where)
    assert gemini.is_elsewhere("claude")
    for number in range(6):
        _drop(where, f"n{number}")
    assert [step.verb for step in route(where, loaded, {"gemini"})] == ["deliver"] * 6
    asked = send(where, "gemini", Draft(["claude"], "x"), LIMIT)
    outbox = where.outbox("gemini")
    assert outbox.move("claim", f"{asked.id}.claude.txt")
    assert outbox.move("deliver", f"{asked.id}.claude.txt")
    for number in range(6):
        _drop(where, f"m{number}")
    assert [step.verb for step in route(where, loaded, {"gemini"})].count("hold") == 1


def test_a_pass_that_is_left_early_has_counted(where: Tree, loaded: Settings) -> None:
    for number in range(4):
        _drop(where, f"n{number}", Composed_By="model")
    steps = Router(where, {"claude", "gemini"}, loaded).one_pass()
    next(steps)
    next(steps)
    steps.close()
    assert len(traffic.recent(where, "claude", "gemini").counted) == 2


def test_the_same_message_again_is_not_counted_again(where: Tree, loaded: Settings) -> None:
    for _ in range(9):
        _drop(where, "same", Composed_By="Model")
        _verbs(where, loaded)
    assert len(traffic.recent(where, "claude", "gemini").counted) == 1


# --- cards ------------------------------------------------------------------------------------------------


def test_what_a_card_holds_waits_and_who_is_accepted_comes_through(where: Tree, loaded: Settings) -> None:
    where.make(["codex"])
    cards.change(where, "gemini", {"hold": "*", "accept": "codex"})
    first = post(where, "x")
    post(where, "y", sender="codex")
    route(where, loaded)
    assert [one.sender for one in unread_for(where, "gemini")] == ["codex"]
    assert states(where, "claude") == {HELD: [f"{first}.gemini.txt"]}
    (place,) = trace.find(where, first)
    assert place.reason() == (
        f"gemini holds mail from claude until a person approves it: `ai-bridge allow {first}` lets this thread go "
        "on, `ai-bridge allow claude` all so far"
    )
    with pytest.raises(CannotRestore, match=r"is held, not read or malformed"):
        put_back(where, first)
    assert [one.outbox.owner for one in search.find(where, Query(agent="claude")).places] == ["postmaster"]


def test_an_allowed_thread_passes_from_then_on_and_no_other(where: Tree, loaded: Settings) -> None:
    cards.change(where, "gemini", {"hold": "claude"})
    first, other = post(where, "x"), post(where, "y")
    route(where, loaded)
    assert [place.id for place in allow_mail(where, first, 3)] == [first]
    post(where, "again", in_reply_to="z", thread=first)
    assert sorted(step.verb for step in route(where, loaded)) == ["deliver", "deliver"]
    assert states(where, "claude")[HELD] == [f"{other}.gemini.txt"]


def test_an_allowed_agent_passes_with_what_it_wrote_until_then(where: Tree, loaded: Settings) -> None:
    cards.change(where, "gemini", {"hold": "claude"})
    first = post(where, "x")
    route(where, loaded)
    dropped = post(where, "not seen yet")
    allow_mail(where, "claude", 3)
    later = post(where, "later")
    route(where, loaded)
    assert sorted(states(where, "claude")[UNREAD]) == [f"{first}.gemini.txt", f"{dropped}.gemini.txt"]
    assert states(where, "claude")[HELD] == [f"{later}.gemini.txt"]


def test_a_clock_that_is_ahead_does_not_hold_what_was_allowed(where: Tree, loaded: Settings) -> None:
    cards.change(where, "gemini", {"hold": "claude"})
    ahead = time.strftime("%Y%m%d-%H%M%S", time.gmtime(time.time() + 3600))
    _drop(where, f"claude-{ahead}-000000-abcd")
    _drop(where, "claude-99990101-000000-000000-abcd")
    route(where, loaded)
    assert len(allow_mail(where, "claude", 3)) == 2
    assert sorted(step.verb for step in route(where, loaded))[:2] == ["deliver", "deliver"]
    assert states(where, "claude")[HELD] == ["claude-99990101-000000-000000-abcd.gemini.txt"]
    found = allowances.of_agent(where, "claude")
    assert found is not None
    assert found.seconds < time.time() + 1


def test_only_what_is_held_for_one_agent_may_be_let_go(where: Tree, loaded: Settings) -> None:
    where.make(["codex"])
    for agent in ("gemini", "codex"):
        cards.change(where, agent, {"hold": "*"})
    post(where, "x", to="*")
    route(where, loaded)
    assert [place.recipient for place in allow_mail(where, "claude", 3, only="codex")] == ["codex"]
    route(where, loaded)
    assert [one.sender for one in unread_for(where, "codex")] == ["claude"]
    assert [name.endswith(".gemini.txt") for name in states(where, "claude")[HELD]] == [True]


def test_what_a_card_refuses_is_malformed_and_its_sender_told(where: Tree, loaded: Settings) -> None:
    cards.change(where, "gemini", {"refuse": "claude"})
    _drop(where, "n1")
    allowances.allow_agent(where, "claude", Allowance("2" * 20, "9" * 20))
    assert _verbs(where, loaded) == ["reject", "deliver"]
    (place,) = trace.find(where, "n1")
    assert (place.state, place.reason()) == (
        MALFORMED,
        "gemini takes no mail from claude: its card says so (`ai-bridge card show gemini`)",
    )
    assert [subject for subject, _ in _notices(where, "claude")] == ["not delivered: n1.txt"]


def test_the_postmaster_is_neither_held_nor_refused(where: Tree, loaded: Settings) -> None:
    cards.change(where, "claude", {"refuse": "*"})
    _drop(where, "n1", to="nobody")
    assert _verbs(where, loaded) == ["reject", "deliver"]


def test_a_persons_word_is_held_by_a_card_like_any(where: Tree, loaded: Settings) -> None:
    cards.change(where, "gemini", {"hold": "*"})
    _drop(where, "n1", Hops="0")
    assert _verbs(where, loaded) == ["hold", "deliver"]


# --- the move ---------------------------------------------------------------------------------------------


def test_an_outbox_of_an_older_layout_is_completed(where: Tree, loaded: Settings) -> None:
    os.rmdir(where.outbox("claude").directory(HELD))
    _drop(where, "n1", Hops="9")
    router = Router(where, {"claude", "gemini"}, loaded)
    assert [(step.verb, step.why) for step in router.one_pass()] == [("retry", "its outbox lacked a directory")]
    assert [step.verb for step in router.one_pass()] == ["hold"]


def test_nothing_is_replaced_where_a_name_is_taken(where: Tree, loaded: Settings) -> None:
    outbox = where.outbox("claude")
    for body in ("one", "two"):
        raw = f"ID: same\nFrom: claude\nTo: gemini\nSubject: s\nHops: 9\n\n{body}"
        Path(outbox.path, "x.txt").write_text(raw)
        _verbs(where, loaded)
    assert states(where, "claude")[HELD] == ["same.gemini.txt", "same.gemini~1.txt"]
    assert len(allow_mail(where, "same", 6)) == 2
    _verbs(where, loaded)
    assert states(where, "claude").keys() == {UNREAD, MALFORMED}  # the second uses the first one's ID


def test_a_disk_that_refuses_to_let_go_keeps_the_message_and_its_reason(
    where: Tree, loaded: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    _drop(where, "n1", Hops="9")
    route(where, loaded)
    (before,) = trace.find(where, "n1")
    why = before.reason()

    def refuse(self: Outbox, verb: str, name: str, new_name: str | None = None) -> bool:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Outbox, "move", refuse)
        with pytest.raises(OSError, match="No space"):
            allow_mail(where, "n1", 3)
    (after,) = trace.find(where, "n1")
    assert (after.state, after.reason()) == (HELD, why)
    assert Path(after.path + REASON).exists()


def test_of_a_message_that_cannot_be_read_any_more_nothing_is_let_go(where: Tree, loaded: Settings) -> None:
    _drop(where, "n1", Hops="9")
    _drop(where, "n2", Hops="9")
    route(where, loaded)
    Path(where.outbox("claude").file(HELD, "n1.gemini.txt")).write_bytes(b"\xff")
    assert [place.id for place in allow_mail(where, "claude", 3)] == ["n2"]
    assert states(where, "claude")[HELD] == ["n1.gemini.txt"]
    assert states(where, "claude").keys() == {HELD, DROPPED}
    assert PROCESSING not in states(where, "claude")
    assert READ not in states(where, "claude")
