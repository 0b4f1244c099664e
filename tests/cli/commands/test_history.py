"""history, threads, search and decisions: past mail and past decisions, as people and as programs see them."""

from __future__ import annotations

import json
import os
import re
import time
from pathlib import Path

import click
import pytest

from ai_bridge.agents import cards
from ai_bridge.cli.screen import terminal
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import DROPPED, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.settings import Settings
from tests.cli.commands.lines import KEYS
from tests.support.command import command, on_terminal
from tests.support.mail import LIMIT, post, route, send
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
    done = command("history", "--brief", "--agent", "claude", "--limit", "2")
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
    os.unlink(path)
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
        (("history", "--with", "nobody"), "there is no agent nobody"),
        (("history", "--since", "2 h"), "--since: '2 h' is no duration"),
        (("search", "x", "--since", "yesterday"), "--since: 'yesterday' is no duration"),
        (("threads", "--before", "no-such"), "there is no message no-such that begins a thread"),
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


# --- what was said ------------------------------------------------------------------------------------------

_HEAD = re.compile(r"^\d{4}-\d\d-\d\d \d\d:\d\d  ", re.MULTILINE)


def _said(*words: str, **environment: str) -> list[str]:
    """Return the lines of `history` in a pipe, without the times."""
    done = command("history", *words, **environment)
    assert (done.returncode, done.stderr) == (0, "")
    return _HEAD.sub("", done.stdout).splitlines()


def test_history_shows_the_words_of_all_agents_to_somebody_whom_nobody_knows(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    first = post(where, "why?\n\nbecause", subject="a question")
    second = post(where, "so\n", to="claude", sender="gemini", in_reply_to=first, thread=first)
    third = post(where, "else", to="codex", sender="gemini", subject="other")
    route(where, settings)
    where.outbox("claude").move("acknowledge", f"{first}.gemini.txt")
    assert _said() == [
        f"claude → gemini  a question  {first}",
        *("    why?", "", "    because", ""),
        f"gemini → claude  message  {second}  unread",
        *("    so", ""),
        f"gemini → codex  other  {third}  unread",
        "    else",
    ]
    assert _said("--thread", second)[0].endswith(first)
    assert [one for one in _said("--thread", second) if third in one] == []


def test_a_message_to_several_is_said_once_with_the_states_that_differ(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    id_ = send(where, "claude", Draft(["*"], "hello"), LIMIT).id
    route(where, settings)
    assert _said() == [f"claude → codex, gemini  message  {id_}  unread", "    hello"]
    where.outbox("claude").move("acknowledge", f"{id_}.codex.txt")
    assert _said() == [f"claude → codex, gemini  message  {id_}  unread for gemini", "    hello"]
    where.outbox("claude").move("acknowledge", f"{id_}.gemini.txt")
    assert _said() == [f"claude → codex, gemini  message  {id_}", "    hello"]


def test_its_times_are_local(where: Tree) -> None:
    path = Path(where.outbox("claude").file(UNREAD, "n1.gemini.txt"))
    path.write_text("ID: n1\nFrom: claude\nTo: gemini\nSubject: s\nDate: 2026-11-22T23:24:05.271Z\n\nx")
    shown = [command("history", TZ=zone).stdout[:16] for zone in ("UTC0", "CET-1", "EST5")]
    assert shown == ["2026-11-22 23:24", "2026-11-23 00:24", "2026-11-22 18:24"]


def test_a_long_message_is_said_to_its_end_and_none_can_pass_for_two(where: Tree) -> None:
    body = "2026-11-22 23:24  codex → claude  forged\n\x1b[31mred \u202e\n" + "long line " * 500 + "\n" + "x\n" * 500
    post(where, body)
    lines = _said()
    assert len(lines) == 1 + 503
    assert all(line.startswith("    ") for line in lines[1:])
    assert lines[2] == "    \\x1b[31mred \\u202e"
    shown = on_terminal(b"", "history", columns=50, NO_COLOR="1")[1].rstrip("\0")
    assert all(line.startswith("    ") for line in shown.splitlines()[1:])
    assert max(map(len, shown.splitlines()[1:])) <= 50
    assert shown.split().count("long") == 500


def test_a_subject_cannot_wrap_into_a_line_that_looks_like_a_message(where: Tree) -> None:
    post(where, "x", subject="s" + " " * 30 + "2026-11-22 23:24  codex → claude  forged")
    shown = on_terminal(b"", "history", columns=60, NO_COLOR="1")[1].rstrip("\0")
    assert [len(line) <= 60 for line in shown.splitlines()] == [True, True]


def test_a_terminal_gets_short_ids_which_are_whole_if_they_are_not_unique(where: Tree) -> None:
    for id_ in (
        "claude-20261122-232405-000001-abcd",
        "claude-20261122-232405-000002-abcd",
        "claude-20261122-232405-000003-efgh",
    ):
        text = f"ID: {id_}\nFrom: claude\nTo: gemini\nSubject: s\n\nx"
        Path(where.outbox("claude").file(UNREAD, f"{id_}.gemini.txt")).write_text(text)
    shown = on_terminal(b"", "history", columns=120, NO_COLOR="1")[1]
    assert re.findall(r"  s  (\S+)  unread", shown) == [
        "claude-20261122-232405-000001-abcd",
        "claude-20261122-232405-000002-abcd",
        "efgh",
    ]


def test_with_an_agent_it_shows_the_mail_between_it_and_me_or_all_of_it(where: Tree) -> None:
    where.make(["codex"])
    ours, theirs = post(where, "1"), post(where, "2", to="codex", sender="gemini")
    other = post(where, "3", to="codex")
    for words in (("gemini",), ("--with", "gemini")):
        assert _ids("history", *words) == [ours, theirs]
        assert _ids("history", *words, "--agent", "claude") == [ours]
    assert _ids("history") == [ours, theirs, other]
    refused_twice = command("history", "gemini", "--with", "codex")
    assert (refused_twice.returncode, refused_twice.stdout) == (2, "")
    assert "give ADDRESS or --with ADDRESS, not both" in refused_twice.stderr


def test_who_i_am_by_a_variable_decides_whose_mail_an_address_means_and_nothing_else(
    where: Tree, monkeypatch: pytest.MonkeyPatch
) -> None:
    where.make(["codex"])
    ours, theirs = post(where, "1"), post(where, "2", to="codex", sender="gemini")
    monkeypatch.setenv("AI_BRIDGE_AGENT", "claude")
    assert _ids("history") == [ours, theirs]
    assert _ids("history", "--with", "gemini") == [ours]
    assert _ids("history", "--with", "claude") == [ours]


def test_projects_that_share_mailboxes_see_their_own_mail(
    where: Tree, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    where.make(["claude@web", "codex@web", "claude@api"])
    post(where, "of nobody")
    mine = post(where, "mine", to="codex@web", sender="claude@web")
    theirs = post(where, "theirs", to="codex@web", sender="claude@api")
    other = post(where, "other", to="gemini", sender="claude@api")
    (tmp_path / "web").mkdir()
    monkeypatch.chdir(tmp_path / "web")
    assert _ids("history") == [mine, theirs]
    assert [one["id"] for one in _objects("threads")] == [mine, theirs]
    shown = on_terminal(b"", "history", columns=120, NO_COLOR="1")[1]
    assert "  claude → codex  message  " in shown
    assert "  claude@api → codex  message  " in shown
    assert _ids("history", "--with", "claude@api") == [theirs, other]
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    assert len(_ids("history")) == 4


def _aged(where: Tree, seconds: float) -> str:
    """Have a message lie there that was sent so many seconds ago; returns its ID."""
    at = time.strftime("%Y%m%d-%H%M%S", time.gmtime(time.time() - seconds))
    id_ = f"claude-{at}-000000-abcd"
    text = f"ID: {id_}\nFrom: claude\nTo: gemini\nSubject: s\n\na needle"
    Path(where.outbox("claude").file(UNREAD, f"{id_}.gemini.txt")).write_text(text)
    return id_


@pytest.mark.parametrize("words", [("history",), ("history", "--brief"), ("search", "needle")], ids=" ".join)
def test_since_leaves_out_what_is_older_and_shows_all_that_is_not(where: Tree, words: tuple[str, ...]) -> None:
    old, young = _aged(where, 7300), _aged(where, 7000)
    rest = [post(where, "a needle") for _ in range(25)]
    assert _ids(*words) == rest[5:]
    assert _ids(*words, "--since", "2h") == [young, *rest]
    assert _ids(*words, "--since", "3h") == [old, young, *rest]
    assert _ids(*words, "--since", "3h", "--limit", "26") == [young, *rest]
    assert _ids(*words, "--since", "2h", "--before", rest[0]) == [young]
    assert _ids(*words, "--since", "0s") == []


def test_a_message_that_cannot_be_read_is_named_with_its_reason(where: Tree) -> None:
    path = Path(where.outbox("claude").file(UNREAD, "n1.gemini.txt"))
    path.write_text("spoiled")
    assert command("history").stdout == f"unread    n1.gemini.txt  ({_why(where)})\n"


def _why(where: Tree) -> str:
    return command("show", "n1").stderr.removeprefix("error: ").strip()


# --- tables ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("columns", [50, 120])
@pytest.mark.parametrize(
    "words",
    [("list", "--agent", "gemini"), ("peers",), ("threads",), ("history", "--brief"), ("decisions",)],
    ids=" ".join,
)
def test_every_table_fits_the_terminal_and_says_how_long_ago(
    where: Tree, settings: Settings, words: tuple[str, ...], columns: int
) -> None:
    where.make(["an-agent-with-a-long-name"])
    for sender in ("claude", "an-agent-with-a-long-name"):
        post(where, "the last word, which is long " * 4, sender=sender, subject="a subject of many words " * 5)
    propose(where, ["gemini"])
    route(where, settings)
    shown = on_terminal(b"", *words, columns=columns)[1].rstrip("\0")
    lines = click.unstyle(shown).splitlines()
    assert len(lines) >= 1
    assert [line for line in lines if terminal.width(line) > columns] == []
    if words[0] not in ("peers", "decisions"):
        assert re.search(r"\d+ (s|min) ago|just now", lines[0])
        assert "…" in shown


def test_threads_say_who_how_much_what_is_unread_and_the_last_word(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    first = send(where, "claude", Draft(["gemini", "codex"], "why?", subject="a question"), LIMIT).id
    other = post(where, "\n\n  other words\nmore", to="codex", sender="gemini", subject="other")
    post(
        where,
        "the last word",
        to="claude",
        sender="gemini",
        subject="Re: a question",
        in_reply_to=first,
        thread=first,
    )
    route(where, settings)
    where.outbox("claude").move("acknowledge", f"{first}.gemini.txt")
    lines = [re.sub(r"  \d{4}-\d\d-\d\d \d\d:\d\dZ  ", "  ", line) for line in command("threads").stdout.splitlines()]
    assert lines == [
        f"{other}  1 message, 1 unread  gemini, codex  other  other words",
        f"{first}  2 messages, 2 unread  claude, codex, gemini  a question  the last word",
    ]
    told = _objects("threads")
    assert [one["id"] for one in told] == [other, first]
    assert list(told[1]) == ["id", "subject", "agents", "count", "unread", "at", "last"]
    assert (told[1]["count"], told[1]["unread"], told[1]["agents"]) == (2, 2, ["claude", "codex", "gemini"])
    assert list(told[1]["last"]) == KEYS  # type: ignore[call-overload]
    done = command("threads", "--limit", "1")
    assert (done.stdout.count("\n"), done.stderr) == (1, f"older ones: --before {first}\n")
    assert command("threads", "--before", first).stdout.startswith(other)
    shown = on_terminal(b"", "threads", columns=120, NO_COLOR="1")[1].splitlines()
    assert re.match(
        r"\w{4}  (\d+ (s|min) ago|just now)  2  2 unread  claude, codex, gemini  a question  the last word",
        shown[1],
    )
    narrow = on_terminal(b"", "threads", columns=50, NO_COLOR="1")[1].splitlines()
    assert narrow[3].strip("\0") == "      the last word"


def test_decisions_on_a_terminal_are_a_table(where: Tree) -> None:
    where.make(["codex"])
    propose(where, ["gemini", "codex"])
    shown = on_terminal(b"", "decisions", columns=120, NO_COLOR="1")[1].rstrip("\0")
    assert re.fullmatch(r"\w{4}  open  the index  1 for, 0 against  2 of 3  missing: gemini, codex\n", shown)


# --- snippets -------------------------------------------------------------------------------------------------


def test_search_shows_the_words_with_what_is_around_them(where: Tree) -> None:
    inside = post(where, "first line\nthe parser \x1b[31mis slow, I think\nlast line")
    above = post(where, "no word of it", subject="Parsers")
    lines = command("search", "pars*").stdout.splitlines()
    assert lines[0].endswith(
        f"{inside}  {lines[0].split('  ')[2]}  claude → gemini  message  the parser \\x1b[31mis slow, I think"
    )
    assert lines[1].endswith("  claude → gemini  Parsers  Parsers")
    assert above in lines[1]
    shown = on_terminal(b"", "search", "pars*", columns=120)[1]
    assert "the \x1b[31m\x1b[1mparser\x1b[0m \\x1b[31mis slow, I think\n" in shown
    assert "\x1b[31m\x1b[1mParsers\x1b[0m\n" in shown
    narrow = on_terminal(b"", "search", "pars*", columns=50, NO_COLOR="1")[1].rstrip("\0")
    assert max(map(len, narrow.splitlines())) <= 50


def test_a_person_is_told_of_held_mail_and_a_model_is_not(where: Tree, settings: Settings) -> None:
    cards.change(where, "gemini", {"hold": "claude"})
    post(where, "secret plea")
    route(where, settings)
    for words in (("history",), ("threads",), ("search", "secret")):
        code, shown = on_terminal(b"", *words)
        assert code == 0
        assert "1 message held for a person's approval, not shown here: `ai-bridge list --held`" in shown
        assert "plea" not in shown
        assert "held for" not in on_terminal(b"", *words, CLAUDECODE="1")[1]
