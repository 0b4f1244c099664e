"""history, search and decisions: past mail and past decisions, as people and as programs see them."""

from __future__ import annotations

import json

import pytest

from ai_bridge.mailboxes.outbox import DROPPED
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.cli.commands.lines import KEYS
from tests.support.command import command
from tests.support.mail import post, route
from tests.support.votes import answer, propose


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)


def _objects(*words: str) -> list[dict[str, object]]:
    done = command(*words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _ids(*words: str) -> list[object]:
    return [one["id"] for one in _objects(*words)]


def test_history_shows_both_directions_of_a_thread_and_of_a_peer(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    question = post(where, "why?")
    reply = post(where, "so", to="claude", sender="gemini", in_reply_to=question, thread=question)
    other = post(where, "else", to="codex")
    route(where, settings)
    assert _ids("history", "--agent", "claude") == [question, reply, other]
    assert _ids("history", "gemini", "--agent", "claude") == [question, reply]
    assert _ids("history", "--thread", reply) == [question, reply]
    assert list(_objects("history", "--thread", reply)[0]) == KEYS


def test_history_is_paged_and_says_on_standard_error_how_to_go_on(where: Tree) -> None:
    ids = [post(where, str(number)) for number in range(5)]
    done = command("history", "--agent", "claude", "--limit", "2")
    assert [line.split()[1] for line in done.stdout.splitlines()] == ids[3:]
    assert done.stderr == f"older ones: --before {ids[3]}\n"
    assert _ids("history", "--agent", "claude", "--limit", "2", "--before", ids[3]) == ids[1:3]
    assert _ids("history", "--agent", "claude", "--before", ids[0]) == []


def test_search_finds_all_mail_of_everybody_by_its_words(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    first = post(where, "The parser is slow.", to="codex", sender="gemini")
    second = post(where, "nothing", subject="parser is fast")
    route(where, settings)
    assert _ids("search", "parser") == [first, second]
    assert _ids("search", "PARSER", "slow") == [first]
    assert _ids("search", "is fast") == [second]
    assert _ids("search", "fast is") == []
    assert _ids("search", "pars*", "--with", "codex") == [first]
    assert _ids("search", "parser", "--limit", "1") == [second]
    assert command("search", "nowhere").stdout == ""
    assert _objects("search", "slow")[0]["body"] == "The parser is slow."


def test_what_is_sent_is_found_at_once_and_what_is_deleted_no_more(where: Tree) -> None:
    assert _ids("search", "needle") == []
    id_ = post(where, "a needle")
    assert _ids("search", "needle") == [id_]
    (path,) = [where.outbox("claude").file(DROPPED, name) for name in where.outbox("claude").names(DROPPED)]
    __import__("os").unlink(path)
    assert _ids("search", "needle") == []


@pytest.mark.parametrize("words", ['"', "AND", "a OR", "NEAR(", "*", "-x", "a:b", "^", "😀", "(", "{a b}:c"])
def test_no_words_are_wrong(where: Tree, words: str) -> None:
    post(where, "hello")
    done = command("search", "--", words)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("search", "x", "--with", "nobody"), "there is no agent nobody"),
        (("search", "x", "--before", "no-such"), "there is no message no-such"),
        (("history", "nobody", "--agent", "claude"), "there is no agent nobody"),
        (("history",), "give --agent ADDRESS"),
        (("history", "--thread", "no-such"), "there is no message no-such"),
        (("decisions", "no-such"), "there is no message no-such"),
    ],
)
def test_what_is_not_there_is_refused_in_one_line(where: Tree, words: tuple[str, ...], said: str) -> None:
    done = command(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("error: ")
    assert done.stderr.count("\n") == 1
    assert said in done.stderr


def test_decisions_are_listed_and_one_is_shown_with_its_votes(where: Tree) -> None:
    where.make(["codex"])
    first = propose(where, ["gemini", "codex"])
    second = propose(where, ["gemini"], opener="codex")
    answer(where, first, "gemini", "[CONTINUE] no")
    answer(where, second, "gemini", "[LGTM]", to="codex")
    assert command("decisions").stdout.splitlines() == [
        f"open      {first}  the index  (1 for, 1 against, 2 of 3 decide; missing: codex)",
        f"approved  {second}  the index  (2 for, 0 against, 2 of 3 decide)",
    ]
    vote = answer(where, first, "codex", "[CONTINUE] no")
    head = command("decisions", vote).stdout.splitlines()[0]
    assert head == f"rejected  {first}  the index  (1 for, 2 against, 2 of 3 decide)"
    assert f"  codex: [CONTINUE]  {vote}" in command("decisions", first).stdout.splitlines()
    assert [one["state"] for one in _objects("decisions")] == ["rejected", "approved"]
    assert _objects("decisions", first)[0]["votes"] == {
        "claude": "[LGTM]",
        "gemini": "[CONTINUE]",
        "codex": "[CONTINUE]",
    }


def test_without_decisions_there_is_nothing_to_list(where: Tree) -> None:
    post(where)
    assert command("decisions").stdout == ""
