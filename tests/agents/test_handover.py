"""An agent moves to another machine: given, asked for or taken; two machines never both believe that they have it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Thread

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ai_bridge.agents import cards, handover, presence
from ai_bridge.agents.handover import NotGiven, NotInStep, StillInUse, UnknownHome
from ai_bridge.errors import BridgeError
from ai_bridge.machines import homes, presence_pages
from ai_bridge.machines.homes import Homes
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.served import RouterLocks
from ai_bridge.system import durable, times
from ai_bridge.system.locks import Lock
from tests.support.command import command
from tests.support.machine import LAPTOP, MINI, TOWER, On, settle_on, state_of
from tests.support.presence import session
from tests.support.wait import until

AGENTS = ("claude", "gemini", "codex")


@pytest.fixture
def three(where: Tree, on: On) -> Tree:
    """Mailboxes of three machines with an agent each; this is the laptop, where claude lives."""
    settle_on(where, LAPTOP, "claude")
    settle_on(where, TOWER, "gemini")
    settle_on(where, MINI, "codex")
    on(LAPTOP)
    return where


@contextmanager
def router(where: Tree) -> Iterator[RouterLocks]:
    """Have a router of this machine, of which the test makes the sweeps."""
    locks = RouterLocks(where, None)
    locks.take_first()
    try:
        yield locks
    finally:
        locks.release()


@contextmanager
def sweeping(where: Tree) -> Iterator[RouterLocks]:
    """Have a router of this machine that sweeps all the time."""
    ended = False
    with router(where) as locks:

        def sweep() -> None:
            while not ended:
                locks.take_more()
                time.sleep(0.01)

        thread = Thread(target=sweep)
        thread.start()
        try:
            yield locks
        finally:
            ended = True
            thread.join(20)


def ask(where: Tree, agent: str) -> None:
    """Ask for an agent, as `move-home` does, without waiting."""
    with pytest.raises(NotGiven):
        handover.move(where, agent, "", by_force=False, timeout_s=0)


def believers(where: Tree, on: On, agent: str = "claude") -> list[str]:
    return [machine for machine in (LAPTOP, TOWER, MINI) if on(machine) and Homes(where).is_here(agent)]


# --- given ------------------------------------------------------------------------------------------------


def test_without_a_router_an_agent_is_given_away_at_once(three: Tree, on: On) -> None:
    assert handover.move(three, "claude", TOWER, by_force=False, timeout_s=0) == TOWER
    said = cards.load(three, "claude")
    assert (said.get("home"), said.get("epoch"), said.get("next")) == (TOWER, "2", "")
    assert believers(three, on) == [TOWER]


def test_a_router_at_work_gives_an_agent_away_and_serves_it_no_more(three: Tree, on: On) -> None:
    with sweeping(three) as locks:
        done = command("card", "move-home", "claude", "--to", "tower", "--mailboxes", three.path)
        assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"claude lives on {TOWER}")
        until(lambda: locks.agents == set())
    on(TOWER)
    with router(three) as locks:
        assert locks.agents == {"claude", "gemini"}


def test_an_agent_without_a_home_is_given_one_though_a_router_serves_it(where: Tree, on: On) -> None:
    on(LAPTOP)
    with sweeping(where):
        assert handover.move(where, "claude", "", by_force=False, timeout_s=0) == LAPTOP
    assert cards.load(where, "claude").get("home") == LAPTOP


def test_who_lives_here_already_stays(three: Tree) -> None:
    before = Path(cards.card_path(three, "claude")).read_bytes()
    assert handover.move(three, "claude", "", by_force=True, timeout_s=0) == LAPTOP
    assert Path(cards.card_path(three, "claude")).read_bytes() == before


def test_an_agent_in_use_is_not_given_until_its_session_ends(three: Tree, on: On) -> None:
    with session(three, "claude", "claude-code"):
        with pytest.raises(StillInUse, match=r"claude is in use on this machine \(session, pid \d+"):
            handover.move(three, "claude", TOWER, by_force=False, timeout_s=0)
        cards.put(three, "claude", {"next": TOWER})
        with router(three) as locks:
            locks.take_more()
            assert locks.agents == {"claude"}
            assert believers(three, on) == [LAPTOP]
            on(LAPTOP)
    with router(three) as locks:
        locks.take_more()
        assert locks.agents == set()
    assert believers(three, on) == [TOWER]


def test_who_gives_up_waiting_for_the_router_leaves_nothing_that_is_done_later(
    three: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handover, "_ROUTER_S", 0.2)
    with session(three, "claude"), sweeping(three), pytest.raises(StillInUse):
        handover.move(three, "claude", TOWER, by_force=False, timeout_s=0)
    assert cards.load(three, "claude").get("next") == ""
    with router(three) as locks:
        locks.take_more()
        assert locks.agents == {"claude"}


def test_what_has_not_reached_another_machine_keeps_its_agent_here(
    three: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tests.support.syncthing import set_up

    set_up(three, "http://127.0.0.1:1")  # where nobody listens
    with pytest.raises(NotInStep, match="claude stays here for now"):
        handover.move(three, "claude", TOWER, by_force=False, timeout_s=0)
    assert Homes(three).is_here("claude")


@pytest.mark.parametrize("name", ["nowhere", "", "laptop-", "TOWER", "../x"])
def test_a_machine_nobody_knows_is_refused_with_those_there_are(three: Tree, name: str) -> None:
    with pytest.raises(UnknownHome, match=f"known: {LAPTOP}, {MINI}, {TOWER}"):
        handover._machine(three, name)


def test_of_two_machines_of_one_name_the_whole_id_is_asked_for(three: Tree) -> None:
    settle_on(three, "tower-zzzzzzzz", "qwen")
    with pytest.raises(UnknownHome, match="tower-bbbbbbbb, tower-zzzzzzzz"):
        handover.move(three, "claude", "tower", by_force=False, timeout_s=0)
    assert handover.move(three, "claude", "tower-zzzzzzzz", by_force=False, timeout_s=0) == "tower-zzzzzzzz"


def test_to_and_force_go_with_move_home_only(three: Tree) -> None:
    assert command("card", "show", "claude", "--force", "--mailboxes", three.path).returncode == 2


# --- asked for --------------------------------------------------------------------------------------------


def test_what_is_asked_for_is_given_by_the_router_of_its_home(
    three: Tree, on: On, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    environment = {**os.environ, "AI_BRIDGE_STATE": str(state_of(tmp_path, TOWER))}
    words = [sys.executable, "-m", "ai_bridge", "card", "move-home", "claude", "--mailboxes", three.path]
    process = subprocess.Popen(words, env=environment, stdout=subprocess.PIPE)
    processes.append(process)
    with sweeping(three):
        assert process.wait(30) == 0
    assert believers(three, on) == [TOWER]
    on(TOWER)
    assert homes.wanted(three) == []
    assert "wants" not in presence_pages.read_page(three, TOWER)[1]
    on(LAPTOP)
    assert presence_pages.asked(three) == {}


def test_what_is_not_given_in_time_is_asked_for_still(three: Tree, on: On) -> None:
    on(TOWER)
    with session(three, "gemini"):
        done = command("card", "move-home", "claude", "--timeout", "0.1", "--mailboxes", three.path)
    assert done.returncode == 3
    assert f"{LAPTOP} was asked for claude, and has not given it within 0.1 s" in done.stderr
    on(LAPTOP)
    with session(three, "claude"), router(three) as locks:
        locks.take_more()
        assert locks.agents == {"claude"}
    with router(three) as locks:
        locks.take_more()
        assert locks.agents == set()
    assert believers(three, on) == [TOWER]


def test_who_fell_silent_after_asking_is_given_nothing(three: Tree, on: On, monkeypatch: pytest.MonkeyPatch) -> None:
    on(TOWER)
    ask(three, "claude")
    on(LAPTOP)
    assert presence_pages.asked(three) == {"claude": TOWER}
    later = time.time() + presence_pages.OFFLINE_S + 1
    monkeypatch.setattr(time, "time", lambda: later)
    assert presence_pages.asked(three) == {}
    with router(three) as locks:
        locks.take_more()
        assert locks.agents == {"claude"}


def test_an_agent_asked_for_by_two_does_not_wander_for_ever(three: Tree, on: On) -> None:
    for machine in (TOWER, MINI):
        on(machine)
        ask(three, "claude")
    seen = []
    for machine in (LAPTOP, MINI, TOWER, LAPTOP, MINI, TOWER, LAPTOP, MINI, TOWER):
        on(machine)
        with suppress(BridgeError), router(three) as locks:
            presence.announce(three, is_up=True)
            locks.take_more()
        seen.append(Homes(three).home_of("claude"))
    assert seen[-4:] == [seen[-1]] * 4
    assert len(set(seen)) <= 3


def test_who_gives_an_agent_away_asks_for_it_no_more(three: Tree, on: On) -> None:
    on(TOWER)
    ask(three, "claude")
    handover.move(three, "claude", MINI, by_force=True, timeout_s=0)
    assert "wants" not in presence_pages.read_page(three, TOWER)[1]
    on(MINI)
    with router(three) as locks:
        locks.take_more()
        assert locks.agents == {"claude", "codex"}


def test_from_a_third_machine_an_agent_is_moved_where_it_was_said(
    three: Tree, on: On, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    environment = {**os.environ, "AI_BRIDGE_STATE": str(state_of(tmp_path, TOWER))}
    words = ["card", "move-home", "claude", "--to", "mini", "--mailboxes", three.path]
    process = subprocess.Popen([sys.executable, "-m", "ai_bridge", *words], env=environment, stdout=subprocess.PIPE)
    processes.append(process)
    with sweeping(three):
        assert process.wait(30) == 0
    assert process.stdout is not None
    assert process.stdout.readline().decode().strip() == f"claude lives on {MINI}"
    assert believers(three, on) == [MINI]


def test_a_page_that_asks_for_every_agent_gets_those_that_are_free_and_asked_for_well(three: Tree, on: On) -> None:
    on(LAPTOP)
    three.make(["claude-2"])
    settle_on(three, LAPTOP, "claude-2")
    wants = ["claude", "claude-2", "gemini", "codex", "nobody", "../../x", "*", ""]
    lines = "".join(f"  '{agent}': x\n" for agent in wants)
    now = times.format_utc(time.time())
    path = Path(presence_pages.page_path(three, MINI))
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\nhost: {MINI}\nat: {now}\nwants:\n{lines}---\n")
    with session(three, "claude"), router(three) as locks:
        locks.take_more()
        assert locks.agents == {"claude"}
    assert Homes(three).home_of("gemini") == TOWER
    assert Homes(three).home_of("claude-2") == MINI


@pytest.mark.parametrize("wants", ["[claude]", "claude", "{claude: [1]}", "{[a]: b}", "{1: 2}", "''"])
def test_odd_wishes_harm_nobody(three: Tree, wants: str) -> None:
    path = Path(presence_pages.page_path(three, MINI))
    path.parent.mkdir(exist_ok=True)
    path.write_text(f"---\nhost: x\nat: {times.format_utc(time.time())}\nwants: {wants}\n---\n")
    with router(three) as locks:
        locks.take_more()
        assert locks.agents <= {"claude"}


# --- taken ------------------------------------------------------------------------------------------------


def test_an_agent_is_taken_by_force_from_a_machine_that_is_gone(three: Tree, on: On) -> None:
    on(TOWER)
    done = command("card", "move-home", "claude", "--force", "--mailboxes", three.path)
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, f"claude lives on {TOWER}")
    assert believers(three, on) == [TOWER]


def test_a_router_stops_serving_who_was_taken_from_it(three: Tree, on: On) -> None:
    with router(three) as locks:
        on(TOWER)
        handover.move(three, "claude", "", by_force=True, timeout_s=0)
        on(LAPTOP)
        locks.take_more()
        assert locks.agents == set()


def test_an_agent_moves_on_from_an_epoch_of_a_billion(three: Tree, on: On) -> None:
    old = 999_999_999
    settle_on(three, LAPTOP, "claude", epoch=old)
    kept = Path(cards.card_path(three, "claude")).read_bytes()
    handover.move(three, "claude", TOWER, by_force=False, timeout_s=0)
    assert cards.load(three, "claude").get("epoch") == str(old + 1)
    assert believers(three, on) == [TOWER]
    Path(cards.card_path(three, "claude")).write_bytes(kept)
    assert believers(three, on) == [TOWER]


# --- what comes between -----------------------------------------------------------------------------------


@pytest.mark.parametrize("by", ["router", "command"])
def test_a_move_that_was_cut_short_is_finished(three: Tree, on: On, monkeypatch: pytest.MonkeyPatch, by: str) -> None:
    def die(*_: object) -> None:
        raise OSError("killed")

    with monkeypatch.context() as patched:
        patched.setattr(cards, "put", die)
        with pytest.raises(OSError, match="killed"):
            handover.move(three, "claude", TOWER, by_force=False, timeout_s=0)
    assert believers(three, on) == []
    on(LAPTOP)
    if by == "router":
        with pytest.raises(homes.NobodyHere):
            RouterLocks(three, None).take_first()
    else:
        handover.move(three, "claude", TOWER, by_force=False, timeout_s=0)
    assert believers(three, on) == [TOWER]
    assert cards.load(three, "claude").get("epoch") == "2"


def test_an_old_card_that_comes_back_is_written_anew(three: Tree, on: On) -> None:
    old = Path(cards.card_path(three, "claude")).read_bytes()
    handover.move(three, "claude", TOWER, by_force=False, timeout_s=0)
    on(TOWER)
    with router(three) as locks:
        Path(cards.card_path(three, "claude")).write_bytes(old)
        locks.take_more()
        assert locks.agents == {"claude", "gemini"}
    assert cards.load(three, "claude").get("home") == TOWER
    on(MINI)
    assert Homes(three).home_of("claude") == TOWER


def test_a_card_no_program_can_change_stays_and_ends_no_router(three: Tree, on: On) -> None:
    path = Path(cards.card_path(three, "claude"))
    path.write_text(f"---\nname: claude\nhome: {LAPTOP}\nnext: {TOWER}\ndescription: *alias\n---\n")
    with router(three) as locks:
        locks.take_more()
        assert locks.agents == {"claude"}
    with pytest.raises(cards.BadCard):
        handover.move(three, "claude", TOWER, by_force=False, timeout_s=0)
    assert believers(three, on) == [LAPTOP]


def test_a_state_directory_that_refuses_keeps_the_agent_where_it_is(
    three: Tree, on: On, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(three.state_file("homes")).parent.mkdir(parents=True, exist_ok=True)
    Path(three.state_file("homes")).write_text("a file where the folder should be")
    cards.put(three, "claude", {"next": TOWER})
    with router(three) as locks:
        locks.take_more()
        assert locks.agents == {"claude"}
    assert believers(three, on) == [LAPTOP]


def test_a_reader_at_work_keeps_its_agent(three: Tree) -> None:
    lock = Lock(three.lock_file("reader", "claude"))
    assert lock.acquire("reader", "claude")
    with lock, pytest.raises(StillInUse, match="reader, pid"):
        handover.move(three, "claude", TOWER, by_force=False, timeout_s=0)


# --- in any order -----------------------------------------------------------------------------------------

WHO = st.sampled_from([LAPTOP, TOWER, MINI])
STEPS = st.one_of(
    st.tuples(st.just("ask"), WHO),
    st.tuples(st.just("sweep"), WHO),
    st.tuples(st.just("give"), WHO),
    st.tuples(st.just("force"), WHO),
    st.tuples(st.just("cut short"), WHO),
    st.tuples(st.just("restore"), st.integers(0, 20)),
)


class _World:
    """One agent, three machines over one disk, and all the cards there ever were."""

    def __init__(self, base: Path, patch: pytest.MonkeyPatch) -> None:
        self.base = base
        self.patch = patch
        self.where = Tree(str(base / "mailboxes"))
        self.where.make(list(AGENTS))
        settle_on(self.where, LAPTOP, "claude")
        settle_on(self.where, TOWER, "gemini")
        settle_on(self.where, MINI, "codex")
        self.card = Path(cards.card_path(self.where, "claude"))
        self.past = [self.card.read_bytes()]

    def on(self, machine: str) -> str:
        self.patch.setenv("AI_BRIDGE_STATE", str(state_of(self.base, machine)))
        return machine

    def do(self, verb: str, what: str | int) -> None:
        if isinstance(what, int):
            durable.replace_own(str(self.card), self.past[what % len(self.past)])
            return
        self.on(what)
        with suppress(BridgeError):
            getattr(self, f"_{verb.replace(' ', '_')}")(what)
        self.past.append(self.card.read_bytes())

    def _ask(self, machine: str) -> None:
        handover.move(self.where, "claude", "", by_force=False, timeout_s=0)

    def _sweep(self, machine: str) -> None:
        with router(self.where) as locks:
            locks.take_more()
            presence.announce(self.where, is_up=True)

    def _give(self, machine: str) -> None:
        for agent in [agent for agent in AGENTS if Homes(self.where).is_here(agent)]:
            others = [one for one in (LAPTOP, TOWER, MINI) if one != machine]
            handover.move(self.where, agent, others[len(self.past) % 2], by_force=False, timeout_s=0)

    def _force(self, machine: str) -> None:
        """A person says that the home is off: it sees what there is before it is at work again."""
        handover.move(self.where, "claude", "", by_force=True, timeout_s=0)
        self.believers()

    def _cut_short(self, machine: str) -> None:
        """Give it away, and be killed when it is remembered and not written."""

        def die(*_: object) -> None:
            raise BridgeError(what="killed")

        with self.patch.context() as patched:
            patched.setattr(cards, "put", die)
            self._give(machine)

    def believers(self) -> list[str]:
        found = [m for m in (LAPTOP, TOWER, MINI) if self.on(m) and Homes(self.where).is_here("claude")]
        return found


@settings(max_examples=25, deadline=None)
@given(st.lists(STEPS, min_size=3, max_size=14))
def test_at_no_step_do_two_machines_believe_and_in_the_end_one_does(steps: list[tuple[str, str | int]]) -> None:
    with tempfile.TemporaryDirectory() as base, pytest.MonkeyPatch.context() as patch:
        world = _World(Path(base), patch)
        for verb, what in steps:
            world.do(verb, what)
            found = world.believers()
            assert len(found) <= 1, f"after {verb} {what}"
        for machine in (LAPTOP, TOWER, MINI) * 2:
            world.do("sweep", machine)
            assert len(world.believers()) <= 1
        assert len(world.believers()) == 1
