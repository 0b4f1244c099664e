"""A hand-dropped text becomes a message, once and whole; what begins like a message and is none stays malformed."""

from __future__ import annotations

import os
import time
from pathlib import Path

import pytest

from ai_bridge import settings as settings_
from ai_bridge.errors import TooLarge
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, REASON, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import ids
from ai_bridge.message.message import Message
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from tests.contract.ways import BODIES
from tests.support.command import command
from tests.support.mail import LIMIT, post, route, states


def _drop(where: Tree, name: str, text: str = "hi", owner: str = "claude") -> Path:
    path = Path(where.outbox(owner).file(DROPPED, name))
    path.write_bytes(text.encode())
    return path


def _arrived(where: Tree, agent: str = "gemini") -> list[Message]:
    return [one.load() for one in unread.unread_for(where, agent) if one.sender != "postmaster"]


def _reason(where: Tree, name: str) -> str:
    return Path(where.outbox("claude").file(MALFORMED, name) + REASON).read_text()


@pytest.mark.parametrize("name", ["gemini.txt", "hello.gemini.txt", "hello there (2).gemini.txt", "a.b.gemini.txt"])
def test_plain_text_becomes_a_message_to_the_agent_in_its_name(where: Tree, settings: Settings, name: str) -> None:
    before = time.time_ns()
    _drop(where, name, "hi\nthere\n")
    assert [step.verb for step in route(where, settings)] == ["complete", "deliver"]
    (found,) = _arrived(where)
    assert (found.sender, found.recipients, found.subject, found.body) == ("claude", ["gemini"], "hi", "hi\nthere\n")
    assert ids.is_own_id(found.id)
    assert ids.Issue("/nowhere", "x").next()[1][2:] > found.id.removeprefix("claude-")
    assert (found.get("Date") or "").startswith(time.strftime("%Y-%m-%dT", time.gmtime(before / 1e9)))
    assert states(where, "claude") == {UNREAD: [f"{found.id}.gemini.txt"]}
    assert os.listdir(where.outbox("claude").temporary) == []


def test_what_a_shell_echoes_is_read(where: Tree) -> None:
    """The line of docs/commands.md."""
    os.system(f"echo hi > {where.path}/claude-outbox/gemini.txt")
    done = command("read", "--agent", "gemini", "--mailboxes", where.path, AI_BRIDGE_SETTLE_S="0")
    assert done.stdout.rpartition("\n\n")[2].startswith("hi\n")


@pytest.mark.parametrize("body", [body for body in BODIES if body.strip()], ids=lambda body: repr(body[:9]))
def test_the_body_arrives_byte_for_byte(where: Tree, settings: Settings, body: str) -> None:
    _drop(where, "gemini.txt", body)
    route(where, settings)
    assert [message.body for message in _arrived(where)] == [body]


def test_a_short_name_means_an_agent_of_the_senders_project(where: Tree, settings: Settings) -> None:
    where.make(["mini@web", "gemini@web", "claude@web"])
    for name in ("mini.txt", "x.gemini.txt", "x.claude.txt"):
        _drop(where, name, owner="claude@web")
    _drop(where, "x.mini@web.txt")
    _drop(where, "mini.txt")
    route(where, settings)
    assert sorted(message.sender for message in _arrived(where, "mini@web")) == ["claude", "claude@web"]
    assert len(_arrived(where, "gemini@web")) == len(_arrived(where, "claude@web")) == 1
    assert _arrived(where, "gemini") == _arrived(where, "claude") == []
    assert "mini is no agent here, but mini@web is: give the whole address" in _reason(where, "mini.txt")


def test_two_equal_drops_are_two_messages(where: Tree, settings: Settings) -> None:
    for _ in range(2):
        os.utime(_drop(where, "gemini.txt"), ns=(10**18, 10**18))
        route(where, settings)
    assert len({message.id for message in _arrived(where)}) == 2


@pytest.mark.parametrize(
    ("text", "filled"),
    [
        ("To: gemini\n\nhello", {"ID", "From", "Subject", "Date"}),
        ("From: claude\nTo: gemini\nSubject: s\n\nb", {"ID", "Date"}),
        ("ID: own-1\nTo: gemini\nSubject: s\n\nb", {"From"}),
        ("ID: own-1\nFrom: claude\nTo: gemini\nIn-Reply-To: x\n\nb", {"Subject"}),
    ],
)
def test_headers_that_are_missing_are_filled_in(where: Tree, settings: Settings, text: str, filled: set[str]) -> None:
    _drop(where, "any name.txt", text)
    route(where, settings)
    (found,) = _arrived(where)
    given = dict(line.split(": ") for line in text.partition("\n\n")[0].split("\n"))
    assert found.headers.keys() == given.keys() | filled | {"Completed-By"}
    assert found.headers | given == found.headers
    assert found.body == text.partition("\n\n")[2]
    assert found.sender == "claude"


def test_headers_without_an_id_may_be_for_several(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    _drop(where, "x.txt", "To: *\nSubject: s\n\nb")
    assert [step.verb for step in route(where, settings)] == ["complete", "fan out", "deliver", "deliver"]
    assert len({message.id for agent in ("codex", "gemini") for message in _arrived(where, agent)}) == 1


@pytest.mark.parametrize(
    ("name", "text", "sentence"),
    [
        ("x.txt", "hi", "name it `gemini.txt` or `hello.gemini.txt` after its recipient (known: claude, gemini)"),
        ("gemini (1).txt", "hi", "its name names no agent"),
        ("gemini.txt", "Note: buy milk", "no blank line"),
        ("gemini.txt", "ID: a1\nhello\n\nb", "header line 2"),
        ("gemini.txt", "Subject: s\n\nb", "To is missing"),
        ("gemini.txt", "To: nobody\n\nb", "there is no agent nobody"),
        ("gemini.txt", "From: gemini\nTo: gemini\n\nb", "only claude sends from there"),
        ("gemini.txt", "", "header line 1"),
        ("gemini.txt", "\n \n", "is not `Name: value`"),
        ("gemini.sync-conflict-20261122-032405-ABCDEFG.txt", "hi", "is a conflict copy"),
        ("gemini (claude's conflicted copy 2026-11-22).txt", "hi", "is a conflict copy"),
        ("claude-20261122-032405-271828-k7f2.gemini.txt", "hi", "header line 1"),
        ("gemini.txt", "x" * LIMIT, "over the limit of 1048576"),
    ],
)
def test_what_cannot_be_completed_is_kept_with_its_reason(
    where: Tree, settings: Settings, name: str, text: str, sentence: str
) -> None:
    _drop(where, name, text)
    good = post(where)
    route(where, settings)
    assert states(where, "claude") == {MALFORMED: [name], UNREAD: [f"{good}.gemini.txt"]}
    assert sentence in _reason(where, name)
    assert Path(where.outbox("claude").file(MALFORMED, name)).read_text() == text


def test_a_text_that_is_just_within_the_limit_is_refused_before_it_is_touched(
    where: Tree, settings: Settings
) -> None:
    _drop(where, "gemini.txt", "y" * (LIMIT - 20))
    route(where, settings)
    assert str(TooLarge(what="", size="", limit=LIMIT)).partition(", ")[2] in _reason(where, "gemini.txt")


def test_the_postmasters_outbox_is_nobodys_to_write_into(where: Tree, settings: Settings) -> None:
    where.outbox("postmaster").make()
    _drop(where, "gemini.txt", "hi", "postmaster")
    route(where, settings)
    assert states(where, "postmaster") == {MALFORMED: ["gemini.txt"]}


def test_it_waits_until_nobody_has_written_for_a_while(where: Tree) -> None:
    patient = settings_.load(where.path, {"settle_s": 3600.0})
    for name, text in (("gemini.txt", "hi"), ("x.txt", "To: gemini\n\nb"), ("y.txt", "hi")):
        _drop(where, name, text)
    steps = list(Router(where, {"claude", "gemini"}, patient).one_pass())
    assert [step.verb for step in steps] == ["leave"] * 3
    assert len(states(where, "claude")[DROPPED]) == 3
    for name in states(where, "claude")[DROPPED]:
        os.utime(where.outbox("claude").file(DROPPED, name), (1e9, 1e9))
    assert [step.verb for step in route(where, patient)].count("complete") == 2


def test_it_is_left_while_it_is_open_for_writing(where: Tree, settings: Settings) -> None:
    with open(_drop(where, "gemini.txt"), "ab") as writer:
        assert route(where, settings) == []
        writer.write(b" and more")
    route(where, settings)
    assert [message.body for message in _arrived(where)] == ["hi and more"]


def test_a_file_exchanged_while_it_is_read_is_not_completed_as_what_it_was(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    path, real = _drop(where, "gemini.txt", "first"), ids.Issue.next

    def exchange(self: ids.Issue, expires: bool = False) -> tuple[str, str]:
        monkeypatch.setattr(ids.Issue, "next", real)
        path.unlink()
        _drop(where, "gemini.txt", "second, and longer")
        return real(self, expires)

    monkeypatch.setattr(ids.Issue, "next", exchange)
    route(where, settings)
    route(where, settings)
    assert [message.body for message in _arrived(where)] == ["second, and longer"]


def test_the_recipients_own_router_delivers_it(where: Tree, settings: Settings) -> None:
    _drop(where, "gemini.txt")
    assert route(where, settings, {"gemini"}) == []
    assert [step.verb for step in route(where, settings, {"claude"})] == ["complete"]
    (name,) = states(where, "claude")[DROPPED]
    assert name.endswith(".gemini.txt")
    assert [step.verb for step in route(where, settings, {"gemini"})] == ["deliver"]
    assert PROCESSING not in states(where, "claude")
