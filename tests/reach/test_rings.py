"""A session is told of each message once, whichever process tells it; a message it was not told of comes again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.clients import CLAUDE_CODE
from ai_bridge.inbox.fetch import fetch
from ai_bridge.machines import this_machine
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach import memory
from ai_bridge.reach.manner import PUSH, Manner, of_hook
from ai_bridge.reach.memory import HEARD, LOST, READ, RUNG, SHOWN
from ai_bridge.reach.pace import Pace
from ai_bridge.reach.rings import Ring, Rings
from ai_bridge.reach.ways import MARK
from ai_bridge.settings import Settings
from tests.support.checkout import ROOT
from tests.support.mail import post
from tests.support.wait import until

ROUNDS = 60
# Claims what is new, as one of a session's processes: prints `have` for each claim, or `none`, when it is asked to.
TELLER = """
import sys
from ai_bridge.clients import CLAUDE_CODE
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.manner import of_hook
from ai_bridge.reach.pace import Pace
from ai_bridge.reach.rings import Rings

where = Tree(sys.argv[1])
told = Rings(where, "gemini", "the session", Pace((0.05,), 0))
hook = of_hook(CLAUDE_CODE, "UserPromptSubmit", showing=False)
for _ in sys.stdin:
    claim = told.begin_ring(lambda: unread_for(where, "gemini"), hook)
    print(",".join(one.id for one in claim.news) if claim else "none", flush=True)
    if claim and sys.argv[2] == "settles":
        claim.finish(True)
"""


# No ring is repeated while a test runs.
SLOW = Pace((3600.0,), 0)
HOOK = of_hook(CLAUDE_CODE, "UserPromptSubmit", showing=False)
CARRYING = of_hook(CLAUDE_CODE, "UserPromptSubmit", showing=True)


def told_of(where: Tree, key: str = "the session", pace: Pace = SLOW) -> Rings:
    return Rings(where, "gemini", key, pace)


def look(where: Tree) -> list[Waiting]:
    return unread.unread_for(where, "gemini")


def claimed(where: Tree, told: Rings, manner: Manner = HOOK) -> Ring:
    claim = told.begin_ring(lambda: look(where), manner)
    assert claim is not None
    return claim


def tell(where: Tree, told: Rings, manner: Manner = HOOK) -> list[str]:
    """Tell the session what is new; returns the IDs."""
    claim = told.begin_ring(lambda: look(where), manner)
    if claim is None:
        return []
    claim.finish(told=True)
    return [one.id for one in claim.news]


def deliver(where: Tree, settings: Settings, number: int = 1) -> list[str]:
    """Have so many messages wait for gemini; returns their IDs."""
    ids = [post(where) for _ in range(number)]
    fetch(where, "gemini", settings)
    return ids


def test_a_message_is_told_once_and_a_later_one_by_itself(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    assert tell(where, told) == []
    first = deliver(where, settings, 2)
    assert tell(where, told) == first
    assert tell(where, told) == []
    assert tell(where, told_of(where)) == [], "another process of the session"
    second = deliver(where, settings)
    assert tell(where, told_of(where)) == second
    assert tell(where, told) == []


def test_a_message_whose_sender_still_removes_its_temporary_name_is_told_once(
    where: Tree, settings: Settings
) -> None:
    """A drop is a link and then a removal: a router may deliver in between."""
    ids = deliver(where, settings)
    (one,) = look(where)
    temporary = f"{one.path}.temporary"
    os.link(one.path, temporary)
    late = threading.Timer(0.01, os.unlink, (temporary,))
    late.start()
    assert tell(where, told_of(where)) == ids
    late.join()
    assert tell(where, told_of(where)) == []


def test_another_session_is_told_too(where: Tree, settings: Settings) -> None:
    ids = deliver(where, settings)
    assert tell(where, told_of(where)) == ids
    assert tell(where, told_of(where, "a new session")) == ids
    assert tell(where, told_of(where)) == []


def test_what_is_read_after_the_look_is_not_told(where: Tree, settings: Settings) -> None:
    read, left = deliver(where, settings, 2)

    def read_afterwards() -> list[Waiting]:
        found = look(where)
        unread.acknowledge(where, "gemini", [read])
        return found

    claim = told_of(where).begin_ring(read_afterwards, HOOK)
    assert claim is not None
    assert [one.id for one in claim.news] == [left]
    claim.finish(told=True)


def test_if_all_is_read_after_the_look_nothing_is_claimed(where: Tree, settings: Settings) -> None:
    ids, found, told = deliver(where, settings), look(where), told_of(where)
    unread.acknowledge(where, "gemini", ids)
    assert told.begin_ring(lambda: found, HOOK) is None
    assert told.memory().entries == {}


def test_a_claim_that_was_not_told_is_told_again(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    claimed(where, told).finish(told=False)
    assert tell(where, told) == ids


def test_a_claim_is_settled_once(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    claim = claimed(where, told)
    claim.finish(told=False)
    claim.finish(told=True)
    assert tell(where, told) == ids


def test_while_one_tells_no_other_claims(where: Tree, settings: Settings) -> None:
    deliver(where, settings)
    claim = claimed(where, told_of(where))
    assert told_of(where).begin_ring(lambda: look(where), HOOK) is None
    claim.finish(told=True)


def test_a_look_that_fails_leaves_nothing_claimed(where: Tree, settings: Settings) -> None:
    ids, told = deliver(where, settings), told_of(where)
    with pytest.raises(StopIteration):
        told.begin_ring(lambda: next(iter([])))
    assert tell(where, told) == ids


def test_what_was_shown_is_not_told(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    shown, other = deliver(where, settings, 2)
    told.add([one for one in look(where) if one.id == shown])
    assert tell(where, told_of(where)) == [other]


def test_what_was_shown_while_another_is_told_is_not_told_later(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    deliver(where, settings)
    claim = claimed(where, told)
    later = deliver(where, settings)
    told.add([one for one in look(where) if one.id in later])
    claim.finish(told=True)
    assert tell(where, told_of(where)) == []


def test_many_threads_that_note_what_they_showed_lose_nothing(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    deliver(where, settings, 30)
    threads = [threading.Thread(target=told.add, args=([one],)) for one in look(where)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert tell(where, told_of(where)) == []


def test_of_messages_that_are_read_only_the_latest_are_remembered(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(memory, "_KEPT", 2)
    told = told_of(where)
    for _ in range(5):
        (id_,) = deliver(where, settings)
        assert tell(where, told) == [id_]
        unread.acknowledge(where, "gemini", [id_])
    (file,) = Path(where.state_file("told")).iterdir()
    assert file.read_text().count(".gemini.txt") == 3


def test_a_message_put_back_to_unread_once_others_were_told_is_told_again(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    (id_,) = deliver(where, settings)
    assert tell(where, told) == [id_]
    unread.acknowledge(where, "gemini", [id_])
    other = deliver(where, settings)
    assert tell(where, told) == other
    where.outbox("claude").move("restore read", f"{id_}.gemini.txt")
    assert tell(where, told) == [id_]


def test_where_the_disk_takes_no_note_the_process_itself_remembers(where: Tree, settings: Settings) -> None:
    Path(where.state_file("told")).parent.mkdir(parents=True, exist_ok=True)
    Path(where.state_file("told")).write_text("no directory")
    told = told_of(where)
    first = deliver(where, settings)
    assert tell(where, told) == first
    assert tell(where, told) == []
    Path(where.state_file("told")).unlink()
    second = deliver(where, settings)
    assert tell(where, told) == second
    assert tell(where, told_of(where)) == [], "and what is written in the end is all of it"


def test_what_is_no_list_is_taken_for_an_empty_one(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    tell(where, told)
    (memory,) = Path(where.state_file("told")).iterdir()
    memory.write_bytes(b"\xff\0\xfe" * 100)
    assert tell(where, told) == ids


# --- several processes ------------------------------------------------------------------------------------


def start_teller(
    where: Tree, processes: list[subprocess.Popen[bytes]], does: str = "settles"
) -> subprocess.Popen[bytes]:
    words = [sys.executable, "-c", TELLER, where.path, does]
    processes.append(subprocess.Popen(words, stdin=subprocess.PIPE, stdout=subprocess.PIPE, cwd=ROOT))
    return processes[-1]


def ask(teller: subprocess.Popen[bytes]) -> None:
    assert teller.stdin is not None
    teller.stdin.write(b"\n")
    teller.stdin.flush()


def answer(teller: subprocess.Popen[bytes]) -> str:
    assert teller.stdout is not None
    return teller.stdout.readline().decode().strip()


def test_of_processes_that_tell_at_the_same_instant_exactly_one_does(
    where: Tree, settings: Settings, processes: list[subprocess.Popen[bytes]]
) -> None:
    tellers = [start_teller(where, processes) for _ in range(2)]
    for number in range(ROUNDS):
        ids = deliver(where, settings)
        for teller in tellers:
            ask(teller)
        said = sorted(answer(teller) for teller in tellers)
        assert said == sorted(["none", *ids]), number


def test_a_process_killed_while_it_tells_lets_another_tell(
    where: Tree, settings: Settings, processes: list[subprocess.Popen[bytes]]
) -> None:
    teller = start_teller(where, processes, "keeps")
    ids = deliver(where, settings)
    ask(teller)
    assert answer(teller) == ids[0]
    os.kill(teller.pid, signal.SIGKILL)
    teller.wait()
    quick, told = told_of(where, pace=Pace((0.05,), 0)), []
    until(lambda: told.extend(tell(where, quick)) or told)
    assert told == ids


# --- what must not be told again and again --------------------------------------------------------------


def test_a_name_with_a_line_break_is_told_once(where: Tree) -> None:
    told = told_of(where)
    Path(where.outbox("claude").file("unread", "a\nb\tc.gemini.txt")).write_text("no message")
    assert tell(where, told) != []
    assert tell(where, told_of(where)) == []


def test_who_is_passing_tells_nothing_where_the_disk_takes_no_note(where: Tree, settings: Settings) -> None:
    Path(where.state_file("told")).parent.mkdir(parents=True, exist_ok=True)
    Path(where.state_file("told")).write_text("no directory")
    deliver(where, settings)
    passing = Rings(where, "gemini", "the session", SLOW, passing=True)
    assert passing.begin_ring(lambda: look(where), HOOK) is None
    Path(where.state_file("told")).unlink()
    assert tell(where, passing) != []


def test_a_claim_for_some_of_the_mail_forgets_nothing_of_the_rest(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    first = deliver(where, settings)
    assert tell(where, told) == first
    second = deliver(where, settings)
    claim = told.begin_ring(lambda: look(where), HOOK, lambda one: one.id in second)
    assert claim is not None
    claim.finish(told=True)
    assert tell(where, told) == []


def test_a_message_that_a_person_put_back_is_told_again_at_once(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    (id_,) = deliver(where, settings)
    assert tell(where, told) == [id_]
    unread.acknowledge(where, "gemini", [id_])
    where.outbox("claude").move("restore read", f"{id_}.gemini.txt")
    assert tell(where, told) == [id_]


def test_what_was_told_of_may_be_shown_once_too(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    assert tell(where, told) == ids
    claim = told.begin_ring(lambda: look(where), CARRYING)
    assert claim is not None
    claim.finish(told=True)
    assert told.begin_ring(lambda: look(where), CARRYING) is None


def test_a_session_that_forgot_is_told_anew(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    assert tell(where, told) == ids
    told.begin_session()
    assert tell(where, told_of(where)) == ids


# --- heard ------------------------------------------------------------------------------------------------

# A ring counts as unheard at once.
QUICK = Pace((0.0, 0.0, 0.0), 0)


def push(where: Tree, told: Rings) -> list[str]:
    """Ring by a push, which the client may lose; returns the IDs."""
    return tell(where, told, PUSH)


def how(told: Rings) -> list[str]:
    """Return what the session knows of each message."""
    return [one.how for _, one in sorted(told.memory().entries.items())]


def test_a_push_is_heard_once_the_session_shows_life(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    assert push(where, told) == ids
    assert how(told) == [RUNG]
    assert push(where, told) == [], "while it is unanswered"
    told_of(where).hear()
    assert how(told) == [HEARD]
    assert [push(where, told), tell(where, told)] == [[], []]


def test_a_push_that_nobody_heard_is_repeated_as_often_as_is_set_and_no_more(where: Tree, settings: Settings) -> None:
    told = told_of(where, pace=QUICK)
    ids = deliver(where, settings)
    assert [push(where, told) for _ in range(6)] == [ids] * 4 + [[]] * 2


def test_a_push_that_nobody_heard_in_time_is_given_back_to_the_hooks(where: Tree, settings: Settings) -> None:
    told = told_of(where, pace=QUICK)
    ids = deliver(where, settings)
    assert push(where, told) == ids
    told.hear()
    assert how(told) == [RUNG], "a sign of life that comes too late is no receipt"
    assert tell(where, told) == ids
    assert tell(where, told) == []
    assert push(where, told) == []


def test_a_prompt_of_the_user_shows_that_a_push_did_not_arrive(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    assert push(where, told) == ids
    told.hear_prompt("what do you think of the parser?")
    assert how(told) == [LOST]
    assert tell(where, told) == ids
    assert how(told) == [HEARD]


def test_a_prompt_that_is_our_notice_is_the_receipt(where: Tree, settings: Settings) -> None:
    told = told_of(where, pace=QUICK)
    deliver(where, settings)
    push(where, told)
    told.hear_prompt(f"Another session sent a message: {MARK} 1 new message for gemini")
    assert how(told) == [HEARD]
    assert [push(where, told), tell(where, told)] == [[], []]


def test_a_prompt_of_the_user_proves_nothing_while_a_push_may_wait_in_its_queue(
    where: Tree, settings: Settings
) -> None:
    told = told_of(where, pace=Pace((3600.0,), 0, receipt_s=15.0))
    deliver(where, settings)
    push(where, told)
    told.hear_prompt("what do you think of the parser?")
    assert how(told) == [RUNG]
    assert tell(where, told) == []


def test_a_prompt_of_the_user_shows_that_the_second_push_did_not_arrive_either(
    where: Tree, settings: Settings
) -> None:
    told = told_of(where, pace=Pace((0.0, 3600.0), 0, receipt_s=0.0))
    ids = deliver(where, settings)
    assert [push(where, told), push(where, told)] == [ids, ids]
    told.pace = Pace((0.0, 3600.0), 0, receipt_s=15.0)
    told.hear_prompt("what do you think of the parser?")
    assert how(told) == [LOST]


def test_the_second_hook_after_a_ring_shows_that_it_was_heard(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    told.hear_hook()
    deliver(where, settings)
    push(where, told)
    told.hear_hook()
    assert how(told) == [RUNG], "it may have run before the request that brings the ring"
    told_of(where).hear_hook()
    assert how(told) == [HEARD]


def test_a_client_that_confirms_a_ring_has_heard_it(where: Tree, settings: Settings) -> None:
    told = told_of(where, pace=QUICK)
    deliver(where, settings)
    claimed(where, told, PUSH).finish(told=True, heard=True)
    assert how(told) == [HEARD]


def test_mail_that_comes_while_a_ring_is_unanswered_adds_none(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    first = deliver(where, settings)
    assert push(where, told) == first
    second = deliver(where, settings)
    assert push(where, told) == []
    told.hear()
    assert push(where, told) == [], "heard is not read"
    unread.acknowledge(where, "gemini", first)
    assert push(where, told) == second


def test_a_turn_that_begins_anyway_hears_of_all_mail(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    push(where, told) if deliver(where, settings) else None
    second = deliver(where, settings)
    told.hear()
    end, start = of_hook(CLAUDE_CODE, "Stop", showing=False), HOOK
    assert tell(where, told, end) == []
    assert tell(where, told, start) == second


def test_new_mail_rings_in_the_end_although_earlier_mail_stays_unread(where: Tree, settings: Settings) -> None:
    told = told_of(where, pace=QUICK)
    deliver(where, settings)
    push(where, told)
    told.hear_prompt(MARK)
    second = deliver(where, settings)
    assert push(where, told) == second


def test_it_is_known_when_the_next_ring_is_due(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    deliver(where, settings)
    assert told.next_s(look(where)) == 0
    push(where, told)
    assert 3500 < told.next_s(look(where)) <= 3600
    told.hear()
    assert told.next_s(look(where)) == float("inf")


def test_a_clock_that_was_set_back_delays_no_ring(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    now = time.time_ns()
    monkeypatch.setattr(time, "time_ns", lambda: now + 86_400 * 10**9)
    push(where, told)
    monkeypatch.undo()
    assert push(where, told) == ids


# --- how hard ---------------------------------------------------------------------------------------------


def urgent(where: Tree, settings: Settings, urgency: str) -> str:
    """Have a message of that urgency wait for gemini; returns its ID."""
    id_ = post(where, extra={"Urgency": urgency})
    fetch(where, "gemini", settings)
    return id_


@pytest.mark.parametrize(
    ("urgency", "heard_at"),
    [
        ("quiet", ["UserPromptSubmit"]),
        ("next", ["push", "Stop", "UserPromptSubmit"]),
        ("now", ["push", "Stop", "PostToolUse", "UserPromptSubmit"]),
    ],
)
def test_an_urgency_says_when_mail_is_announced(
    where: Tree, settings: Settings, urgency: str, heard_at: list[str]
) -> None:
    id_ = urgent(where, settings, urgency)
    ways = ["push", "Stop", "PostToolUse", "UserPromptSubmit"]
    manners = {way: PUSH if way == "push" else of_hook(CLAUDE_CODE, way, showing=False) for way in ways}
    found = {way for way in ways if tell(where, told_of(where, way), manners[way]) == [id_]}
    assert found == set(heard_at)


def test_urgent_mail_of_another_team_is_ordinary(where: Tree, settings: Settings) -> None:
    where.make(["claude@partner"])
    id_ = post(where, extra={"Urgency": "now"}, sender="claude@partner")
    fetch(where, "gemini", settings)
    cards.put(where, "claude@partner", {"home": this_machine.here(), "link": "partner", "remote": "claude"})
    assert tell(where, told_of(where), of_hook(CLAUDE_CODE, "PostToolUse", showing=False)) == []
    assert push(where, told_of(where)) == [id_]


def test_ordinary_mail_reaches_a_turn_that_goes_on_and_on(where: Tree, settings: Settings) -> None:
    id_ = urgent(where, settings, "next")
    between = of_hook(CLAUDE_CODE, "PostToolUse", showing=False)
    assert tell(where, told_of(where), between) == []
    assert tell(where, told_of(where, pace=QUICK), between) == [id_]


def test_mail_begins_so_many_turns_per_hour_and_then_waits_for_the_next(where: Tree, settings: Settings) -> None:
    told = told_of(where, pace=Pace((3600.0,), 2))
    for number in range(4):
        ids = deliver(where, settings)
        assert push(where, told) == (ids if number < 2 else [])
        assert tell(where, told_of(where, pace=told.pace)) == ([] if number < 2 else ids)
        unread.acknowledge(where, "gemini", ids)
    assert 3500 < told.pace.turn_ns(told.memory(), time.time_ns()) / 10**9 - time.time() <= 3600


# --- a session that begins again --------------------------------------------------------------------------


def test_a_session_in_another_process_of_its_client_is_told_again(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    told.begin_session("process 1 1")
    ids = deliver(where, settings)
    assert tell(where, told) == ids
    told_of(where).begin_session("process 1 1")
    assert tell(where, told) == [], "its server was only started again"
    told_of(where).begin_session("process 2 2")
    assert tell(where, told) == ids


def test_what_was_rung_and_read_is_still_known(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    push(where, told)
    unread.acknowledge(where, "gemini", ids)
    deliver(where, settings)
    push(where, told)
    assert how(told) == [READ, RUNG]
    assert [one.by for one in told.memory().entries.values()] == ["a push"] * 2
    told.add(look(where))
    assert how(told) == [READ, SHOWN]
