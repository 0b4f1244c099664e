"""A session is told of each message once, whichever process tells it; a message it was not told of comes again."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from ai_bridge.inbox.fetch import fetch
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import READ
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.mailboxes.unread import Waiting
from ai_bridge.reach import rings as told_
from ai_bridge.reach.rings import Ring, Rings
from ai_bridge.settings import Settings
from ai_bridge.system.locks import holder
from tests.support.checkout import ROOT
from tests.support.mail import post
from tests.support.wait import until

ROUNDS = 60
# Claims what is new, as one of a session's processes: prints `have` for each claim, or `none`, when it is asked to.
TELLER = """
import sys
from ai_bridge.mailboxes.unread import unread_for
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.reach.rings import Rings

where = Tree(sys.argv[1])
told = Rings(where, "gemini", "the session")
for _ in sys.stdin:
    claim = told.begin_ring(lambda: unread_for(where, "gemini"))
    print(",".join(one.id for one in claim.news) if claim else "none", flush=True)
    if claim and sys.argv[2] == "settles":
        claim.finish(True)
"""


def told_of(where: Tree, key: str = "the session") -> Rings:
    return Rings(where, "gemini", key)


def look(where: Tree) -> list[Waiting]:
    return unread.unread_for(where, "gemini")


def claimed(where: Tree, told: Rings) -> Ring:
    claim = told.begin_ring(lambda: look(where))
    assert claim is not None
    return claim


def tell(where: Tree, told: Rings) -> list[str]:
    """Tell the session what is new; returns the IDs."""
    claim = told.begin_ring(lambda: look(where))
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


def test_another_session_is_told_too(where: Tree, settings: Settings) -> None:
    ids = deliver(where, settings)
    assert tell(where, told_of(where)) == ids
    assert tell(where, told_of(where, "a new session")) == ids
    assert tell(where, told_of(where)) == []


def test_what_was_read_between_two_looks_is_not_told(where: Tree, settings: Settings) -> None:
    read, left = deliver(where, settings, 2)
    looks = 0

    def read_between() -> list[Waiting]:
        nonlocal looks
        looks += 1
        if looks == 2:
            unread.acknowledge(where, "gemini", [read])
        return look(where)

    claim = told_of(where).begin_ring(read_between)
    assert claim is not None
    assert [one.id for one in claim.news] == [left]
    claim.finish(told=True)


def test_where_all_was_read_between_two_looks_nothing_is_claimed(where: Tree, settings: Settings) -> None:
    deliver(where, settings)
    looks = iter([look(where), []])
    told = told_of(where)
    assert told.begin_ring(lambda: next(looks)) is None
    assert tell(where, told) != [], "and the next may tell"


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


def test_while_one_tells_no_other_claims(where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(told_, "_PATIENCE_S", 0.01)
    deliver(where, settings)
    claim = claimed(where, told_of(where))
    assert told_of(where).begin_ring(lambda: look(where)) is None
    claim.finish(told=True)


def test_a_look_that_fails_leaves_nothing_claimed(where: Tree, settings: Settings) -> None:
    ids = deliver(where, settings)
    looks = iter([look(where)])
    told = told_of(where)
    with pytest.raises(StopIteration):
        told.begin_ring(lambda: next(looks))
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


def test_what_is_unread_no_more_is_forgotten(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    for _ in range(5):
        (id_,) = deliver(where, settings)
        assert tell(where, told) == [id_]
        unread.acknowledge(where, "gemini", [id_])
    (memory,) = Path(where.state_file("told")).iterdir()
    assert memory.read_text().count(".gemini.txt") == 1


def test_a_message_put_back_to_unread_once_others_were_told_is_told_again(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    (id_,) = deliver(where, settings)
    assert tell(where, told) == [id_]
    unread.acknowledge(where, "gemini", [id_])
    other = deliver(where, settings)
    assert tell(where, told) == other
    where.outbox("claude").move(f"restore {READ}", f"{id_}.gemini.txt")
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
    lock = where.lock_file("told", "gemini")
    assert holder(lock) is not None
    os.kill(teller.pid, signal.SIGKILL)
    until(lambda: holder(lock) is None)
    assert tell(where, told_of(where)) == ids


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
    passing = Rings(where, "gemini", "the session", passing=True)
    assert passing.begin_ring(lambda: look(where)) is None
    Path(where.state_file("told")).unlink()
    assert tell(where, passing) != []


def test_a_claim_for_some_of_the_mail_forgets_nothing_of_the_rest(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    first = deliver(where, settings)
    assert tell(where, told) == first
    second = deliver(where, settings)
    claim = told.begin_ring(lambda: look(where), lambda one: one.id in second)
    assert claim is not None
    claim.finish(told=True)
    assert tell(where, told) == []


def test_a_message_that_a_person_put_back_is_told_again_at_once(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    (id_,) = deliver(where, settings)
    assert tell(where, told) == [id_]
    unread.acknowledge(where, "gemini", [id_])
    where.outbox("claude").move(f"restore {READ}", f"{id_}.gemini.txt")
    assert tell(where, told) == [id_]


def test_what_was_told_of_may_be_shown_once_too(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    assert tell(where, told) == ids
    claim = told.begin_ring(lambda: look(where), showing=True)
    assert claim is not None
    claim.finish(told=True)
    assert told.begin_ring(lambda: look(where), showing=True) is None


def test_a_session_that_forgot_is_told_anew(where: Tree, settings: Settings) -> None:
    told = told_of(where)
    ids = deliver(where, settings)
    assert tell(where, told) == ids
    told.forget()
    assert tell(where, told_of(where)) == ids
