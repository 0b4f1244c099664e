"""The inbox as a resource, in both eras: subscribers hear of new mail, and clients that list tools of new agents."""

from __future__ import annotations

import time

import pytest

from ai_bridge.mailboxes.outbox import UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.system.locks import holder
from tests.support.mail import exchange, post, states
from tests.support.server import CLAUDE, CODEX, GEMINI, Serve
from tests.support.shown import bodies, settle
from tests.support.wait import until
from tests.support.wire import MODERN, Json, Wire

INBOX = "mail://inbox"
OTHER = "a-client-of-tomorrow"
UPDATED, TOOLS = "notifications/resources/updated", "notifications/tools/list_changed"


@pytest.fixture
def reader(serve: Serve, era: str) -> Wire:
    """A session, of either era, of a client nothing is known of."""
    return serve(client=OTHER, era=era, AI_BRIDGE_AGENT="claude")


def subscribe(server: Wire, era: str, **wanted: object) -> int:
    """Subscribe to the inbox, or to something else, as a client of its era does; returns the request's number."""
    if era == "legacy":
        number = server.ask("resources/subscribe", {"uri": INBOX})
        assert server.reply(number)["result"] == {}
        return number
    number = server.ask("subscriptions/listen", {"notifications": wanted or {"resourceSubscriptions": [INBOX]}})
    until(lambda: server.noticed("notifications/subscriptions/acknowledged"))
    return number


def assert_offered(said: Json, offered: bool) -> None:
    assert ("resources" in said["capabilities"]) is offered
    assert "tools" in said["capabilities"]


@pytest.mark.parametrize("client", [CLAUDE, GEMINI, CODEX])
def test_a_client_that_would_pass_updates_over_is_offered_none(serve: Serve, era: str, client: str) -> None:
    assert_offered(serve(client=client, era=era, opened=False).open(), offered=False)


def test_another_client_is_offered_the_inbox(serve: Serve, era: str) -> None:
    assert_offered(serve(client=OTHER, era=era, opened=False).open(), offered=True)


def test_the_inbox_is_listed_and_reading_it_marks_nothing_as_read(reader: Wire, where: Tree) -> None:
    (listed,) = reader.request("resources/list", {})["resources"]
    assert listed["uri"] == INBOX
    post(where, "the body", to="claude", sender="gemini")
    for _ in range(2):
        (content,) = reader.request("resources/read", {"uri": INBOX})["contents"]
        assert (content["uri"], content["mimeType"]) == (INBOX, "text/plain")
        assert bodies(content["text"]) == ["the body"]
    assert [*states(where, "gemini")] == [UNREAD]
    assert holder(where.lock_file("reader", "claude")) is None


@pytest.mark.parametrize("method", ["resources/read", "resources/subscribe", "resources/unsubscribe"])
def test_what_is_no_resource_is_refused(serve: Serve, method: str) -> None:
    server = serve(client=OTHER, AI_BRIDGE_AGENT="claude")
    error = server.reply(server.ask(method, {"uri": "file:///etc/passwd"}))["error"]
    assert "there is no resource file:///etc/passwd" in error["message"]


def test_who_cannot_read_the_inbox_is_told_why(serve: Serve) -> None:
    nobody = serve(client="2026")  # holds nothing of an address
    error = nobody.reply(nobody.ask("resources/read", {"uri": INBOX}))["error"]
    assert "AI_BRIDGE_AGENT" in error["message"]


def test_who_subscribes_is_told_of_each_arrival_once(reader: Wire, where: Tree, era: str) -> None:
    number = subscribe(reader, era)
    for times in (1, 2):
        post(where, to="claude", sender="gemini")
        until(lambda times=times: len(reader.noticed(UPDATED)) == times)  # type: ignore[misc]
    for said in reader.noticed(UPDATED):
        assert said["uri"] == INBOX
        if era == "modern":
            assert said["_meta"]["io.modelcontextprotocol/subscriptionId"] == number
    assert reader.text("check_mail", event="UserPromptSubmit") == "{}"
    assert [*states(where, "gemini")] == [UNREAD]


def test_what_waited_before_is_told_of(reader: Wire, where: Tree, era: str) -> None:
    post(where, to="claude", sender="gemini")
    subscribe(reader, era)
    until(lambda: reader.noticed(UPDATED))


def end_subscription(server: Wire, era: str, number: int) -> None:
    if era == "modern":
        server.cancel(number)
    else:
        server.request("resources/unsubscribe", {"uri": INBOX})


def assert_hears_nothing(server: Wire, where: Tree, other: Wire) -> None:
    """Mail comes for both; the other, which subscribes, is told of its own twice, and the one was not told before."""
    assert subscribe(other, "legacy")
    post(where, to="claude", sender="gemini")
    for times in (1, 2):
        post(where)
        until(lambda times=times: len(other.noticed(UPDATED)) == times)  # type: ignore[misc]
    assert server.noticed(UPDATED) == []
    assert "1 new message" in server.text("check_mail", event="UserPromptSubmit"), "and so it is new to a hook"


@pytest.fixture
def other(serve: Serve) -> Wire:
    """Another agent's session."""
    return serve(client=OTHER, AI_BRIDGE_AGENT="gemini")


def test_who_subscribes_no_more_hears_nothing(reader: Wire, where: Tree, era: str, other: Wire) -> None:
    number = subscribe(reader, era)
    if era == "legacy":
        subscribe(reader, era)
    end_subscription(reader, era, number)
    assert reader.text("peer_list")
    assert_hears_nothing(reader, where, other)


def test_who_never_subscribed_hears_nothing(reader: Wire, where: Tree, other: Wire) -> None:
    reader.tools()
    assert_hears_nothing(reader, where, other)


def test_an_open_subscription_does_not_delay_the_end(reader: Wire, era: str) -> None:
    subscribe(reader, era)
    started = time.monotonic()
    reader.close_in()
    assert reader.ended() == 0
    assert time.monotonic() - started < 3.5, "it waited for an answer nobody will get"
    assert reader.said() == ""


# --- the list of tools ------------------------------------------------------------------------------------


def test_who_listed_the_tools_is_told_of_a_new_agent_and_of_nothing_else(serve: Serve, where: Tree, era: str) -> None:
    server = serve(era=era)
    if era == "modern":
        subscribe(server, era, toolsListChanged=True)
    server.tools()
    post(where, to="claude", sender="gemini")
    assert bodies(server.text("peer_read")) == ["hello"]
    exchange(where, "codex", "claude")
    where.make(["codex"])
    until(lambda: server.noticed(TOOLS))
    assert "read_codex_messages" in {tool["name"] for tool in server.tools()}
    post(where, to="claude", sender="codex")
    assert bodies(server.text("peer_read")) == ["hello"]
    exchange(where, "claude", "reviewer")
    where.make(["reviewer"])
    until(lambda: len(server.noticed(TOOLS)) == 2)


def test_the_modern_era_hears_only_what_it_listens_to(serve: Serve, where: Tree) -> None:
    server = serve(era="modern")
    server.tools()
    for agent in ("codex", "reviewer"):
        exchange(where, agent, "claude")
        exchange(where, agent, "gemini")
    where.make(["codex"])
    other = serve(era="modern", client=OTHER, AI_BRIDGE_AGENT="gemini")
    subscribe(other, "modern", toolsListChanged=True)
    other.tools()
    where.make(["reviewer"])
    until(lambda: other.noticed(TOOLS))
    assert server.text("peer_list")
    assert server.noticed(TOOLS) == [], MODERN


def test_before_the_tools_were_listed_nobody_is_told(serve: Serve, where: Tree) -> None:
    settle(where, sweep_s=0.05)
    server = serve()
    assert server.text("peer_status")
    where.make(["codex"])
    assert "codex" in server.text("peer_list")
    assert server.noticed(TOOLS) == []
