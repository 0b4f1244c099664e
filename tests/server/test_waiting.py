"""peer_wait: it returns once there is mail, wakes instead of polling, and leaves nothing behind at its end."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import anyio
import pytest
from mcp import Client
from mcp.shared.dispatcher import ProgressFnT

from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from tests.support.mail import exchange, post, states
from tests.support.server import Connect, Serve, said
from tests.support.shown import NOTHING, settle
from tests.support.wait import until
from tests.support.wire import PATIENCE_S, Wire

LONG = {"timeout_s": 3600}
NEEDS_PROC = pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="/proc shows what a process has open")


@pytest.fixture(autouse=True)
def _never_sweeps(where: Tree) -> None:
    """Put the sweeps so far apart that only a wake can end a wait before the test's own patience does."""
    settle(where, sweep_s=3600.0)


def begin_to_wait(server: Wire, **words: object) -> int:
    """Return the number of a wait that has looked once and found nothing."""
    before = len(server.progress)
    request = server.ask_tool("peer_wait", {**LONG, **words}, progressToken=f"w{before}")
    server.until_progress(before + 1)
    return request


# --- it returns -----------------------------------------------------------------------------------------


def test_where_mail_is_there_it_returns_at_once_and_acknowledges_nothing(claude_of_era: Wire, where: Tree) -> None:
    where.make(["codex"])
    for sender in ("gemini", "codex"):
        post(where, "hello", to="claude", sender=sender)
    text = claude_of_era.text("peer_wait", **LONG)
    assert text == "2 messages unread for claude, from codex, gemini. Read with peer_read()."
    assert [*states(where, "gemini")] == [UNREAD]
    assert claude_of_era.text("peer_wait", **LONG) == text


def test_a_drop_wakes_it_where_no_router_runs(claude_of_era: Wire, where: Tree) -> None:
    server = claude_of_era
    waiting = begin_to_wait(server)
    post(where, "hello", to="claude", sender="gemini")
    assert server.answer(waiting).text.startswith("1 message unread for claude, from gemini.")


def test_the_sessions_own_mail_to_itself_ends_only_a_wait_for_it(claude: Wire, where: Tree) -> None:
    post(where, "a note", to="claude", sender="claude")
    assert claude.text("peer_wait", timeout_s=0).startswith("No mail for claude in 0 s.")
    assert claude.text("peer_wait", sender="claude", **LONG).startswith("1 message unread for claude, from claude.")
    waiting = begin_to_wait(claude)
    post(where, "hello", to="claude", sender="gemini")
    assert claude.answer(waiting).text.startswith("1 message unread for claude, from gemini.")


@pytest.mark.usefixtures("router")
def test_a_drop_wakes_it_where_a_router_runs(claude: Wire, where: Tree) -> None:
    waiting = begin_to_wait(claude)
    post(where, "hello", to="claude", sender="gemini")
    assert claude.answer(waiting).text.startswith("1 message unread for claude, from gemini.")


def test_mail_of_an_agent_made_meanwhile_wakes_it_too(claude: Wire, where: Tree) -> None:
    waiting = begin_to_wait(claude)
    where.make(["codex"])
    post(where, "hello", to="claude", sender="codex")
    assert "from codex" in claude.answer(waiting).text


def test_where_there_are_no_events_it_is_woken_by_looking(claude: Wire, where: Tree) -> None:
    settle(where, sweep_s=3600.0, poll=True, poll_s=0.01)
    waiting = begin_to_wait(claude)
    post(where, "hello", to="claude", sender="gemini")
    assert "from gemini" in claude.answer(waiting).text


def test_it_waits_on_until_the_asked_sender_writes(claude: Wire, where: Tree) -> None:
    where.make(["codex"])
    settle(where, sweep_s=0.05)
    waiting = begin_to_wait(claude, sender="gemini")
    post(where, "from another", to="claude", sender="codex")
    until(lambda: [*states(where, "codex")] == [UNREAD])
    claude.until_progress(len(claude.progress) + 1)
    assert not claude.has_replied(waiting)
    post(where, "from the one", to="claude", sender="gemini")
    assert claude.answer(waiting).text.startswith("1 message unread for claude, from gemini.")


def test_with_no_mail_it_returns_after_its_time(claude_of_era: Wire, where: Tree) -> None:
    post(where, "mine", to="gemini", sender="claude")
    for timeout_s in (0, 0.2):
        started = time.monotonic()
        text = claude_of_era.text("peer_wait", timeout_s=timeout_s)
        assert time.monotonic() - started >= timeout_s
        assert text.startswith(f"No mail for claude in {timeout_s:g} s.")
    assert [*states(where, "claude")] == [DROPPED]


@pytest.mark.anyio
async def test_it_reports_how_long_it_has_waited(connect: Connect, era: str, where: Tree) -> None:
    reports: list[tuple[float, float | None, str | None]] = []
    enough = anyio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        reports.append((progress, total, message))
        if len(reports) == 3:
            enough.set()

    settle(where, sweep_s=0.05)
    async with connect(era) as client:
        await give_up_when(client, enough, note)
    times = [progress for progress, _, _ in reports]
    assert times == sorted(set(times))
    assert {(total, message) for _, total, message in reports} == {(3600.0, "waiting for mail")}


async def give_up_when(client: Client, event: anyio.Event, note: ProgressFnT) -> None:
    """Begin a long wait, and give it up when the event comes."""

    async def wait() -> None:
        await client.call_tool("peer_wait", LONG, progress_callback=note)

    async with anyio.create_task_group() as group:
        group.start_soon(wait)
        with anyio.fail_after(PATIENCE_S):
            await event.wait()
        group.cancel_scope.cancel()


# --- it has no watch of its own --------------------------------------------------------------------------


def inotify_instances(server: Wire) -> int:
    """Return how many watches of the kernel the server's process has."""
    return [_kind(path) for path in server.open_files()].count("inotify")


def until_session_is_watched(server: Wire, where: Tree) -> None:
    """Have an agent made, and wait until the server reports it: the session's own watch learned of it."""
    server.tools()
    exchange(where, "codex", "claude")
    where.make(["codex"])
    until(lambda: bool(server.noticed("notifications/tools/list_changed")))


@NEEDS_PROC
def test_a_wait_shares_the_watch_that_the_session_has(serve: Serve, where: Tree) -> None:
    server = serve()
    until_session_is_watched(server, where)
    assert inotify_instances(server) == 1
    waiting = begin_to_wait(server)
    assert inotify_instances(server) == 1
    post(where, "hello", to="claude", sender="codex")
    assert "from codex" in server.answer(waiting).text


@NEEDS_PROC
def test_the_session_shares_the_watch_that_a_wait_began(serve: Serve, where: Tree) -> None:
    server = serve()
    assert inotify_instances(server) == 0
    waiting = begin_to_wait(server)
    assert inotify_instances(server) == 1
    until_session_is_watched(server, where)
    assert inotify_instances(server) == 1
    post(where, "hello", to="claude", sender="codex")
    assert "from codex" in server.answer(waiting).text


# --- it is ended ----------------------------------------------------------------------------------------


@pytest.mark.anyio
async def test_a_client_that_gives_up_a_wait_is_served_on(connect: Connect, era: str, where: Tree) -> None:
    started = anyio.Event()

    async def note(*_: object) -> None:
        started.set()

    async with connect(era) as client:
        await give_up_when(client, started, note)
        assert await said(client, "peer_read") == NOTHING


def at_rest(server: Wire) -> int:
    """Return how many files a session has open once it has its name and its watch, which it keeps to its end."""
    server.text("peer_read")
    until(lambda: {"lock", "inotify"} <= {_kind(path) for path in server.open_files()})
    until(lambda: [_kind(path) for path in server.open_files()].count("pipe") == 5)  # of the client 3, of the watch 2
    return server.descriptors()


def _kind(path: str) -> str:
    return "lock" if path.endswith(".lock") else "inotify" if "inotify" in path else path.partition(":")[0]


def test_a_cancelled_wait_closes_all_it_had_opened(claude_of_era: Wire) -> None:
    server = claude_of_era
    before = at_rest(server)
    waits = [begin_to_wait(server) for _ in range(5)]
    assert inotify_instances(server) == 1
    for request in waits:
        server.cancel(request)
    until(lambda: server.descriptors() <= before)
    assert server.text("peer_read") == NOTHING
    assert not [request for request in waits if server.has_replied(request)]


def test_a_wait_that_ended_closes_all_it_had_opened(claude: Wire, where: Tree) -> None:
    before = at_rest(claude)
    waits = [begin_to_wait(claude) for _ in range(5)]
    post(where, "hello", to="claude", sender="gemini")
    assert {claude.answer(request).text[:9] for request in waits} == {"1 message"}
    until(lambda: claude.descriptors() <= before)


@pytest.mark.parametrize("cancelled", [True, False], ids=["cancelled", "still waiting"])
def test_many_waits_do_not_delay_the_end(serve: Serve, cancelled: bool) -> None:
    server = serve()
    waits = [begin_to_wait(server) for _ in range(20)]
    for request in waits if cancelled else []:
        server.cancel(request)
    server.close_in()
    assert server.ended() == 0
    assert "Traceback" not in server.said()


def test_however_many_wait_the_other_tools_answer(serve: Serve, where: Tree) -> None:
    server = serve()
    waits = [server.ask_tool("peer_wait", LONG) for _ in range(60)]
    assert server.text("peer_status").startswith("You are claude")
    assert server.text("peer_read") == NOTHING
    post(where, "hello", to="claude", sender="gemini")
    assert {server.answer(request).text[:9] for request in waits} == {"1 message"}


@pytest.mark.usefixtures("router")
def test_it_says_what_a_router_that_does_nothing_has_not_moved(
    claude: Wire, where: Tree, processes: list[subprocess.Popen[bytes]]
) -> None:
    """So do a read and a status: that there is no mail would not be all."""
    late = rf"1 message on its way; the router \(pid {processes[-1].pid}\) has not moved it for \d+ s\."
    processes[-1].send_signal(signal.SIGSTOP)
    os.waitid(os.P_PID, processes[-1].pid, os.WSTOPPED)
    post(where, "hello", to="claude", sender="gemini")
    assert re.fullmatch(rf"No unread mail for claude\. {late}", claude.text("peer_read"))
    assert re.fullmatch(rf"No unread mail for claude\. {late}", claude.text("read_gemini_messages"))
    waited = claude.text("peer_wait", timeout_s=1)
    assert re.fullmatch(rf"No mail for claude in 1 s\. {late} Go on with other work, or wait again\.", waited)
    assert re.search(rf"Unread for you: 0\. {late} Sent by you", claude.text("peer_status"))
    processes[-1].send_signal(signal.SIGCONT)
    assert "1 message unread for claude" in claude.text("peer_wait", **LONG)
    assert "hello" in claude.text("peer_read")
    assert claude.text("peer_read") == "No unread mail for claude."
