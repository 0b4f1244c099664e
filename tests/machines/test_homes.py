"""Homes: one machine moves an agent's mail, and it is read only there; an old card is not believed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from itertools import permutations
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.agents import cards, session_names
from ai_bridge.agents.identity import Identity
from ai_bridge.errors import BridgeError
from ai_bridge.inbox import fetch
from ai_bridge.machines import homes, this_machine
from ai_bridge.machines.home_lines import Residence, parsed
from ai_bridge.machines.homes import Homes, LivesElsewhere, LivesNowhere, NobodyHere
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.daemon import Daemon
from ai_bridge.router.served import RouterLocks
from ai_bridge.server.client_session import Session
from ai_bridge.server.membership import Caller
from ai_bridge.settings import Settings
from tests.support.command import command
from tests.support.machine import LAPTOP, MINI, TOWER, On, settle_on, state_of
from tests.support.mail import post, states
from tests.support.wait import until

HAND = "ID: {id}\nFrom: claude\nTo: {to}\nSubject: s\n\nhello"


@pytest.fixture
def two(where: Tree, on: On) -> Tree:
    """Mailboxes of two machines: claude lives on the laptop, gemini and codex on the tower; this is the laptop."""
    settle_on(where, LAPTOP, "claude")
    settle_on(where, TOWER, "gemini", "codex")
    on(LAPTOP)
    return where


def drop_by_hand(where: Tree, name: str, text: str) -> None:
    Path(where.outbox("claude").path, name).write_text(text)


def one_pass(where: Tree, settings: Settings) -> None:
    """Make the pass of a machine's router, if anybody lives there."""
    try:
        Daemon(where, settings).run_once()
    except NobodyHere:
        return


# --- who moves ------------------------------------------------------------------------------------------


def _by_daemon(where: Tree, settings: Settings) -> None:
    Daemon(where, settings).run_once()


def _by_command(where: Tree, settings: Settings) -> None:
    assert command("router", "--once", "--mailboxes", where.path).returncode == 0


def _by_readers(where: Tree, settings: Settings) -> None:
    for agent in where.agents():
        fetch.fetch(where, agent, settings)


@pytest.mark.parametrize("way", [_by_daemon, _by_command, _by_readers])
def test_only_what_is_for_agents_that_live_here_is_moved(
    two: Tree, settings: Settings, on: On, way: Callable[[Tree, Settings], None]
) -> None:
    there, here = post(two), post(two, to="claude", sender="gemini")
    way(two, settings)
    assert states(two, "gemini") == {UNREAD: [f"{here}.claude.txt"]}
    assert states(two, "claude") == {DROPPED: [f"{there}.gemini.txt"]}
    on(TOWER)
    way(two, settings)
    assert states(two, "claude") == {UNREAD: [f"{there}.gemini.txt"]}


def test_a_router_at_work_serves_who_lives_here_and_takes_up_who_comes(
    two: Tree, processes: list[subprocess.Popen[bytes]]
) -> None:
    there, here = post(two), post(two, to="claude", sender="gemini")
    words = [sys.executable, "-m", "ai_bridge", "router", "--mailboxes", two.path]
    processes.append(subprocess.Popen(words, env={**os.environ, "AI_BRIDGE_SWEEP_S": "0.05"}))
    until(lambda: states(two, "gemini") == {UNREAD: [f"{here}.claude.txt"]})
    assert states(two, "claude") == {DROPPED: [f"{there}.gemini.txt"]}
    settle_on(two, LAPTOP, "gemini", epoch=2)
    until(lambda: states(two, "claude") == {UNREAD: [f"{there}.gemini.txt"]})
    settle_on(two, TOWER, "claude", epoch=2)
    until(lambda: two.agents() and _is_free(two, "claude"))
    further = post(two, to="claude", sender="gemini")
    until(lambda: not _is_free(two, "gemini"))
    assert f"{further}.claude.txt" in states(two, "gemini")[DROPPED]


def _is_free(where: Tree, agent: str) -> bool:
    from ai_bridge.health.mail import router_of

    return router_of(where, agent) is None


@pytest.mark.parametrize("order", sorted(set(permutations([LAPTOP, TOWER, LAPTOP, TOWER]))))
def test_what_has_no_single_valid_recipient_is_moved_where_its_sender_lives_alone(
    two: Tree, settings: Settings, on: On, order: tuple[str, ...]
) -> None:
    drop_by_hand(two, "all.txt", HAND.format(id="m-all", to="*"))
    drop_by_hand(two, "two.txt", HAND.format(id="m-two", to="gemini, codex"))
    drop_by_hand(two, "bad.txt", "no headers")
    drop_by_hand(two, "nobody.txt", HAND.format(id="m-nobody", to="who"))
    dropped, moved = {"all.txt", "two.txt", "bad.txt", "nobody.txt"}, False
    for machine in order:
        on(machine)
        one_pass(two, settings)
        moved |= machine == LAPTOP
        assert moved != dropped.issubset(states(two, "claude").get(DROPPED, []))
    on(TOWER)
    one_pass(two, settings)
    found = states(two, "claude")
    sent = [f"m-{name}.{to}.txt" for name in ("all", "two") for to in ("codex", "gemini")]
    assert sorted(found.pop(UNREAD)) == sent
    assert sorted(found.pop(MALFORMED)) == ["bad.txt", "nobody.txt"]
    assert found == {}


def test_a_notice_reaches_the_sender_on_its_own_machine(two: Tree, settings: Settings, on: On) -> None:
    on(TOWER)
    drop_by_hand(two, "x.gemini.txt", "ID: no other header")
    one_pass(two, settings)
    assert states(two, "claude") == {DROPPED: ["x.gemini.txt"]} or MALFORMED in states(two, "claude")
    on(LAPTOP)
    one_pass(two, settings)
    one_pass(two, settings)
    assert states(two, "claude") == {MALFORMED: ["x.gemini.txt"]}
    assert [name.endswith(".claude.txt") for name in states(two, "postmaster")[UNREAD]] == [True]


def test_what_lies_in_the_postmasters_outbox_for_nobody_is_moved_by_one_machine_alone(
    two: Tree, settings: Settings, on: On
) -> None:
    two.outbox("postmaster").make()
    Path(two.outbox("postmaster").path, "odd.txt").write_text("no headers")
    on(TOWER)
    one_pass(two, settings)
    assert states(two, "postmaster") == {DROPPED: ["odd.txt"]}
    on(LAPTOP)  # the least of all homes
    one_pass(two, settings)
    assert states(two, "postmaster") == {MALFORMED: ["odd.txt"]}


# --- agents without a home ------------------------------------------------------------------------------


def test_without_another_machine_an_agent_without_a_home_is_this_ones(where: Tree, settings: Settings) -> None:
    post(where)
    Daemon(where, settings).run_once()
    assert list(states(where, "claude")) == [UNREAD]


def _by_mark(where: Tree) -> None:
    Path(where.path, ".stfolder").mkdir()


def _by_other_card(where: Tree) -> None:
    settle_on(where, MINI, "codex")


@pytest.mark.parametrize("share", [_by_mark, _by_other_card])
def test_in_shared_mailboxes_an_agent_without_a_home_is_nobodys_until_init_gives_it_one(
    where: Tree, settings: Settings, on: On, share: Callable[[Tree], None]
) -> None:
    id_ = post(where)
    share(where)
    for machine in (LAPTOP, TOWER):
        on(machine)
        with pytest.raises(NobodyHere, match=f"no agent of .* lives on this machine, {machine}"):
            Daemon(where, settings).run_once()
        with pytest.raises(LivesNowhere, match="run `ai-bridge init gemini` on the machine"):
            Homes(where).check("gemini")
        assert fetch.fetch(where, "gemini", settings) == []
    assert list(states(where, "claude")) == [DROPPED]
    cards.introduce(where, "gemini")
    assert [one.id for one in fetch.fetch(where, "gemini", settings)] == [id_]
    on(LAPTOP)
    assert fetch.fetch(where, "claude", settings) == []
    with pytest.raises(LivesElsewhere):
        Homes(where).check("gemini")


# --- what a card says -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("card", "home_", "epoch", "next_"),
    [
        (b"---\nname: x\nhome: tower-bbbbbbbb\nepoch: 7\nnext: mini-cccccccc\n---\n", TOWER, 7, MINI),
        (b"---\r\nhome: tower-bbbbbbbb\r\nepoch: 7\r\n---\r\ntext", TOWER, 7, ""),
        (b"\n\n---\nhome: tower-bbbbbbbb\n---\n", TOWER, 1, ""),
        (b"---\nhome: 'tower-bbbbbbbb'\nepoch: \"3\"\n---\n", TOWER, 3, ""),
        (b'---\n"home" : tower-bbbbbbbb  # mine\nepoch: 3 # moved\n---\n', TOWER, 3, ""),
        (b"---\nhome: tower-bbbbbbbb\nepoch: 1000000000\n---\n", TOWER, 1_000_000_000, ""),
        *(
            (b"---\nhome: tower-bbbbbbbb\nepoch: " + odd + b"\n---\n", TOWER, 1, "")
            for odd in (b"-3", b"1.5", b"1e9", b"two", b"", b"[2]", "²".encode(), "٣".encode(), b"9" * 5000)
        ),
        (b"---\ndescription: |\n  ---\n  home: mini-cccccccc\n  epoch: 9\nhome: tower-bbbbbbbb\n---\n", TOWER, 1, ""),
        (b"---\nname: x\n---\nhome: tower-bbbbbbbb\n", "", 0, ""),
        (b"---\nhome: ../../etc\nepoch: 5\n---\n", "", 0, ""),
        (b"---\nhome: a b\n---\n", "", 0, ""),
        (b"---\nhome: " + b"a" * 65 + b"\n---\n", "", 0, ""),
        (b"---\nhome: \xff\xfe\n---\n", "", 0, ""),
        (b"home: tower-bbbbbbbb\n", "", 0, ""),
        (b"", "", 0, ""),
        (b"---", "", 0, ""),
        (b"--- x\nhome: tower-bbbbbbbb\n---\n", "", 0, ""),
    ],
)
def test_a_card_says_where_its_agent_lives(card: bytes, home_: str, epoch: int, next_: str) -> None:
    said = parsed(card)
    assert (said.home, said.epoch, said.next) == (home_, epoch, next_)


@pytest.mark.parametrize("epoch", [1, 2, 1_000_000_000])
def test_what_this_program_writes_it_reads_alike_in_both_ways(where: Tree, epoch: int) -> None:
    said = {"home": TOWER, "epoch": str(epoch), "description": "home: x --- # y", "display": "---"}
    cards.put(where, "claude", said)
    assert cards.load(where, "claude").fields == {"name": "claude", **said}
    found = parsed(Path(cards.card_path(where, "claude")).read_bytes())
    assert (found.home, found.epoch) == (TOWER, epoch)


def test_a_card_that_changed_is_read_again(two: Tree) -> None:
    known = Homes(two)
    assert known.home_of("gemini") == TOWER
    settle_on(two, LAPTOP, "gemini", epoch=2)
    assert known.is_here("gemini")


def test_a_card_of_a_lower_epoch_is_not_believed(two: Tree, on: On) -> None:
    settle_on(two, TOWER, "claude", epoch=3)
    for machine in (LAPTOP, TOWER):
        on(machine)
        assert Homes(two).is_here("claude") == (machine == TOWER)
    settle_on(two, LAPTOP, "claude", epoch=2)
    for machine in (LAPTOP, TOWER):
        on(machine)
        assert Homes(two).is_here("claude") == (machine == TOWER)
        assert Homes(two).home_of("claude") == TOWER


def test_a_card_that_is_gone_changes_nothing_of_an_agent_that_ever_moved(two: Tree, on: On) -> None:
    settle_on(two, TOWER, "claude", epoch=3)
    for machine in (LAPTOP, TOWER):
        on(machine)
        Homes(two).home_of("claude")
    Path(cards.card_path(two, "claude")).unlink()
    assert Homes(two).is_here("claude")
    on(LAPTOP)
    assert not Homes(two).is_here("claude")


@pytest.mark.parametrize(
    "text", ["", "x", "3", "three tower-bbbbbbbb", "3 ../x", "3 tower-bbbbbbbb more", "\0" * 300]
)
def test_a_damaged_memory_counts_for_nothing(two: Tree, text: str) -> None:
    path = Path(two.state_file("homes", "claude"))
    path.parent.mkdir(parents=True)
    path.write_text(text)
    assert Homes(two).is_here("claude") == (
        text != "three tower-bbbbbbbb" or homes.remembered(two, "claude").epoch <= 1
    )
    assert not Homes(two).is_here("../../etc/passwd")


def test_of_an_agent_that_never_moved_nothing_is_kept(two: Tree) -> None:
    assert Homes(two).refresh(two.agents()) == ["claude"]
    assert not os.path.exists(two.state_file("homes"))


def test_what_cannot_be_read_is_moved_by_nobody_and_ends_no_router(two: Tree, settings: Settings) -> None:
    locks = RouterLocks(two, None)
    locks.take_first()
    try:
        folder = Path(two.path, "agents")
        folder.rename(folder.with_name("was agents"))
        folder.write_text("a file where the folder should be")
        assert not Homes(two).is_here("claude")
        assert Homes(two).are_shared()
        with pytest.raises(BridgeError):
            Homes(two).check("claude")
        assert locks.take_more() == []
        assert locks.agents == set()
        folder.unlink()
        folder.with_name("was agents").rename(folder)
        assert locks.take_more() == ["claude"]
    finally:
        locks.release()


def test_two_machines_of_one_name_stay_apart(where: Tree, settings: Settings, on: On) -> None:
    settle_on(where, "laptop-aaaaaaaa", "claude")
    settle_on(where, "laptop-zzzzzzzz", "gemini")
    id_ = post(where)
    on("laptop-aaaaaaaa")
    one_pass(where, settings)
    assert list(states(where, "claude")) == [DROPPED]
    on("laptop-zzzzzzzz")
    one_pass(where, settings)
    assert states(where, "claude") == {UNREAD: [f"{id_}.gemini.txt"]}


def test_init_of_one_agent_on_both_machines_ends_with_one_home(where: Tree, on: On, tmp_path: Path) -> None:
    on(LAPTOP)
    cards.introduce(where, "claude")
    kept = Path(cards.card_path(where, "claude")).read_bytes()
    on(TOWER)
    cards.introduce(where, "claude")
    assert Homes(where).home_of("claude") == LAPTOP
    Path(cards.card_path(where, "claude")).unlink()  # as it is there before the first sync
    cards.introduce(where, "claude")
    assert Homes(where).is_here("claude")
    Path(cards.card_path(where, "claude")).write_bytes(kept)  # the first sync
    assert not Homes(where).is_here("claude")
    on(LAPTOP)
    assert Homes(where).is_here("claude")


# --- who reads ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "words",
    [
        ("read",),
        ("wait", "--timeout", "5"),
        ("wait", "--new", "--timeout", "5"),
        ("acknowledge", "x"),
        ("card", "set", "description=x"),
    ],
)
def test_where_an_agent_does_not_live_its_mail_is_refused_in_one_sentence(two: Tree, words: tuple[str, ...]) -> None:
    before = Path(cards.card_path(two, "gemini")).read_bytes()
    done = command(*words, "--agent", "gemini", "--mailboxes", two.path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith(f"error: gemini lives on {TOWER}, and its mail is read there only: ")
    assert done.stderr.count("\n") == 1
    assert Path(cards.card_path(two, "gemini")).read_bytes() == before


def test_a_card_is_edited_where_its_agent_lives_only_and_its_home_not_at_all(two: Tree) -> None:
    with pytest.raises(LivesElsewhere):
        cards.replace(two, "gemini", "---\ndescription: mine now\n---\n")
    settle_on(two, LAPTOP, "claude", epoch=4)
    cards.replace(two, "claude", f"---\nhome: {TOWER}\nepoch: 9\ndescription: new\n---\ntext")
    said = cards.load(two, "claude")
    assert (said.get("home"), said.get("epoch"), said.get("description"), said.text) == (LAPTOP, "4", "new", "text")
    for field in ("home", "epoch", "next", "link"):
        with pytest.raises(cards.BadField, match="card move-home claude"):
            cards.change(two, "claude", {field: "x"})


def test_a_session_where_its_agent_does_not_live_is_another_agent(two: Tree) -> None:
    session = Session(two.path, "gemini")
    try:
        name = session.who(Caller("test"))
        assert name.address == "gemini-laptop"
        assert f"gemini lives on {TOWER}" in name.why
        assert Homes(two).home_of("gemini-laptop") == LAPTOP
        assert Homes(two).home_of("gemini") == TOWER
    finally:
        session.close()


def test_a_session_whose_home_moved_away_is_another_agent_from_then_on(two: Tree) -> None:
    session = Session(two.path, "claude")
    try:
        assert session.who(Caller("test")).address == "claude"
        settle_on(two, TOWER, "claude", epoch=2)
        assert session.who(Caller("test")).address == "claude-laptop"
        settle_on(two, LAPTOP, "claude", epoch=3)
        assert session.who(Caller("test")).address == "claude-laptop"
    finally:
        session.close()


def test_sessions_of_one_agent_on_machines_of_one_name_have_names_of_their_own(where: Tree, on: On) -> None:
    settle_on(where, TOWER, "claude@web")
    found, held = [], []
    for machine in ("laptop-aaaaaaaa", "laptop-zzzzzzzz"):
        on(machine)
        held.append(session_names.take(where, Identity("claude@web", "")))
        found.append(held[-1].address)
        where.make([found[-1]])
        cards.introduce(where, found[-1])
    assert found == ["claude-laptop@web", "claude-laptop-2@web"]
    for name in held:
        name.release()


def test_a_name_that_was_a_sessions_and_moved_away_is_not_taken_again(two: Tree) -> None:
    with given_back(session_names.take(two, Identity("claude", ""))):
        with given_back(session_names.take(two, Identity("claude", ""))) as second:
            assert second.address == "claude-2"
        settle_on(two, TOWER, "claude-2", epoch=2)
        with given_back(session_names.take(two, Identity("claude", ""))) as third:
            assert third.address == "claude-3"


@contextmanager
def given_back(name: session_names.Name) -> Iterator[session_names.Name]:
    """Give the name back at the end."""
    try:
        yield name
    finally:
        name.release()


def test_a_lost_state_directory_makes_another_machine_and_says_what_to_do(two: Tree, tmp_path: Path) -> None:
    (state_of(tmp_path, LAPTOP) / "home").rename(tmp_path / "lost")
    done = command("read", "--agent", "claude", "--mailboxes", two.path)
    assert f"claude lives on {LAPTOP}" in done.stderr
    assert "ai-bridge card move-home claude" in done.stderr
    assert command("card", "move-home", "claude", "--force", "--mailboxes", two.path).returncode == 0
    assert command("read", "--agent", "claude", "--mailboxes", two.path).returncode == 0


def test_the_id_of_a_machine_is_the_name_of_a_file(where: Tree) -> None:
    assert this_machine.is_home(this_machine.here())
    assert Residence().home == ""
    assert settings_.load(where.path).sweep_s > 0
