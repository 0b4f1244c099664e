"""The server ends cleanly, whenever and however its client leaves."""

from __future__ import annotations

import signal

import pytest

from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.locks import Lock
from tests.support.server import Serve
from tests.support.wire import Wire

SIGNALS = pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])


def assert_clean(server: Wire, code: int) -> None:
    """The process ended as one that was told to, and had nothing to complain of."""
    assert (code, server.said()) == (0, "")


# --- leaving --------------------------------------------------------------------------------------------


def test_it_ends_when_its_client_says_no_more(serve: Serve, era: str) -> None:
    server = serve(era=era)
    server.text("peer_status")
    server.close_in()
    assert_clean(server, server.ended())


def test_it_ends_when_its_client_says_nothing_at_all(serve: Serve) -> None:
    server = serve(opened=False)
    server.close_in()
    assert_clean(server, server.ended())


def test_it_ends_when_its_client_leaves_during_a_wait(serve: Serve, era: str) -> None:
    server = serve(era=era, AI_BRIDGE_SWEEP_S="3600")
    server.ask_tool("peer_wait", {"timeout_s": 3600}, progressToken="w")
    server.until_progress()
    assert_clean(server, server.leave())


def test_it_ends_when_its_client_stops_listening(serve: Serve) -> None:
    server = serve()
    server.close_out()
    server.ask_tool("peer_status")
    assert_clean(server, server.ended())


@SIGNALS
def test_a_signal_ends_it(serve: Serve, number: signal.Signals) -> None:
    server = serve()
    server.text("peer_status")
    assert_clean(server, server.signal(number))


@SIGNALS
def test_a_signal_ends_it_during_a_wait(serve: Serve, number: signal.Signals) -> None:
    server = serve(AI_BRIDGE_SWEEP_S="3600")
    server.ask_tool("peer_wait", {"timeout_s": 3600}, progressToken="w")
    server.until_progress()
    assert_clean(server, server.signal(number))


def test_a_cancelled_request_is_not_waited_for_at_the_end(serve: Serve, where: Tree) -> None:
    server = serve()
    server.write({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": ["odd"]})
    lock = Lock(where.lock_file("reader", "claude"))
    assert lock.acquire("test")
    server.cancel(server.ask_tool("peer_read"))
    lock.release()
    server.close_in()
    assert_clean(server, server.ended())
