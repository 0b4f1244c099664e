"""The Python API: what its page shows is true, and what its docstrings promise holds."""

from __future__ import annotations

import copy
import doctest
import inspect
import os
import pickle
import subprocess
import sys
from collections.abc import Callable
from contextlib import aclosing
from pathlib import Path

import anyio
import pytest

import ai_bridge
from ai_bridge import Agent, BridgeError, Mailboxes, Message
from ai_bridge.api import agent
from ai_bridge.api.texts import NotText
from ai_bridge.inbox import fetch
from ai_bridge.mailboxes.find import NoMailboxes
from ai_bridge.mailboxes.marker import NewerFormat
from ai_bridge.mailboxes.tree import NotMailboxes, Tree, UnknownAgent
from ai_bridge.mailboxes.unread import ReaderBusy, lock_inbox
from ai_bridge.system.locks import Lock
from tests.support.checkout import ROOT
from tests.support.mail import make_mailboxes, post
from tests.support.wait import until

PUBLIC = [
    pytest.param(member, id=f"{name}.{member.__name__}")
    for name in ("Mailboxes", "Agent", "Sent", "Message")
    for key, member in inspect.getmembers(getattr(ai_bridge, name), callable)
    if not key.startswith("_")
]


@pytest.fixture
def mail(where: Tree) -> Mailboxes:
    return Mailboxes(where.path)


@pytest.fixture
def gemini(mail: Mailboxes) -> Agent:
    return mail.agent("gemini")


def bodies(messages: object) -> list[str]:
    return [message.body for message in messages]  # type: ignore[attr-defined]


def unread(agent: Agent) -> list[str]:
    return bodies(agent.wait(timeout_s=0))


# --- the page and the docstrings ------------------------------------------------------------------------------


def test_the_page_is_true(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    make_mailboxes(tmp_path / "mailboxes", "claude", "gemini")
    monkeypatch.chdir(tmp_path)
    failed, run = doctest.testfile(str(ROOT / "docs/python.md"), module_relative=False, encoding="utf-8")
    assert (failed, run > 15) == (0, True)


@pytest.mark.parametrize("member", PUBLIC)
def test_each_method_says_what_it_takes_returns_and_raises_with_an_example(member: Callable[..., object]) -> None:
    said = inspect.getdoc(member) or ""
    parameters = [name for name in inspect.signature(member).parameters if name not in ("self", "cls")]
    parts = ["Example:", "Raises:", *(["Args:"] if parameters else [])]
    assert [part for part in parts if part not in said] == []
    assert "Returns:" in said or "Yields:" in said
    assert [name for name in parameters if f"    {name}: " not in said] == []


def test_the_names_are_imported_at_their_first_use_and_no_sooner() -> None:
    script = (
        "import sys, ai_bridge\n"
        "print([name for name in sys.modules if name.startswith('ai_bridge')], dir(ai_bridge)[:6])\n"
        "ai_bridge.Mailboxes\n"
        "print('ai_bridge.api' in sys.modules, 'mcp' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    assert done.stdout == (
        "['ai_bridge'] ['Agent', 'BridgeError', 'Mailboxes', 'Message', 'Sent', 'Settings']\nTrue False\n"
    )
    with pytest.raises(AttributeError, match="has no attribute 'Mailbox'"):
        _ = ai_bridge.Mailbox  # type: ignore[attr-defined]


# --- which mailboxes ------------------------------------------------------------------------------------------


def test_it_finds_the_mailboxes_that_a_command_would_use(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(NoMailboxes):
        Mailboxes.find()
    path = make_mailboxes(tmp_path / "mailboxes", "claude")
    assert Mailboxes.find().path == path
    assert Mailboxes.find().agents() == ["claude"]


def test_what_is_no_mailboxes_or_no_agent_is_refused(tmp_path: Path, mail: Mailboxes) -> None:
    with pytest.raises(BridgeError, match="names no mailboxes"):
        Mailboxes("")
    with pytest.raises(NotMailboxes):
        Mailboxes(str(tmp_path))
    with pytest.raises(UnknownAgent, match="did you mean gemini"):
        mail.agent("gmini")


# --- reading --------------------------------------------------------------------------------------------------


def test_a_message_is_acknowledged_when_the_next_is_asked_for(where: Tree, gemini: Agent) -> None:
    for number in range(3):
        post(where, f"body {number}")
    messages = gemini.read()
    assert next(messages).body == "body 0"
    assert unread(gemini) == ["body 0", "body 1", "body 2"]
    assert next(messages).body == "body 1"
    assert unread(gemini) == ["body 1", "body 2"]
    assert bodies(messages) == ["body 2"]
    assert unread(gemini) == []


def test_a_loop_that_is_left_leaves_its_message_unread(where: Tree, gemini: Agent) -> None:
    post(where, "first")
    post(where, "second")
    for _ in gemini.read():
        break
    with pytest.raises(ZeroDivisionError):
        [1 / 0 for _ in gemini.read()]
    assert unread(gemini) == ["first", "second"]
    for message in gemini.read():
        assert message.acknowledge()
        break
    assert unread(gemini) == ["second"]


def test_a_forgotten_reader_locks_nobody_out_and_takes_nothing_twice(where: Tree, gemini: Agent) -> None:
    post(where, "first")
    post(where, "second")
    forgotten = gemini.read()
    next(forgotten)
    assert bodies(gemini.read()) == ["first", "second"]
    assert list(forgotten) == []
    assert unread(gemini) == []


def test_a_reader_is_refused_while_another_session_reads(where: Tree, gemini: Agent) -> None:
    with lock_inbox(where, "gemini"), pytest.raises(ReaderBusy):
        next(gemini.read())


def test_only_mail_of_the_sender_that_is_asked_for_is_read(where: Tree, mail: Mailboxes, gemini: Agent) -> None:
    where.make(["codex"])
    post(where, "of claude")
    post(where, "of codex", sender="codex")
    assert bodies(gemini.read(sender="codex")) == ["of codex"]
    assert unread(gemini) == ["of claude"]


def test_a_file_that_cannot_be_read_is_left_out_and_stays(where: Tree, gemini: Agent) -> None:
    post(where, "whole")
    (message,) = gemini.wait(timeout_s=0)
    Path(message.path).write_bytes(b"no headers")
    post(where, "next")
    assert bodies(gemini.read()) == ["next"]
    assert os.path.exists(message.path)


def test_a_message_has_what_its_sender_said(mail: Mailboxes, gemini: Agent) -> None:
    first = mail.agent("claude").send("gemini", "question", subject="s")
    gemini.send(["claude"], "answer", reply_to=first.id)
    (message,) = mail.agent("claude").wait(timeout_s=0)
    assert (message.sender, message.recipients, message.subject) == ("gemini", ["claude"], "Re: s")
    assert (message.thread, message.reply_to) == (first.id, first.id)
    assert message.headers["In-Reply-To"] == first.id
    assert [found.id for found in mail.search(thread=first.id)] == [first.id, message.id]
    assert not mail.search(thread=first.id)[0].acknowledge()


def spoil(gemini: Agent) -> str:
    """Alter the only unread file so that it is no message; returns its path."""
    (message,) = gemini.wait(timeout_s=0)
    Path(message.path).write_bytes(b"no headers")
    return message.path


def test_what_cannot_be_read_ends_no_wait(
    where: Tree, mail: Mailboxes, gemini: Agent, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(where, "whole")
    path = spoil(gemini)
    looks: list[object] = []
    real = fetch.Reader.fetch
    monkeypatch.setattr(fetch.Reader, "fetch", lambda self: (looks.append(self), real(self))[1])

    async def first() -> str:
        async with aclosing(gemini.messages()) as messages, anyio.create_task_group() as tasks:
            tasks.start_soon(send_once_it_waits)
            return (await anext(messages)).body

    async def send_once_it_waits() -> None:
        while len(looks) < 2:  # to read, and to wait
            await anyio.sleep(0.001)
        await anyio.sleep(0.1)
        assert len(looks) == 2
        await mail.agent("claude").asend("gemini", "next")

    assert anyio.run(first) == "next"
    assert os.path.exists(path)
    assert unread(gemini) == ["next"]


def test_what_was_read_is_not_acknowledged_in_a_tree_that_is_newer_by_now(where: Tree, gemini: Agent) -> None:
    post(where, "body")
    messages = gemini.read()
    path = next(messages).path
    Path(where.path, ".format-2").touch()
    with pytest.raises(NewerFormat):
        next(messages)
    assert os.path.exists(path)


def test_messages_waits_while_another_session_reads(where: Tree, gemini: Agent) -> None:
    lock = lock_inbox(where, "gemini")
    post(where, "body")
    tries: list[object] = []

    def refused(*words: object) -> Lock:
        tries.append(words)
        if len(tries) == 2:
            lock.release()
        return lock_inbox(*words)  # type: ignore[arg-type]

    async def first() -> str:
        async with aclosing(gemini.messages()) as messages:
            return (await anext(messages)).body

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(agent, "lock_inbox", refused)
        assert anyio.run(first) == "body"
    assert len(tries) == 2


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="/proc shows what a process has open")
def test_waits_that_are_cancelled_at_any_time_leave_no_watch(gemini: Agent) -> None:
    async def cancelled(after_s: float) -> None:
        with anyio.move_on_after(after_s):
            async with aclosing(gemini.messages()) as messages:
                await anext(messages)

    def watches() -> int:
        return sum("inotify" in os.readlink(path) for path in Path("/proc/self/fd").iterdir() if path.is_symlink())

    before = watches()
    for number in range(30):
        anyio.run(cancelled, number / 2000)
    until(lambda: watches() <= before)


def test_a_message_is_acknowledged_for_one_reader_only(where: Tree, gemini: Agent) -> None:
    post(where, "body")
    (one,), (other,) = gemini.wait(timeout_s=0), gemini.wait(timeout_s=0)
    assert [one.acknowledge(), one.acknowledge(), other.acknowledge()] == [True, False, False]


def test_a_message_for_several_is_found_once(mail: Mailboxes, where: Tree) -> None:
    where.make(["codex"])
    sent = [mail.agent("claude").send(["gemini", "codex"], "word") for _ in range(2)]
    (found,) = mail.search("word", limit=1)
    assert (found.id, sorted(found.recipients)) == (sent[1].id, ["codex", "gemini"])


@pytest.mark.parametrize(
    ("name", "value"),
    [("body", b"x"), ("body", 5), ("to", 5), ("to", [5]), ("reply_to", object()), ("context", 5), ("voters", [None])],
)
def test_what_is_no_text_is_refused_by_its_name(mail: Mailboxes, name: str, value: object) -> None:
    words = {"to": "gemini", "body": "x", name: value}
    with pytest.raises(NotText, match=f"^{name} is "):
        mail.agent("claude").send(**words)  # type: ignore[arg-type]


def test_one_text_stands_for_a_list_of_one(mail: Mailboxes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "api.py").write_text("line\n")
    sent = mail.agent("claude").send("gemini", "x", context="api.py", decide="majority", voters="gemini")
    (message,) = mail.search(thread=sent.id)
    assert (message.headers["Context"], message.headers["Voters"]) == ("api.py", "gemini")


def test_an_error_survives_a_copy_and_another_process(mail: Mailboxes) -> None:
    with pytest.raises(UnknownAgent) as caught:
        mail.agent("gmini")
    for again in (copy.copy(caught.value), pickle.loads(pickle.dumps(caught.value))):
        assert (type(again), str(again)) == (UnknownAgent, str(caught.value))


# --- waiting --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_messages_come_as_they_are_sent(where: Tree, mail: Mailboxes, backend: str) -> None:
    pytest.importorskip(backend)
    claude, gemini = mail.agent("claude"), mail.agent("gemini")
    got: list[Message] = []

    async def receive() -> None:
        async with aclosing(gemini.messages()) as messages:
            async for message in messages:
                got.append(message)
                if len(got) == 3:
                    assert message.acknowledge()
                    return

    async def talk() -> None:
        async with anyio.create_task_group() as tasks:
            await claude.asend("gemini", "before")
            tasks.start_soon(receive)
            while not got:
                await anyio.sleep(0.001)
            for body in ("then", "last"):
                await claude.asend("gemini", body)

    anyio.run(talk, backend=backend)
    assert bodies(got) == ["before", "then", "last"]
    assert unread(gemini) == []


def test_a_wait_that_is_cancelled_ends(gemini: Agent) -> None:
    async def cancelled() -> bool:
        with anyio.move_on_after(0.05) as scope:
            async for _ in gemini.messages():
                raise AssertionError("nothing was sent")
        return scope.cancelled_caught

    assert anyio.run(cancelled)


def test_a_receipt_says_where_each_copy_is(where: Tree, mail: Mailboxes, gemini: Agent) -> None:
    sent = mail.agent("claude").send("*", "hello")
    assert sent.recipients == ["gemini"]
    assert [place.state for place in sent.wait_read(timeout_s=0)] == ["dropped"]
    list(gemini.read())
    assert [place.state for place in sent.wait_read(timeout_s=60)] == ["read"]
    assert [place.state for place in mail.trace(sent.id)] == ["read"]


# --- looking --------------------------------------------------------------------------------------------------


def test_health_names_what_is_wrong_and_the_command_that_fixes_it(where: Tree, mail: Mailboxes) -> None:
    assert {found.where for found in mail.health()} == {"router"}  # none runs
    folder = Path(where.outbox("claude").path)
    (folder / "note.txt").write_text("no headers")
    os.utime(folder / "note.txt", (0, 0))
    list(mail.agent("claude").read())  # a read without a router makes the pass
    (found,) = [one for one in mail.health() if one.where != "router"]
    assert found.level > 0
    assert "malformed" in found.what


def test_every_error_is_one_kind(mail: Mailboxes) -> None:
    claude = mail.agent("claude")
    for wrong in (
        lambda: claude.send("nobody", "x"),
        lambda: claude.send("gemini", ""),
        lambda: claude.send("gemini", "x", subject="two\nlines"),
        lambda: claude.send("gemini", "x", voters=["gemini"]),
        lambda: claude.send("gemini", "x", reply_to="nothing-of-that-id"),
        lambda: mail.trace("nothing-of-that-id"),
        lambda: list(claude.read(sender="nobody")),
    ):
        with pytest.raises(BridgeError):
            wrong()
