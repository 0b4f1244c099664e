"""Presence: by held locks on this machine, and by pages on others, whose changes are seen here."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from ai_bridge.agents import cards, presence
from ai_bridge.agents.peers import all_peers, when
from ai_bridge.machines import this_machine
from ai_bridge.machines.presence_pages import HEARTBEAT_S, OFFLINE_S
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from ai_bridge.system import front_matter, times
from tests.support.mail import post, route
from tests.support.presence import AWAY, later, page_path, session, tell

NOW = times.format_utc(time.time())


# --- this machine ---------------------------------------------------------------------------------------


def test_who_has_a_session_is_online_until_it_ends(where: Tree) -> None:
    assert presence.online(where) == set()
    with session(where, "claude", "claude-code"):
        assert presence.online(where) == {"claude"}
        found = presence.all_presences(where)["claude"]
        assert (found.client, found.home) == ("claude-code", this_machine.here())
        assert abs(found.since - time.time()) < 60
    found = presence.all_presences(where)["claude"]
    assert not found.online
    assert abs(found.seen - time.time()) < 60


def test_a_page_of_a_thousand_sessions_is_read(where: Tree) -> None:
    tell(where, online={f"agent{number}": NOW for number in range(1000)})
    assert len(presence.online(where)) == 1000


def test_a_killed_session_is_offline_at_once(where: Tree, processes: list[subprocess.Popen[bytes]]) -> None:
    script = (
        "import sys, time\n"
        "from ai_bridge.agents import identity, session_names\n"
        "from ai_bridge.mailboxes.tree import Tree\n"
        f"name = session_names.take(Tree({where.path!r}), identity.Identity('claude', ''), 'x')\n"
        "print(name.address, flush=True)\n"
        "time.sleep(600)\n"
    )
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE)
    processes.append(process)
    assert process.stdout is not None
    assert process.stdout.readline() == b"claude\n"
    assert presence.online(where) == {"claude"}
    process.kill()
    process.wait()
    assert presence.online(where) == set()


def test_who_reads_in_a_shell_was_seen(where: Tree) -> None:
    unread.lock_inbox(where, "gemini").release()
    found = presence.all_presences(where)["gemini"]
    assert not found.online
    assert abs(found.seen - time.time()) < 60


def test_a_lock_file_of_no_address_is_nobody(where: Tree) -> None:
    with session(where, "claude"):
        for name in ("session-Not An Address.lock", "session-.lock", "session.lock", "other-gemini.lock"):
            Path(where.lock_file("x", "y")).with_name(name).write_text("")
        assert set(presence.all_presences(where)) == {"claude"}


# --- other machines -------------------------------------------------------------------------------------


def test_a_page_of_another_machine_says_who_is_online_there(where: Tree) -> None:
    tell(where, online={"mini@web": NOW}, seen={"old@web": "2026-01-02T03:04:05Z"})
    found = presence.all_presences(where)
    assert (found["mini@web"].online, found["mini@web"].home) == (True, AWAY)
    assert (found["old@web"].online, times.format_utc(found["old@web"].seen)) == (False, "2026-01-02T03:04:05Z")


def test_a_page_that_does_not_change_is_offline_after_a_while(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(where, online={"mini": NOW})
    assert presence.online(where) == {"mini"}
    later(monkeypatch, OFFLINE_S + 1)
    assert presence.online(where) == set()


@pytest.mark.parametrize("skew_s", [-864_000.0, 0.0, 864_000.0], ids=["slow", "right", "fast"])
def test_whether_a_page_is_fresh_does_not_depend_on_the_other_clock(
    where: Tree, monkeypatch: pytest.MonkeyPatch, skew_s: float
) -> None:
    tell(where, skew_s, online={"mini": NOW})
    presence.online(where)
    tell(where, skew_s - 25.0, online={"mini": NOW})
    assert presence.online(where) == {"mini"}
    later(monkeypatch, OFFLINE_S + 1)
    assert presence.online(where) == set()


def test_a_page_seen_first_is_believed_to_be_as_old_as_it_says(where: Tree) -> None:
    tell(where, OFFLINE_S + 5, online={"mini": NOW})
    assert presence.online(where) == set()


def test_a_session_here_counts_before_what_a_page_says_of_the_same_agent(where: Tree) -> None:
    tell(where, online={"claude": NOW})
    with session(where, "claude"):
        assert presence.all_presences(where)["claude"].home == this_machine.here()
    assert presence.all_presences(where)["claude"].home == AWAY


@pytest.mark.parametrize(
    "text",
    [
        b"",
        b"\xff",
        b"---\nonline: [a, b]\n---\n",
        b"---\nonline: {mini: [1]}\nat: yesterday\n---\n",
        b"---\nonline: {Not An Address: x, '../x': y}\nat: 2026-01-01\n---\n",
        b"---\nonline: &a {mini: x}\nseen: *a\n---\n",
        b"---\nonline: " + b"[" * 9000,
        b"x" * 300_000,
    ],
)
def test_a_hostile_page_harms_nobody(where: Tree, text: bytes) -> None:
    tell(where, online={"mini": NOW}, host="good-abcd1234")
    page_path(where).write_bytes(text)
    assert presence.online(where) == {"mini"}


def test_pages_of_strange_names_are_passed_over(where: Tree) -> None:
    tell(where, online={"mini": NOW})
    raw = page_path(where).read_bytes()
    page_path(where).unlink()
    for name in (".mini.md", "a b.md", "x.sync-conflict-20261122-030057-757LWGV.md", "mini.txt"):
        (page_path(where).parent / name).write_bytes(raw)
    os.mkfifo(page_path(where, "fifo"))
    assert presence.online(where) == set()


# --- this machine's page --------------------------------------------------------------------------------


def test_a_machine_alone_writes_no_page(where: Tree) -> None:
    cards.introduce(where, "claude")
    with session(where, "claude"):
        assert not presence.announce(where)
    assert not page_path(where).parent.exists()


@pytest.mark.parametrize("by", ["page", "card"])
def test_with_another_machine_a_page_says_who_is_here(where: Tree, by: str) -> None:
    if by == "page":
        tell(where, online={})
    else:
        Path(cards.card_path(where, "mini")).write_text(f"---\nname: mini\nhome: {AWAY}\n---\n")
    with session(where, "gemini"):
        pass
    with session(where, "claude"):
        assert presence.announce(where)
        said = front_matter.parse(page_path(where, this_machine.here()).read_bytes())[0]
    assert said["host"] == this_machine.here()
    assert list(said["online"]) == ["claude"]
    assert list(said["seen"]) == ["gemini"]


def test_a_page_is_written_when_a_session_comes_or_goes_and_else_at_every_heartbeat(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell(where, online={})
    with session(where, "claude"):
        assert presence.announce(where)
        assert not presence.announce(where)
        with session(where, "gemini"):
            assert presence.announce(where)
        assert presence.announce(where)
        later(monkeypatch, HEARTBEAT_S + 1)
        assert presence.announce(where)
    assert presence.announce(where)
    later(monkeypatch, HEARTBEAT_S + 1)
    assert not presence.announce(where), "with no session there is nothing to repeat"


def test_what_one_machine_writes_another_reads(where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tell(where, online={})
    with session(where, "claude", "claude-code"):
        presence.announce(where)
        mine = this_machine.here()
        monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / "another machine"))
        assert presence.online(where) == {"claude"}
        assert presence.all_presences(where)["claude"].home == mine != this_machine.here()


def test_two_who_announce_at_once_write_one_page(where: Tree) -> None:
    tell(where, online={})
    script = (
        "from ai_bridge.agents import presence\nfrom ai_bridge.mailboxes.tree import Tree\n"
        f"print(presence.announce(Tree({where.path!r})))\n"
    )
    with session(where, "claude"):
        runs = [subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE) for _ in range(4)]
        told = [run.communicate()[0].strip() for run in runs]
    assert told.count(b"True") == 1
    assert sorted(os.listdir(page_path(where).parent)) == sorted([f"{AWAY}.md", f"{this_machine.here()}.md"])


# --- all agents -----------------------------------------------------------------------------------------


def test_the_list_says_who_is_online_what_waits_and_what_the_card_says(where: Tree, settings: Settings) -> None:
    where.make(["zeta@web"])
    cards.introduce(where, "gemini", "gemini-cli-mcp-client", "shop")
    cards.change(where, "gemini", {"description": "reviews"})
    post(where, to="gemini")
    post(where, to="gemini, zeta@web")
    route(where, settings)
    with session(where, "zeta@web", "codex-mcp-client"):
        found = all_peers(where)
    assert [peer.address for peer in found] == ["zeta@web", "gemini", "claude"]
    assert [peer.unread for peer in found] == [1, 2, 0]
    assert [peer.is_online for peer in found] == [True, False, False]
    assert [peer.client for peer in found] == ["codex-mcp-client", "gemini-cli-mcp-client", ""]
    assert when(found[0]).startswith("online since 20")
    assert when(found[2]) == "never seen"
    told = found[1].as_json()
    assert (told["display"], told["project"], told["description"]) == ("gemini (shop)", "shop", "reviews")
    assert (told["online"], told["since"], told["unread"]) == (False, None, 2)
