"""A message is acknowledged once the client has read the reply that shows it, and in no other case."""

from __future__ import annotations

import signal
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.mailboxes.outbox import DROPPED, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.locks import Lock
from tests.support.mail import post, states
from tests.support.server import CLAUDE, Ground, Serve
from tests.support.shown import NOTHING, bodies, is_being_read
from tests.support.wait import until
from tests.support.wire import Wire

# Larger than the buffer of a pipe (64 KB) and of a socket (some 200 KB).
LARGE = "0123456789" * 100_000
ALL = {"max_chars": 2_000_000}
SIZES = pytest.mark.parametrize("body", ["small", LARGE], ids=["small", "large"])
KINDS = pytest.mark.parametrize("kind", ["pipes", "sockets", "one socket"])


def with_reply_in_the_pipe(server: Wire) -> int:
    """Ask for all mail, and return the request's number once its reply lies in the pipe, unread."""
    request = server.ask_tool("peer_read", ALL)
    until(lambda: server.unread_bytes() > 0)
    return request


@pytest.fixture
def assert_still_unread(ground: Ground, where: Tree) -> Callable[[str], None]:
    """The message is neither acknowledged nor lost: another session shows it."""

    def check(body: str) -> None:
        assert states(where, "gemini").keys() <= {DROPPED, UNREAD}
        assert bodies(ground.shared(CLAUDE).text("peer_read", **ALL)) == [body]
        until(lambda: states(where, "gemini").keys() == {READ})

    return check


@KINDS
def test_it_is_unread_while_the_reply_waits_and_read_once_that_was_taken(
    serve: Serve, era: str, where: Tree, kind: str
) -> None:
    post(where, LARGE, to="claude", sender="gemini")
    server = serve(era=era, kind=kind)
    request = with_reply_in_the_pipe(server)
    assert is_being_read(where)
    assert states(where, "gemini").keys() == {UNREAD}
    assert bodies(server.answer(request).text) == [LARGE]
    until(lambda: states(where, "gemini").keys() == {READ})
    assert server.text("peer_read") == NOTHING


@KINDS
def test_a_client_that_leaves_as_soon_as_it_has_the_reply_has_read_it(serve: Serve, where: Tree, kind: str) -> None:
    post(where, LARGE, to="claude", sender="gemini")
    server = serve(kind=kind)
    assert bodies(server.answer(with_reply_in_the_pipe(server)).text) == [LARGE]
    assert (server.leave(), server.said()) == (0, "")
    assert states(where, "gemini").keys() == {READ}


# --- the client is gone ---------------------------------------------------------------------------------


@SIZES
@KINDS
def test_a_client_that_leaves_without_reading_the_reply_has_read_nothing(
    serve: Serve, where: Tree, assert_still_unread: Callable[[str], None], kind: str, body: str
) -> None:
    post(where, body, to="claude", sender="gemini")
    server = serve(kind=kind)
    with_reply_in_the_pipe(server)
    code = server.leave()
    assert_still_unread(body)
    assert (code, server.said()) == (0, "")


@KINDS
def test_a_client_that_leaves_in_the_middle_of_the_reply_has_read_nothing(
    serve: Serve, where: Tree, assert_still_unread: Callable[[str], None], kind: str
) -> None:
    post(where, LARGE, to="claude", sender="gemini")
    server = serve(kind=kind)
    with_reply_in_the_pipe(server)
    taken = 0
    while taken < len(LARGE) // 2:
        taken += len(server.read_some())
    code = server.leave()
    assert_still_unread(LARGE)
    assert (code, server.said()) == (0, "")


def test_a_client_that_only_stops_listening_has_read_nothing(
    serve: Serve, where: Tree, assert_still_unread: Callable[[str], None]
) -> None:
    post(where, "small", to="claude", sender="gemini")
    server = serve()
    with_reply_in_the_pipe(server)
    server.close_out()
    code = server.ended()
    assert_still_unread("small")
    assert (code, server.said()) == (0, "")


def test_a_client_that_says_no_more_and_never_reads_ends_the_server(
    serve: Serve, where: Tree, assert_still_unread: Callable[[str], None]
) -> None:
    post(where, "small", to="claude", sender="gemini")
    server = serve()
    with_reply_in_the_pipe(server)
    server.close_in()
    code = server.ended()
    assert_still_unread("small")
    assert (code, server.said()) == (0, "")


# --- the server is gone ---------------------------------------------------------------------------------


@SIZES
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_a_server_that_ends_while_its_reply_waits_has_acknowledged_nothing(
    serve: Serve,
    where: Tree,
    assert_still_unread: Callable[[str], None],
    number: signal.Signals,
    body: str,
) -> None:
    post(where, body, to="claude", sender="gemini")
    server = serve()
    with_reply_in_the_pipe(server)
    code = server.signal(number)
    assert_still_unread(body)
    assert (code, server.said()) == (-signal.SIGKILL if number == signal.SIGKILL else 0, "")


# --- cancelled ------------------------------------------------------------------------------------------


def test_a_read_cancelled_before_its_reply_was_made_is_not_answered(claude_of_era: Wire, where: Tree) -> None:
    post(where, "hello", to="claude", sender="gemini")
    server = claude_of_era
    server.text("peer_status")
    lock = Lock(where.lock_file("reader", "claude"))
    assert lock.acquire("test")
    request = server.ask_tool("peer_read")
    until(lambda: server.has_open(lock.path))
    server.cancel(request)
    server.text("peer_status")  # answered after the cancellation was heard
    lock.release()
    until(lambda: not server.has_open(lock.path))
    assert states(where, "gemini").keys() <= {DROPPED, UNREAD}
    assert bodies(server.text("peer_read")) == ["hello"]
    assert not server.has_replied(request)
    until(lambda: states(where, "gemini").keys() == {READ})


def test_a_read_cancelled_while_its_reply_waits_is_shown_again(claude_of_era: Wire, where: Tree) -> None:
    post(where, "hello", to="claude", sender="gemini")
    server = claude_of_era
    request = with_reply_in_the_pipe(server)
    server.cancel(request)
    until(lambda: not is_being_read(where))
    assert states(where, "gemini").keys() == {UNREAD}
    assert bodies(server.answer(request).text) == ["hello"]
    assert bodies(server.text("peer_read")) == ["hello"]
    until(lambda: states(where, "gemini").keys() == {READ})


def test_a_read_cancelled_behind_a_full_pipe_is_shown_again(claude_of_era: Wire, where: Tree) -> None:
    server = claude_of_era
    waiting, request = with_a_read_behind_a_full_pipe(server, where)
    server.cancel(request)
    until(lambda: not is_being_read(where))
    assert bodies(server.answer(waiting).text) == [LARGE]
    assert bodies(server.text("peer_read", **ALL)) == [LARGE]


def test_a_cancellation_may_name_the_request_as_text(claude: Wire, where: Tree) -> None:
    waiting, request = with_a_read_behind_a_full_pipe(claude, where)
    claude.cancel(str(request))
    until(lambda: not is_being_read(where))
    assert bodies(claude.answer(waiting).text) == [LARGE]
    assert bodies(claude.text("peer_read", **ALL)) == [LARGE]


def with_a_read_behind_a_full_pipe(server: Wire, where: Tree) -> tuple[int, int]:
    """Return a peek whose reply fills the pipe, and a read whose reply has to wait for its turn."""
    post(where, LARGE, to="claude", sender="gemini")
    waiting = server.ask_tool("peer_read", {"peek": True, **ALL})
    until(lambda: server.unread_bytes() > 0)
    request = server.ask_tool("peer_read", ALL)
    until(lambda: is_being_read(where))
    return waiting, request


# --- the disk refuses -----------------------------------------------------------------------------------


def test_a_message_whose_name_is_taken_among_the_read_is_kept_beside_the_other(claude: Wire, where: Tree) -> None:
    id_ = post(where, "hello", to="claude", sender="gemini")
    other = Path(where.outbox("gemini").file(READ, f"{id_}.claude.txt"))
    assert bodies(claude.text("peer_read", peek=True)) == ["hello"]
    other.write_text("another of the same name")
    assert bodies(claude.text("peer_read")) == ["hello"]
    until(lambda: states(where, "gemini").keys() == {READ})
    assert len(states(where, "gemini")[READ]) == 2
    assert other.read_text() == "another of the same name"
    assert claude.text("peer_read") == NOTHING


def test_where_nothing_can_be_acknowledged_the_server_goes_on(claude: Wire, where: Tree) -> None:
    post(where, "hello", to="claude", sender="gemini")
    read = Path(where.outbox("gemini").directory(READ))
    read.rmdir()
    read.write_text("not a directory")
    before = claude.said().count("not acknowledged")
    for number in (1, 2):
        assert bodies(claude.text("peer_read")) == ["hello"]
        until(lambda tried=before + number: claude.said().count("not acknowledged") == tried)
    read.unlink()
    assert bodies(claude.text("peer_read")) == ["hello"]
    until(lambda: states(where, "gemini").keys() == {READ})
