"""States, headers and files of a newer program, which this one does not know: it keeps them all as they are."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest

from ai_bridge.archive.restore import put_back
from ai_bridge.history import threads
from ai_bridge.link import wire
from ai_bridge.link.config import Link
from ai_bridge.link.remote_agents import RemoteAgents
from ai_bridge.mailboxes.outbox import DROPPED, INSIDE, PROCESSING, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import message
from ai_bridge.router.daemon import Daemon
from ai_bridge.settings import Settings
from tests.support.command import command
from tests.support.machine import LAPTOP, TOWER, On, settle_on
from tests.support.mail import TEXT, post, put_message, route, states

Contents = dict[str, tuple[int, int, bytes]]
STATES = (".archived", ".flagged", ".later")


def contents(*paths: str) -> Contents:
    """Return the mode, time and content of everything at and below these paths."""
    found = [one for path in paths for one in [Path(path), *Path(path).rglob("*")]]
    return {
        str(one): (
            one.lstat().st_mode,
            one.lstat().st_mtime_ns,
            one.read_bytes() if one.is_file() else "\n".join(sorted(os.listdir(one))).encode(),
        )
        for one in found
    }


def add_unknown(where: Tree, live: str) -> list[str]:
    """Put into mailboxes what a newer program may keep there, some of it named like the message `live`."""
    paths = []
    for outbox in where.outboxes():
        for state in STATES:
            directory = Path(outbox.path, state)
            directory.mkdir()
            paths.append(str(directory))
        for state in STATES[:2]:
            Path(outbox.path, state, live).write_text("another text\n")
            Path(outbox.path, state, "x.gemini.txt").write_text(TEXT.format(id="x", to="gemini"))
            Path(outbox.path, state, "x.gemini.txt.reason").write_text("why\n")
        Path(outbox.path, ".index").write_bytes(b"\0")
        Path(outbox.path, "notes.json").write_text("{}\n")
        paths += [os.path.join(outbox.path, ".index"), os.path.join(outbox.path, "notes.json")]
    Path(where.path, "rooms").mkdir()
    Path(where.path, "rooms/general.md").write_text("# general\n")
    Path(where.path, ".clock").touch()
    Path(where.path, "allowed").mkdir(exist_ok=True)
    Path(where.path, "allowed/x.room").write_text("Until: never\n")
    for path in paths:
        for one in [path, *map(str, Path(path).rglob("*"))]:
            os.utime(one, (1, 1))  # older than anything that is tidied up
    return [*paths, *(os.path.join(where.path, name) for name in ("rooms", ".clock", "allowed/x.room"))]


# --- states and files -------------------------------------------------------------------------------------


def test_no_work_of_this_program_touches_a_state_that_it_does_not_know(
    where: Tree, settings: Settings, on: On
) -> None:
    settle_on(where, LAPTOP, "claude", "gemini")
    on(LAPTOP)
    live = f"{post(where, 'first')}.gemini.txt"
    unknown = add_unknown(where, live)
    before = contents(*unknown)
    Path(where.path, ".stfolder").mkdir()  # so that the router looks for what a sync tool left
    put_message(where, PROCESSING, "n1.gemini.txt")
    put_message(where, DROPPED, "n2.nobody.txt", "n2", "nobody")
    Daemon(where, settings).run_once()
    done = [
        command(*words.split(), body="hello", AI_BRIDGE_MAILBOXES=where.path)
        for words in (
            *("send gemini s --from claude", "send * s --from claude", "read --agent gemini", "list --agent gemini"),
            *("restore n1", "wait --agent gemini --timeout 5", "read --agent gemini", "restore n2", "router --once"),
            *("allow gemini", "init codex", "card set description=new gemini", "history --agent gemini", "config"),
            *("search hello", "status n1", "peers", "decisions", "health", "doctor", "start", "stop"),
            *("uninstall all --yes", "acknowledge n1 --agent gemini"),
        )
    ]
    assert not any("Traceback" in one.stderr for one in done)
    assert [one.stderr for one in done[:4]] == ["", "Sent to 1 agent. It rings 0 sessions.\n", "", ""]
    assert contents(*unknown) == before


def test_a_message_in_an_unknown_state_is_no_duplicate_of_a_live_one(where: Tree, settings: Settings) -> None:
    live = f"{post(where, 'first')}.gemini.txt"
    add_unknown(where, live)
    route(where, settings)
    assert states(where, "claude") == {UNREAD: [live]}


def test_an_agent_that_moves_to_another_machine_leaves_them_alone(where: Tree, on: On) -> None:
    settle_on(where, LAPTOP, "claude", "gemini")
    settle_on(where, TOWER)
    unknown = add_unknown(where, "x.gemini.txt")
    before = contents(*unknown)
    on(LAPTOP)
    command("card", "move-home", "claude", "--to", TOWER, AI_BRIDGE_MAILBOXES=where.path)
    assert contents(*unknown) == before


@pytest.mark.parametrize("is_empty", [False, True])
def test_another_teams_agent_that_left_keeps_an_outbox_with_an_unknown_state(where: Tree, is_empty: bool) -> None:
    book = RemoteAgents(where, Link("north", "nats://127.0.0.1:4"), 10)
    outbox = book.meet("codex@south", "codex")
    archived = Path(outbox.path, ".archived")
    archived.mkdir()
    if not is_empty:
        (archived / "x.gemini.txt").write_text(TEXT.format(id="x", to="gemini"))
    before = contents(str(archived))
    assert book.forget("codex@south") == "codex@south"
    assert contents(str(archived)) == before
    assert sorted(os.listdir(outbox.path)) == sorted([*INSIDE, ".archived"])
    shutil.rmtree(archived)
    book.forget("codex@south")
    assert not outbox.is_there()


# --- headers ----------------------------------------------------------------------------------------------

HEADERS = {"X-Unknown": "kept: as it is; ü", "priority": "high", "Room": "general", "Expires": "2099-01-01T00:00:00Z"}


def assert_kept(path: str) -> None:
    parsed = message.parse(Path(path).read_bytes())
    assert {name: value for name, value in parsed.headers.items() if name in HEADERS} == HEADERS


def put_by_hand(where: Tree, id_: str, to: str, more: str = "") -> None:
    lines = "".join(f"{name}: {value}\n" for name, value in HEADERS.items())
    raw = f"ID: {id_}\n{lines}From: claude\nTo: {to}\nSubject: s\n{more}\nbody\r\n"
    Path(where.outbox("claude").path, f"{id_}.txt").write_bytes(raw.encode())


def test_unknown_headers_survive_every_move(where: Tree, settings: Settings) -> None:
    outbox = where.outbox("claude")
    put_by_hand(where, "n1", "gemini")
    before = Path(outbox.path, "n1.txt").read_bytes()
    route(where, settings)
    for words in (("acknowledge", "n1", "--agent", "gemini"), ("restore", "n1"), ("read", "--agent", "gemini")):
        assert command(*words, AI_BRIDGE_MAILBOXES=where.path).returncode == 0
    assert Path(outbox.file("read", "n1.gemini.txt")).read_bytes() == before
    put_back(where, "n1")
    assert Path(outbox.file(UNREAD, "n1.gemini.txt")).read_bytes() == before


def test_unknown_headers_survive_a_fan_out_a_rejection_and_a_hold(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    outbox = where.outbox("claude")
    put_by_hand(where, "n1", "*")
    put_by_hand(where, "n2", "nobody")
    command("card", "set", "hold=claude", "codex", AI_BRIDGE_MAILBOXES=where.path)
    route(where, settings)
    found = states(where, "claude")
    assert found == {UNREAD: ["n1.gemini.txt"], "held": ["n1.codex.txt"], "malformed": ["n2.txt"]}
    for state, (name,) in found.items():
        assert_kept(outbox.file(state, name))
    command("allow", "n1", AI_BRIDGE_MAILBOXES=where.path)
    where.make(["nobody"])
    put_back(where, "n2")
    route(where, settings)
    assert states(where, "claude") == {UNREAD: ["n1.codex.txt", "n1.gemini.txt", "n2.nobody.txt"]}
    for name in states(where, "claude")[UNREAD]:
        assert_kept(outbox.file(UNREAD, name))


@pytest.mark.parametrize("hops", ["", "Hops: 3\n", "Hops-Claimed: 2\n"])
def test_unknown_headers_cross_a_link(where: Tree, hops: str) -> None:
    put_by_hand(where, "n1", "codex@south", hops)
    parsed = message.parse(Path(where.outbox("claude").path, "n1.txt").read_bytes())
    raw = wire.as_sent(parsed, {"claude": "claude@north", "codex@south": "codex"})
    arrived = message.parse(raw)
    assert (arrived.sender, arrived.recipients) == ("claude@north", ["codex"])
    kept = message.parse(threads.as_claimed(arrived) or raw)
    assert {name: value for name, value in kept.headers.items() if name in HEADERS} == HEADERS
    assert kept.body == "body\r\n"
