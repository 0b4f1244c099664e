"""The command archive: what it says, what it refuses, and that it asks nothing."""

from __future__ import annotations

import json
import os

import pytest

from ai_bridge.mailboxes.file_names import variant
from ai_bridge.mailboxes.outbox import ARCHIVED, MALFORMED, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from tests.history.test_search import put
from tests.support.command import command, on_terminal
from tests.support.mail import states

NAME = "claude-20260103-000000-000000-aaaa.gemini.txt"


@pytest.fixture
def run(where: Tree):  # type: ignore[no-untyped-def]
    """Run `ai-bridge` in these mailboxes."""
    return lambda *words, **more: command(*words, AI_BRIDGE_MAILBOXES=where.path, **more)


def test_it_says_how_many_messages_of_how_many_threads(where: Tree, run) -> None:  # type: ignore[no-untyped-def]
    put(where, NAME)
    put(where, NAME.replace("aaaa", "bbbb"), Thread=NAME.split(".")[0])
    put(where, "n1.gemini.txt")
    done = run("archive", "--older-than", "1d")
    assert (done.stdout, done.stderr, done.returncode) == ("archived 2 messages of 1 thread\n", "", 0)
    again = run("archive", "--older-than", "0s", "--json")
    assert json.loads(again.stdout) == {"messages": 1, "threads": 1, "elsewhere": {}}
    assert len(states(where, "claude")[ARCHIVED]) == 3
    for words in (("history", "--agent", "gemini"), ("search", "x"), ("show", NAME.split(".")[0])):
        assert run(*words).returncode == 0
    assert "archived since" in run("status", NAME.split(".")[0]).stdout


@pytest.mark.parametrize("age", ["30", "d", "-1d", "1w", "1.5h", "", "1 d", "٣d", "99999999999d"])
def test_an_age_that_is_none_is_refused(where: Tree, run, age: str) -> None:  # type: ignore[no-untyped-def]
    put(where, NAME)
    done = run("archive", f"--older-than={age}")
    assert done.returncode == 1
    assert done.stderr == (
        f"error: --older-than: {age!r} is no duration: "
        "give a whole number with s, m, h or d behind it, like 90m, 2h or 30d\n"
    )
    assert states(where, "claude") == {READ: [NAME]}


def test_health_does_not_report_what_is_archived(where: Tree, run) -> None:  # type: ignore[no-untyped-def]
    before = run("health").stdout
    put(where, NAME)
    run("archive", "--older-than", "0s")
    assert run("health").stdout == before
    assert os.path.lexists(where.outbox("claude").file(ARCHIVED, NAME))


def test_its_progress_is_for_a_terminal(where: Tree) -> None:
    put(where, NAME)
    code, shown = on_terminal(b"", "archive", "--older-than", "0s", "--mailboxes", where.path)
    assert code == 0
    assert "1 of 1 messages archived" in shown
    assert shown.rstrip("\0").endswith("archived 1 message of 1 thread\n")


def test_withdraw_says_what_became_of_each_copy(where: Tree, run) -> None:  # type: ignore[no-untyped-def]
    where.make(["codex"])
    id_ = NAME.split(".")[0]
    put(where, NAME, state=UNREAD)
    assert run("withdraw", id_, "--agent", "gemini").stderr == (
        f"error: {id_} is from claude: only claude can withdraw it, and you are gemini\n"
    )
    done = run("withdraw", id_, "--agent", "claude")
    assert (done.stdout, done.returncode) == (f"{id_} → gemini: withdrawn\n", 0)
    assert "claude withdrew it before it was read" in run("status", id_).stdout
    put(where, NAME.replace("gemini", "codex"), state=READ)
    again = run("withdraw", id_, "--agent", "claude", "--json")
    assert again.returncode == 1
    found = {one["to"]: one["done"] for one in map(json.loads, again.stdout.splitlines())}
    assert found == {"codex": False, "gemini": False}


def test_discard_is_for_a_person_and_for_the_two_agents(where: Tree, run) -> None:  # type: ignore[no-untyped-def]
    where.make(["codex"])
    put(where, NAME, state=MALFORMED)
    id_ = NAME.split(".")[0]
    as_codex = run("discard", id_, "--agent", "codex", CLAUDECODE="1")
    assert as_codex.stderr.startswith(f"error: {id_} is neither from nor to codex: only")
    done = run("discard", NAME)
    assert (done.stdout, done.stderr, done.returncode) == (f"{id_} → gemini: discarded\n", "", 0)
    assert states(where, "claude") == {ARCHIVED: [variant(NAME, 1)]}
    restored = run("restore", NAME)
    assert restored.stdout == f"{NAME} is dropped again\n"


def test_delete_counts_asks_and_is_refused_without_a_terminal(where: Tree, run) -> None:  # type: ignore[no-untyped-def]
    put(where, NAME)
    line = ("archive", "--older-than", "1d", "--delete")
    assert "a person, in a terminal of their own" in run(*line, CLAUDECODE="1").stderr
    assert states(where, "claude") == {READ: [NAME]}
    refused = run(*line)
    assert refused.returncode == 1
    assert "would delete 1 message and 0 attachments for good, and there is no terminal" in refused.stderr
    code, shown = on_terminal(b"n\n", *line, "--mailboxes", where.path)
    assert (code, "delete 1 message and 0 attachments for good?" in shown) == (1, True)
    assert states(where, "claude") == {ARCHIVED: [NAME]}
    assert run(*line, "--yes").stdout.endswith("deleted 1 message and 0 attachments\n")
    assert states(where, "claude") == {}
