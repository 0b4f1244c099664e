"""A call that the server refuses is a tool error with one helpful sentence, and changes nothing."""

from __future__ import annotations

import shutil

import pytest

from ai_bridge.mailboxes.tree import Tree
from tests.server.uses import everything
from tests.support.wire import Wire

HELLO = {"to": "gemini", "body": "hello"}


@pytest.mark.parametrize(
    ("words", "helps"),
    [
        ({**HELLO, "to": "gemni"}, "there is no agent gemni (did you mean gemini?); known: claude, gemini"),
        ({**HELLO, "to": ["gemini", "codex"]}, "there is no agent codex; known: claude, gemini"),
        ({**HELLO, "to": "Gemini!"}, "did you mean gemini?"),
        ({**HELLO, "to": "../gemini"}, "did you mean gemini?"),
        ({**HELLO, "to": "NOBODY"}, "an address is name or name@project"),
        ({**HELLO, "to": ""}, "an address is name or name@project"),
        ({**HELLO, "to": " , "}, "an address is name or name@project"),
        ({**HELLO, "to": "postmaster"}, "postmaster only writes notices"),
        ({**HELLO, "body": ""}, "the body is empty"),
        ({**HELLO, "subject": "one\ntwo"}, "a subject is one line of text"),
        ({**HELLO, "subject": "one\u2028two"}, "a subject is one line of text"),
        ({**HELLO, "body": "é" * 600_000}, "over the limit of 1048576"),
        ({**HELLO, "reply_to": "gemini-1"}, "there is no message gemini-1"),
        ({**HELLO, "reply_to": "../../etc/passwd"}, "there is no message ../../etc/passwd"),
        ({**HELLO, "reply_to": "a\0b"}, "there is no message a\\x00b"),
        ({**HELLO, "bdy": "hello"}, "'bdy' was unexpected"),
        ({"to": "gemini"}, "'body' is a required property"),
        ({"body": "hello"}, "the message names no recipient: give 'to', or reply_to, which answers its sender"),
        ({}, "required property"),
        ({**HELLO, "body": ["hello"]}, "body: ['hello'] is not of type 'string'"),
        ({**HELLO, "subject": None}, "subject: None is not of type 'string'"),
    ],
)
def test_what_cannot_be_sent_is_refused_with_a_sentence(
    claude: Wire, where: Tree, words: dict[str, object], helps: str
) -> None:
    check(claude, where, "peer_send", words, helps)


@pytest.mark.parametrize("to", [5, None, [], [5], {"name": "gemini"}, True])
def test_a_recipient_of_the_wrong_type_is_told_the_right_one(claude: Wire, where: Tree, to: object) -> None:
    refusal = check(claude, where, "peer_send", {**HELLO, "to": to}, "to")
    assert "any of the given schemas" not in refusal
    assert "address" in refusal or "string" in refusal


@pytest.mark.parametrize(
    ("tool", "words", "helps"),
    [
        ("peer_read", {"limit": 0}, "limit: 0 is less than the minimum of 1"),
        ("peer_read", {"limit": "all"}, "limit: 'all' is not of type 'integer'"),
        ("peer_read", {"limit": 1.5}, "limit: 1.5 is not of type 'integer'"),
        ("peer_read", {"limit": True}, "limit: True is not of type 'integer'"),
        ("peer_read", {"max_chars": 10}, "max_chars: 10 is less than the minimum of 1000"),
        ("peer_read", {"peek": "yes"}, "peek: 'yes' is not of type 'boolean'"),
        ("peer_read", {"acknowledge": "later"}, "acknowledge: 'later' is not one of ['auto', 'manual']"),
        ("peer_read", {"sender": "gemni"}, "did you mean gemini?"),
        ("peer_read", {"sender": ""}, "an address is name or name@project"),
        ("peer_read", {"from": "gemini"}, "'from' was unexpected"),
        ("read_gemini_messages", {"sender": "gemini"}, "'sender' was unexpected"),
        ("peer_wait", {"timeout_s": -1}, "timeout_s: -1 is less than the minimum of 0"),
        ("peer_wait", {"timeout_s": 1e9}, "is greater than the maximum of 3600"),
        ("peer_wait", {"timeout_s": "long"}, "timeout_s: 'long' is not of type 'number'"),
        ("peer_wait", {"sender": "gemni"}, "did you mean gemini?"),
        ("peer_list", {"all": True}, "'all' was unexpected"),
        ("peer_status", {"id": 7}, "id: 7 is not of type 'string'"),
        ("peer_status", {"id": "gemini-1"}, "there is no message gemini-1"),
        ("peer_status", {"id": "a\0.txt"}, "there is no message a\\x00.txt"),
        ("peer_status", {"id": ""}, "there is no message"),
        ("acknowledge_messages", {}, "'ids' is a required property"),
        ("acknowledge_messages", {"ids": "gemini-1"}, "ids: 'gemini-1' is not of type 'array'"),
        ("acknowledge_messages", {"ids": [7]}, "ids.0: 7 is not of type 'string'"),
        ("acknowledge_messages", {"ids": []}, "ids: [] should be non-empty"),
        ("acknowledge_messages", {"ids": ["../x"]}, "../x is not unread for claude"),
    ],
)
def test_every_other_tool_refuses_likewise(
    claude: Wire, where: Tree, tool: str, words: dict[str, object], helps: str
) -> None:
    check(claude, where, tool, words, helps)


@pytest.mark.parametrize("tool", ["peer_sned", "read_nobody_messages", "read_claude_messages", "", "read__messages"])
@pytest.mark.parametrize("words", [{}, HELLO], ids=["no words", "words"])
def test_a_tool_that_does_not_exist_is_called_so(
    claude: Wire, where: Tree, tool: str, words: dict[str, object]
) -> None:
    check(claude, where, tool, words, f"there is no tool {tool}")


def test_an_empty_body_is_not_answered_with_a_shells_advice(claude: Wire, where: Tree) -> None:
    assert "--" not in check(claude, where, "peer_send", {"to": "gemini", "body": ""}, "empty")


def test_the_only_agent_reaches_nobody(claude: Wire, where: Tree) -> None:
    shutil.rmtree(where.outbox("gemini").path)
    check(claude, where, "peer_send", {**HELLO, "to": "*"}, "nobody else in the project of claude")


def check(claude: Wire, where: Tree, tool: str, words: dict[str, object], helps: str) -> str:
    """Call the tool and hold the refusal to the rule: one line, which helps; nothing is changed. Returns it."""
    claude.text("peer_status")  # the session's first use writes its card
    before = everything(where.path)
    refusal = claude.refusal(tool, **words)
    assert refusal.startswith("error: ")
    assert refusal.isprintable()
    assert helps in refusal
    assert everything(where.path) == before
    return refusal
