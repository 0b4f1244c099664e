"""Every command that takes an ID takes the end of one, and `last`; what is refused names what to do."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.mailboxes import trace
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.support.command import command, refused
from tests.support.mail import post, put_message, route, states
from tests.support.votes import propose


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)


def test_show_takes_the_end_of_an_id_and_last_without_knowing_who_asks(where: Tree) -> None:
    first, last = post(where, "one"), post(where, "two", sender="gemini", to="claude")
    whole = command("show", first)
    assert (whole.returncode, command("show", first[-4:]).stdout) == (0, whole.stdout)
    assert command("show", "last").stdout == command("show", last).stdout != whole.stdout
    assert command("show", "last", "--agent", "gemini").stdout == whole.stdout
    assert json.loads(command("show", first[-4:], "--json").stdout)["id"] == first
    assert command("show", first[-4:], "--raw").stdout == command("show", first, "--raw").stdout


def test_an_unknown_end_is_refused_as_an_unknown_id(where: Tree) -> None:
    refused(command("show", "last"), f"there is no message in {where.path} that `last` could mean")
    post(where)
    said = (
        f"there is no message nope in {where.path}: `ai-bridge history` lists the IDs, and the end of one is enough"
    )
    for name in ("show", "status", "restore", "reply"):
        refused(command(name, "nope", *(["-m", "x"] if name == "reply" else []), "--agent", "claude"), said)
    refused(command("acknowledge", "nope", "--agent", "gemini"), "nope is not unread for gemini")
    refused(command("allow", "nope"), "there is neither an agent nor a message nope")


def test_several_are_named_with_their_senders(where: Tree) -> None:
    for number, state in enumerate([READ, UNREAD]):
        id_ = f"claude-20261128-01010{number}-000001-same"
        put_message(where, state, f"{id_}.gemini.txt", id_)
    for words in (["show"], ["status"], ["restore"], ["acknowledge", "--agent", "gemini"], ["allow"]):
        done = command(*words, "same")
        refused(
            done, "same is the end of several IDs: give more of the one you mean, of ", "0-000001-same (from claude"
        )
    assert [len(names) for names in states(where, "claude").values()] == [1, 1]


def test_status_names_the_message_that_it_found(where: Tree) -> None:
    id_ = post(where)
    assert command("status", id_[-4:]).stdout == command("status", id_).stdout
    assert command("status", id_[-4:]).stdout.startswith(f"{id_} → gemini: dropped since ")


def test_mail_is_acknowledged_and_restored_by_the_ends_of_ids(where: Tree, settings: Settings) -> None:
    ids = [post(where, "one"), post(where, "two")]
    route(where, settings)
    done = command("acknowledge", ids[0][-4:], ids[1], "--agent", "gemini", "--json")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == ids
    assert [*states(where, "claude")] == [READ]
    (line,) = command("restore", ids[0][-4:], "--json").stdout.splitlines()
    assert json.loads(line)["id"] == ids[0]
    assert trace.find(where, ids[0])[0].state == UNREAD


def test_a_thread_is_allowed_by_the_end_of_an_id(where: Tree, settings: Settings) -> None:
    cards.change(where, "gemini", {"hold": "*"})
    id_ = post(where)
    route(where, settings)
    assert trace.find(where, id_)[0].state == "held"
    done = command("allow", id_[-4:])
    assert done.stdout == f"{id_}.gemini.txt from claude is on its way again\n"


def test_an_agent_that_is_called_last_is_allowed_by_its_name(where: Tree, settings: Settings) -> None:
    where.make(["last"])
    cards.change(where, "gemini", {"hold": "*"})
    held = [post(where, sender=sender) for sender in ("last", "claude")]
    route(where, settings)
    done = command("allow", "last")
    assert done.stdout == f"{held[0]}.gemini.txt from last is on its way again\n"


def test_an_attachment_is_still_shown_by_its_hash(
    where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "long.txt").write_text("row\n" * 9000)
    sent = command("send", "gemini", "--from", "claude", "--context", "long.txt", "-m", "x")
    entry = trace.find(where, sent.stdout.strip())[0].load().get("Context") or ""
    assert command("show", entry.rpartition("sha256:")[2]).stdout == "row\n" * 9000


def test_past_mail_conversations_and_decisions_take_the_ends_of_ids(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    first = post(where, "one")
    post(where, "two", thread=first, in_reply_to=first)
    thread = propose(where, ["gemini", "codex"])
    route(where, settings)
    for text in (first, first[-4:]):
        shown = command("history", "--thread", text, "--json").stdout.splitlines()
        assert [json.loads(line)["body"] for line in shown] == ["one", "two"]
    for words in (["history"], ["search", "one"]):
        shown = command(*words, "--before", thread[-4:], "--json").stdout
        assert shown == command(*words, "--before", thread, "--json").stdout != ""
    older = command("threads", "--before", thread[-4:], "--json").stdout
    assert older == command("threads", "--before", thread, "--json").stdout != ""
    whole = command("decisions", thread).stdout
    assert command("decisions", thread[-4:]).stdout == command("decisions", "last").stdout == whole != ""
    for words in (["history", "--thread"], ["history", "--before"], ["threads", "--before"], ["decisions"]):
        done = command(*words, "nope")
        refused(done, "there is no message nope", f"{where.path}: `ai-bridge history` lists the IDs")
