"""An ID means one message: the caller's own if several senders used it; else the command asks for `SENDER/ID`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.mailboxes.outbox import DROPPED, HELD, MALFORMED, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.sending import allowances
from ai_bridge.settings import Settings
from tests.support.command import command
from tests.support.mail import route, states

BOTH = "alice/same-1, mallory/same-1"
ASKED = f"error: same-1 is the ID of several messages: say which as SENDER/ID, one of {BOTH}\n"


@pytest.fixture
def where(where: Tree, monkeypatch: pytest.MonkeyPatch) -> Tree:
    """Tree with alice, bob, carol and mallory, which the commands use."""
    where.make(["alice", "bob", "carol", "mallory"])
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    return where


def drop(where: Tree, sender: str, to: str = "bob", id_: str = "same-1", **headers: str) -> None:
    """Drop a message by hand."""
    more = "".join(f"{name.replace('_', '-')}: {value}\n" for name, value in headers.items())
    text = f"ID: {id_}\nFrom: {sender}\nTo: {to}\nSubject: from {sender}\n{more}\nbody of {sender}"
    Path(where.outbox(sender).path, f"by hand {id_}.txt").write_text(text)


@pytest.fixture
def both(where: Tree, settings: Settings) -> Tree:
    """Tree in which alice and mallory have sent bob a message of the same ID."""
    for sender in ("alice", "mallory"):
        drop(where, sender)
    route(where, settings)
    return where


def is_refused(*words: str, body: str = "") -> None:
    done = command(*words, body=body)
    assert (done.returncode, done.stdout, done.stderr) == (1, "", ASKED)


# --- acknowledge ----------------------------------------------------------------------------------------


def test_an_id_that_is_read_from_one_sender_is_not_taken_for_the_others(where: Tree, settings: Settings) -> None:
    drop(where, "mallory")
    route(where, settings)
    assert "body of mallory" in command("read", "--agent", "bob").stdout
    drop(where, "alice")
    route(where, settings)
    is_refused("acknowledge", "same-1", "--agent", "bob")
    assert states(where, "alice") == {UNREAD: ["same-1.bob.txt"]}
    assert command("acknowledge", "alice/same-1", "--agent", "bob").returncode == 0


def test_nothing_is_acknowledged_by_an_id_of_two_senders(both: Tree) -> None:
    is_refused("acknowledge", "same-1", "--agent", "bob")
    assert states(both, "alice").keys() == states(both, "mallory").keys() == {UNREAD}


@pytest.mark.parametrize(("meant", "other"), [("alice", "mallory"), ("mallory", "alice")])
def test_a_sender_and_an_id_acknowledge_that_senders(both: Tree, meant: str, other: str) -> None:
    done = command("acknowledge", f"{meant}/same-1", "--agent", "bob")
    assert (done.returncode, done.stdout) == (0, f"{meant}/same-1\n")
    assert (states(both, meant).keys(), states(both, other).keys()) == ({READ}, {UNREAD})
    assert "say which as SENDER/ID" in command("acknowledge", "same-1", "--agent", "bob").stderr
    done = command("acknowledge", f"{other}/same-1", "--agent", "bob", "--json")
    assert json.loads(done.stdout) == {"id": "same-1", "state": "read"}
    assert states(both, other).keys() == {READ}


def test_both_may_be_acknowledged_at_once_and_all_or_none_are(both: Tree) -> None:
    wrong = command("acknowledge", "alice/same-1", "carol/same-1", "--agent", "bob")
    assert wrong.stderr == "error: carol/same-1 is not unread for bob: nothing was acknowledged\n"
    assert states(both, "alice").keys() == {UNREAD}
    done = command("acknowledge", "alice/same-1", "mallory/same-1", "alice/same-1", "--agent", "bob")
    assert done.stdout == "alice/same-1\nmallory/same-1\n"


# --- look and restore -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("show",), ("status",), ("restore",)])
@pytest.mark.parametrize("agent", [(), ("--agent", "bob"), ("--agent", "carol")])
def test_what_two_may_mean_is_asked_back(both: Tree, words: tuple[str, ...], agent: tuple[str, ...]) -> None:
    is_refused(*words, "same-1", *agent)


def test_a_files_name_in_two_outboxes_is_asked_back_too(both: Tree) -> None:
    done = command("show", "same-1.bob.txt")
    assert "alice/same-1.bob.txt, mallory/same-1.bob.txt" in done.stderr
    assert "body of alice" in command("show", "alice/same-1.bob.txt").stdout


def test_a_sender_and_an_id_are_taken_wherever_an_id_is(both: Tree) -> None:
    assert "body of mallory" in command("show", "mallory/same-1").stdout
    assert command("status", "alice/same-1").stdout.startswith("alice/same-1 → bob: unread since ")
    command("read", "--agent", "bob")
    (told,) = map(json.loads, command("restore", "mallory/same-1", "--json").stdout.splitlines())
    assert (told["id"], told["state"]) == ("same-1", "unread")
    assert (states(both, "alice").keys(), states(both, "mallory").keys()) == ({READ}, {UNREAD})


@pytest.mark.parametrize(
    "word", ["carol/same-1", "nobody/same-1", "alice/", "alice/other", "alice/same-1/x", "/same-1"]
)
def test_what_names_no_message_of_that_sender_finds_none(both: Tree, word: str) -> None:
    done = command("status", word)
    assert done.stderr.startswith(f"error: there is no message {word} in ")


@pytest.mark.parametrize(
    ("agent", "found"), [("bob", "alice"), ("alice", "alice"), ("carol", "mallory"), ("mallory", "mallory")]
)
def test_a_caller_means_what_is_for_it_or_from_it(where: Tree, settings: Settings, agent: str, found: str) -> None:
    drop(where, "alice", "bob")
    drop(where, "mallory", "carol")
    for state in ("dropped", "delivered"):
        assert f"body of {found}" in command("show", "same-1", "--agent", agent).stdout, state
        assert f"body of {found}" in command("show", "same-1", AI_BRIDGE_AGENT=agent).stdout
        route(where, settings)
    is_refused("show", "same-1")


def test_a_message_to_several_is_one_message(where: Tree, settings: Settings) -> None:
    drop(where, "alice", "bob, carol")
    assert "bob, carol: dropped" in command("status", "same-1").stdout
    route(where, settings)
    assert len(command("status", "same-1").stdout.splitlines()) == 2
    command("read", "--agent", "bob")
    assert command("restore", "same-1").stdout == "same-1.bob.txt is unread again\n"


def test_an_id_that_begins_with_a_senders_name_may_be_anothers_too(where: Tree, settings: Settings) -> None:
    for sender in ("alice", "mallory"):
        drop(where, sender, id_="alice-20261122-032405")
    route(where, settings)
    done = command("status", "alice-20261122-032405", "--agent", "bob")
    assert "alice/alice-20261122-032405, mallory/alice-20261122-032405" in done.stderr


# --- answer ---------------------------------------------------------------------------------------------


def test_an_answer_names_the_message_that_is_meant(both: Tree, settings: Settings) -> None:
    drop(both, "alice", id_="same-2", Thread="talk")
    drop(both, "mallory", "carol", id_="same-2", Thread="trap")
    route(both, settings)
    answer = ("send", "alice", "re", "--from", "bob", "--reply-to")
    is_refused(*answer, "same-1", body="x")
    threads = []
    for id_ in ("mallory/same-1", "alice/same-2", "same-2"):
        sent = command(*answer, id_, body="x").stdout.strip()
        (told,) = map(json.loads, command("show", sent, "--json").stdout.splitlines())
        threads.append((told["in_reply_to"], told["thread"]))
    assert threads == [("same-1", "same-1"), ("same-2", "talk"), ("same-2", "talk")]
    line = json.dumps({"body": "x", "reply_to": "same-1"})
    refused = command("send", "alice", "--from", "bob", "--batch", body=line)
    which = "say which as SENDER/ID, one of alice/same-1, mallory/same-1; nothing was sent"
    assert refused.stderr == f"error: line 1 of the batch: same-1 is the ID of several messages: {which}\n"


# --- allow ----------------------------------------------------------------------------------------------


@pytest.fixture
def held(where: Tree, settings: Settings) -> Tree:
    """Mailboxes in which bob's card holds what alice and mallory have sent, each as the first of a thread."""
    cards.change(where, "bob", {"hold": "*"})
    for sender in ("alice", "mallory"):
        drop(where, sender)
    route(where, settings)
    return where


def test_a_thread_of_two_openers_is_not_allowed_before_one_is_named(held: Tree) -> None:
    is_refused("allow", "same-1")
    is_refused("allow", "same-1", "--agent", "bob")
    assert not Path(held.path, "allowed").exists()


def test_an_allowed_thread_lets_pass_who_takes_part_in_it_and_nobody_else(held: Tree, settings: Settings) -> None:
    done = command("allow", "alice/same-1")
    assert done.stdout == "same-1.bob.txt from alice is on its way again\n"
    found = allowances.of_thread(held, "same-1")
    assert found is not None
    assert found.among == {"alice", "bob"}
    drop(held, "mallory", id_="m-2", Thread="same-1", In_Reply_To="same-1")
    drop(held, "alice", id_="a-2", Thread="same-1")
    route(held, settings)
    assert states(held, "alice").keys() == {UNREAD}
    assert states(held, "mallory").keys() == {HELD}
    assert [len(held.outbox(agent).names(state)) for agent, state in (("alice", UNREAD), ("mallory", HELD))] == [2, 2]


def test_who_was_written_to_in_a_thread_takes_part_in_it(where: Tree, settings: Settings) -> None:
    drop(where, "alice", "bob", id_="n0")
    drop(where, "bob", "carol", id_="n1", Thread="n0")
    route(where, settings)
    cards.change(where, "alice", {"hold": "*"})
    for sender in ("carol", "mallory"):
        drop(where, sender, "alice", id_=f"{sender}-2", Thread="n0")
    route(where, settings)
    assert command("allow", "n1").stdout == "carol-2.alice.txt from carol is on its way again\n"
    assert states(where, "carol").keys() == {DROPPED}
    assert states(where, "mallory").keys() == {HELD}


def test_a_thread_whose_first_message_is_gone_is_that_of_one_who_claims_it(where: Tree, settings: Settings) -> None:
    cards.change(where, "bob", {"hold": "*"})
    for sender in ("alice", "mallory"):
        drop(where, sender, id_=f"{sender}-2", Thread="same-1")
    route(where, settings)
    is_refused("allow", "same-1")
    assert command("allow", "alice/same-1").stdout == "alice-2.bob.txt from alice is on its way again\n"
    assert states(where, "mallory").keys() == {HELD}


def test_a_rejected_file_of_an_id_is_restored_by_its_sender_and_id(where: Tree, settings: Settings) -> None:
    for sender in ("alice", "mallory"):
        drop(where, sender, "nobody")
    route(where, settings)
    assert states(where, "alice").keys() == states(where, "mallory").keys() == {MALFORMED}
    is_refused("restore", "same-1")
    unrepaired = command("restore", "alice/same-1")
    assert (unrepaired.returncode, "has not been repaired" in unrepaired.stderr) == (1, True)
    assert command("restore", "alice/same-1", "--force").returncode == 0
    assert (states(where, "alice").keys(), states(where, "mallory").keys()) == ({DROPPED}, {MALFORMED})
