"""list, show, history and status through the real command: true, harmless to a terminal, and without side effects."""

from __future__ import annotations

import json
import os
import pty
import re
import subprocess
from pathlib import Path

import pytest

from ai_bridge.agents import cards
from ai_bridge.mailboxes import attachments
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message import context
from ai_bridge.settings import Settings
from tests.cli.commands.lines import KEYS, untimed
from tests.support.command import BY_ENTRY, command, on_terminal, refused, without_output
from tests.support.machine import LAPTOP, TOWER, On, settle_on
from tests.support.mail import LIMIT, post, route, send

RISKY = "a \x1b[31m\x07\x9b\x7f \u202eb\u200b \u2028\U000e0041\tc\n"
SHOWN = "a \\x1b[31m\\x07\\x9b\\x7f \\u202eb\\u200b \\u2028\\U000e0041\tc\n"


@pytest.fixture(autouse=True)
def _in_reach(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AI_BRIDGE_MAILBOXES", where.path)
    monkeypatch.delenv("PYTHONUNBUFFERED", raising=False)


def _objects(*words: str) -> list[dict[str, object]]:
    done = command(*words, "--json")
    assert (done.returncode, done.stderr) == (0, "")
    return [json.loads(line) for line in done.stdout.splitlines()]


def _ids(*words: str) -> list[object]:
    return [one["id"] for one in _objects(*words)]


def _by_hand(where: Tree, name: str, text: str) -> None:
    Path(where.outbox("claude").file(DROPPED, name)).write_text(text)


# --- what each shows ------------------------------------------------------------------------------------


def test_list_shows_what_is_unread_and_what_is_on_its_way(where: Tree, settings: Settings) -> None:
    unread = post(where, "body", subject="first")
    route(where, settings)
    dropped = post(where, "body", subject="second")
    post(where, "not mine", to="claude", sender="gemini")
    assert untimed(command("list", "--agent", "gemini").stdout).splitlines() == [
        f"unread    {unread}  claude → gemini  first",
        f"dropped   {dropped}  claude → gemini  second",
    ]
    told = _objects("list", "--agent", "gemini")
    assert [(list(one), one["id"], one["state"], one["body"]) for one in told] == [
        (KEYS, unread, "unread", None),
        (KEYS, dropped, "dropped", None),
    ]


def test_show_finds_a_message_in_whatever_state_it_is(where: Tree, settings: Settings) -> None:
    id_ = post(where, "the body", subject="s")
    name = f"{id_}.gemini.txt"
    outbox = where.outbox("claude")
    for state, verb in ((DROPPED, "claim"), ("processing", "deliver"), (UNREAD, "acknowledge"), (READ, "")):
        (told,) = _objects("show", id_)
        assert (told["state"], told["path"], told["body"]) == (state, outbox.file(state, name), "the body")
        assert command("show", name).stdout.endswith("\n\nthe body\n")
        assert verb == "" or outbox.move(verb, name)


def test_show_names_what_is_wrong_with_a_message_it_cannot_show(where: Tree, settings: Settings) -> None:
    _by_hand(where, "note.txt", "no headers\n\nbody")
    route(where, settings)
    refused(command("show", "note.txt"), "header line 1")
    assert command("show", "--raw", "note.txt").stdout == "no headers\n\nbody"
    refused(command("show", "unknown"), "there is no message unknown in", "history")


def test_history_shows_both_directions_newest_last(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    ids = [post(where, "1"), post(where, "2", to="claude", sender="gemini"), post(where, "3", to="codex")]
    route(where, settings)
    ids.append(post(where, "4", in_reply_to=ids[0], thread=ids[0]))
    assert _ids("history", "--agent", "claude") == ids
    assert _ids("history", "gemini", "--agent", "claude") == [ids[0], ids[1], ids[3]]
    assert _ids("history", "--agent", "claude", "--limit", "2") == ids[2:]
    assert _ids("history", "--agent", "claude", "--before", ids[2], "--limit", "1") == [ids[1]]
    assert _ids("history", "--agent", "claude", "--thread", ids[0]) == [ids[0], ids[3]]
    assert _ids("history", "--agent", "claude", "--thread", ids[0], "--limit", "1") == [ids[3]]
    assert [one["body"] for one in _objects("history", "--agent", "gemini")] == ["1", "2", "4"]
    lines = untimed(command("history", "--brief", "--agent", "codex").stdout).splitlines()
    assert lines == [f"unread    {ids[2]}  claude → codex  message"]


def test_status_tells_where_each_copy_of_a_message_is(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    id_ = post(where, "x", to="*")
    route(where, settings)
    where.outbox("claude").move("acknowledge", f"{id_}.codex.txt")
    told = _objects("status", id_)
    assert [list(one) for one in told] == [["id", "to", "state", "at", "reason"]] * 2
    assert [(one["id"], one["to"], one["state"], one["reason"]) for one in told] == [
        (id_, "gemini", "unread", None),
        (id_, "codex", "read", None),
    ]
    line = rf"{id_} → (gemini: unread|codex: read) since \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ"
    assert all(re.fullmatch(line, shown) for shown in command("status", id_).stdout.splitlines())


def test_status_of_a_rejected_message_gives_the_reason(where: Tree, settings: Settings) -> None:
    _by_hand(where, "note.txt", "ID: n1\nFrom: claude\nTo: gmini\nSubject: s\n\nx")
    route(where, settings)
    for word in ("n1", "note.txt"):
        (told,) = _objects("status", word)
        assert told["state"] == MALFORMED
        assert "there is no agent gmini (did you mean gemini?)" in str(told["reason"])
        assert "did you mean gemini?" in command("status", word).stdout


def test_status_of_a_message_dropped_by_hand_tells_its_id(where: Tree) -> None:
    _by_hand(where, "note.txt", "ID: n1\nFrom: claude\nTo: gemini\nSubject: s\n\nx")
    (told,) = _objects("status", "n1")
    assert (told["id"], told["to"], told["state"]) == ("n1", "gemini", "dropped")


def test_status_without_an_id_tells_who_i_am_and_what_waits(where: Tree, settings: Settings) -> None:
    post(where, "x")
    route(where, settings)
    post(where, "y", to="claude", sender="gemini")
    assert command("status", AI_BRIDGE_AGENT="gemini").stdout.splitlines() == [
        f"mailboxes: {where.path} (named by AI_BRIDGE_MAILBOXES)",
        "I am: gemini (from AI_BRIDGE_AGENT)",
        "router: none; a reader makes the pass itself",
        "inbox: 1 message unread",
        "outbox: 1 waiting, 0 malformed",
    ]
    (told,) = _objects("status", "--agent", "gemini")
    assert list(told)[:4] == ["mailboxes", "why", "agent", "router"]
    assert (told["why"], told["agent"], told["router"]) == ("given as an option", "gemini", None)
    unknown = command("status")
    assert unknown.returncode == 0
    assert f"mailboxes: {where.path} (named by AI_BRIDGE_MAILBOXES)\nI am: not known (" in unknown.stdout


# --- a mistyped address -----------------------------------------------------------------------------------


@pytest.mark.parametrize("words", [("list",), ("history",), ("status",), ("read",), ("wait",), ("acknowledge", "x")])
def test_a_mistyped_agent_is_told_the_nearest_one(words: tuple[str, ...]) -> None:
    refused(command(*words, "--agent", "gmini"), "no agent gmini (did you mean gemini?); known: claude, gemini")


def test_a_mistyped_peer_of_the_history_is_told_the_nearest_one() -> None:
    refused(command("history", "gmini", "--agent", "claude"), "no agent gmini (did you mean gemini?)")


@pytest.mark.parametrize("words", [("list",), ("read",), ("wait",), ("acknowledge", "x")])
def test_who_i_am_must_be_known(words: tuple[str, ...]) -> None:
    refused(command(*words), "--agent ADDRESS or set AI_BRIDGE_AGENT (known: claude, gemini)")


# --- harmless ---------------------------------------------------------------------------------------------


def _acts_on_a_terminal(text: str) -> bool:
    return any(not (ch.isprintable() or ch in "\n\t") for ch in text)


@pytest.mark.parametrize("words", [("read", "--peek"), ("list",), ("history",), ("wait",), ("show",)])
def test_what_could_act_on_a_terminal_is_shown_escaped(
    where: Tree, settings: Settings, words: tuple[str, ...]
) -> None:
    id_ = post(where, RISKY, subject="s \u202e\U000e0041")
    route(where, settings)
    spoiled = where.outbox("claude").file(UNREAD, "\x1b[31m.gemini.txt")
    Path(spoiled).write_text("\x1b[31m: spoiled")
    done = command(*words, *([id_] if words == ("show",) else []), "--agent", "gemini")
    assert not _acts_on_a_terminal(done.stdout + done.stderr)
    assert "s \\u202e\\U000e0041" in done.stdout
    if words[0] in ("read", "show"):
        assert f"\n\n{SHOWN}" in done.stdout
    if words[0] not in ("show", "history"):
        assert "\\x1b[31m.gemini.txt" in done.stdout + done.stderr


def test_programs_get_every_character_as_it_is(where: Tree, settings: Settings) -> None:
    id_ = post(where, RISKY, subject="s \u202e")
    route(where, settings)
    for words in (("show", id_), ("history",), ("read",)):
        (told,) = _objects(*words, "--agent", "gemini")
        assert (told["subject"], told["body"]) == ("s \u202e", RISKY)
    assert command("show", "--raw", id_).stdout.endswith(f"\n\n{RISKY}")


def test_what_json_cannot_tell_goes_to_standard_error(where: Tree, settings: Settings) -> None:
    id_ = post(where, "x")
    route(where, settings)
    Path(where.outbox("claude").file(UNREAD, "spoiled.gemini.txt")).write_text("spoiled")
    done = command("list", "--agent", "gemini", "--json")
    assert [json.loads(line)["id"] for line in done.stdout.splitlines()] == [id_]
    assert "spoiled.gemini.txt" in done.stderr


def test_colour_is_for_terminals_only(where: Tree, processes: list[subprocess.Popen[bytes]]) -> None:
    post(where, "x")
    assert "\x1b" not in command("list", "--agent", "gemini").stdout
    terminal, theirs = pty.openpty()
    processes.append(subprocess.Popen([*BY_ENTRY, "list", "--agent", "gemini"], stdout=theirs))
    assert processes[0].wait(60) == 0
    assert os.read(terminal, 4096).startswith(b"\x1b[36m")
    os.close(theirs)
    os.close(terminal)


def test_the_status_counts_mail_that_is_not_delivered_yet(where: Tree, settings: Settings) -> None:
    post(where, "read me")
    route(where, settings)
    post(where, "x")
    assert "inbox: 1 message unread, 1 on its way\n" in command("status", "--agent", "gemini").stdout
    (told,) = map(json.loads, command("status", "--agent", "gemini", "--json").stdout.splitlines())
    assert (told["unread"]["count"], told["coming"]["count"]) == (1, 1)
    assert "inbox: 0 messages unread\n" in command("status", "--agent", "claude").stdout


def test_the_status_elsewhere_says_where_the_mail_is_moved(where: Tree, on: On) -> None:
    on(LAPTOP)
    settle_on(where, TOWER, "claude")
    shown = command("status", "--agent", "claude").stdout
    assert f"router: none here: {TOWER} moves this mail\n" in shown
    assert "makes the pass" not in shown


def test_a_look_changes_nothing(where: Tree, settings: Settings) -> None:
    ids = [post(where, "x"), post(where, "y")]
    route(where, settings)
    post(where, "on its way")
    before = {path: path.lstat().st_ctime_ns for path in Path(where.path).rglob("*")}
    for words in (
        ("list",),
        ("show", ids[0]),
        ("history",),
        ("threads",),
        ("status",),
        ("status", ids[1]),
        ("health",),
        ("config",),
    ):
        assert command(*words, "--agent", "gemini").stdout
    assert {path: path.lstat().st_ctime_ns for path in Path(where.path).rglob("*")} == before


@pytest.mark.parametrize("output", ["closed", "full", "broken"])
@pytest.mark.parametrize("words", [("--raw",), ("--json",), ()])
def test_an_output_that_takes_nothing_is_said_in_one_line(where: Tree, output: str, words: tuple[str, ...]) -> None:
    done = without_output(output, "show", post(where, "x"), *words)
    assert done.returncode == 1 or (output, done.returncode) == ("closed", 0)
    assert re.fullmatch(r"(error: [^\n]+\n)?", done.stderr)


# --- attachments ------------------------------------------------------------------------------------------


def _attach(where: Tree, raw: bytes, path: str = "f.py", sender: str = "claude") -> tuple[str, str]:
    """Store an attachment; returns its hash and its path."""
    hash_ = context.digest(raw)
    name = context.file_name(hash_, path)
    attachments.store(where.outbox(sender), {name: raw})
    return hash_, os.path.join(where.outbox(sender).attached, name)


def test_show_prints_an_attachment_by_its_hash_or_the_beginning_of_it(where: Tree) -> None:
    raw = b"\x1b[31m\r\n\xc3\xa9 no line end"
    hash_, path = _attach(where, raw)
    for words in ((hash_,), (hash_[:8],), (f"sha256:{hash_}",), ("--raw", hash_[:12].upper())):
        done = subprocess.run([*BY_ENTRY, "show", *words], capture_output=True, timeout=60, check=False)
        assert (done.returncode, done.stdout, done.stderr) == (0, raw, b"")
    assert _objects("show", hash_[:12]) == [{"sha256": hash_, "path": path, "bytes": len(raw)}]


def test_show_refuses_a_hash_that_names_none_or_another_content(where: Tree) -> None:
    refused(command("show", "0123456789abcdef"), "there is no attachment 0123456789abcdef in", "show ID")
    refused(command("show", "0123456"), "there is no message 0123456 in")
    hash_, path = _attach(where, b"x")
    Path(path).write_bytes(b"altered")
    refused(command("show", hash_), "no longer holds what was attached")


def test_show_tries_an_id_before_a_hash(where: Tree) -> None:
    hash_, _ = _attach(where, b"x")
    _by_hand(where, "note.txt", f"ID: {hash_[:12]}\nFrom: claude\nTo: gemini\nSubject: s\n\nthe body")
    assert command("show", hash_[:12]).stdout.endswith("\n\nthe body\n")


def test_show_tells_where_the_attachments_of_a_message_lie(where: Tree, settings: Settings) -> None:
    first, path = _attach(where, b"1")
    second, other = _attach(where, b"2", "b.md")
    header = f"f.py:1-9 0123456789ab+ sha256:{first}; none sha256:{'0' * 64}; b.md sha256:{second}; c.py"
    id_ = send(where, "claude", Draft(["gemini"], "the body", extra={"Context": header}), LIMIT).id
    route(where, settings)
    assert command("show", id_).stdout.endswith(f"\n\nthe body\nattached: {path}\nattached: {other}\n")
    (told,) = _objects("show", id_)
    assert (list(told), told["body"]) == (KEYS, "the body")
    assert command("show", "--raw", id_).stdout.endswith("\n\nthe body")


def test_a_header_that_tells_junk_changes_nothing(where: Tree, settings: Settings) -> None:
    id_ = send(where, "claude", Draft(["gemini"], "b", extra={"Context": "; sha256:x ../../a;; %"}), LIMIT).id
    route(where, settings)
    assert command("show", id_).stdout.endswith("\n\nb\n")


# --- a message to several ---------------------------------------------------------------------------------


def test_of_a_message_to_all_each_is_shown_the_own_copy_and_its_sender_all_recipients(where: Tree) -> None:
    where.make(["codex"])
    id_ = send(where, "claude", Draft(["*"], "hello"), LIMIT).id
    for agent in ("codex", "gemini"):
        shown = command("show", id_, "--agent", agent).stdout
        assert f"\nTo: {agent}\n" in shown
        assert "sent to" not in shown
        assert [one["to"] for one in _objects("show", id_, "--agent", agent)] == [agent]
    shown = command("show", id_, "--agent", "claude").stdout
    assert shown.endswith("\nhello\nsent to: codex (dropped), gemini (dropped)\n")
    assert [one["to"] for one in _objects("show", id_, "--agent", "claude")] == ["codex", "gemini"]


# --- what was set aside -----------------------------------------------------------------------------------


def _set_aside(where: Tree, settings: Settings) -> tuple[str, str]:
    """Have one message of codex held for gemini, and two files of claude and codex malformed; returns their IDs."""
    where.make(["codex", "me"])
    cards.change(where, "gemini", {"hold": "codex"})
    held = post(where, "may I?", sender="codex", subject="a request")
    _by_hand(where, "note.txt", "no headers\n\nbody")
    bad = "codex-20201122-232405-000001-abcd"
    astray = f"ID: {bad}\nFrom: codex\nTo: nobody\nSubject: astray\n\nx"
    Path(where.outbox("codex").file(DROPPED, f"{bad}.nobody.txt")).write_text(astray)
    route(where, settings)
    return held, bad


def test_list_shows_what_is_held_and_malformed_of_all_agents_with_reason_and_command(
    where: Tree, settings: Settings
) -> None:
    held, bad = _set_aside(where, settings)
    (line,) = command("list", "--held").stdout.splitlines()
    assert re.match(
        rf"held      codex/{held}\.gemini\.txt  \d{{4}}-\d\d-\d\dT\d\d:\d\d:\d\dZ  gemini holds mail from codex", line
    )
    assert "`ai-bridge allow codex`" in line
    lines = command("list", "--malformed").stdout.splitlines()
    assert [line.split()[1] for line in lines] == [f"codex/{bad}.nobody.txt", "claude/note.txt"]
    assert "`ai-bridge restore claude/note.txt`" in lines[1]
    assert "there is no agent nobody" in lines[0]
    assert f"`ai-bridge restore codex/{bad}.nobody.txt`" in lines[0]
    assert len(command("list", "--held", "--malformed").stdout.splitlines()) == 3
    told = _objects("list", "--malformed", "--held")
    assert [one["state"] for one in told] == ["held", "malformed", "malformed"]
    assert list(told[0]) == ["id", "from", "to", "state", "path", "at", "reason", "fix"]
    assert [(one["id"], one["from"], one["to"]) for one in told[:2]] == [
        (held, "codex", "gemini"),
        (bad, "codex", "nobody"),
    ]
    assert (told[0]["fix"], told[2]["fix"]) == (None, "ai-bridge restore claude/note.txt")


def test_the_commands_that_are_named_let_the_mail_go_on(where: Tree, settings: Settings) -> None:
    held, _ = _set_aside(where, settings)
    (named,) = re.findall(r"`ai-bridge (allow codex)`", command("list", "--held").stdout)
    assert command(*named.split()).returncode == 0
    assert command("list", "--held").stdout == ""
    where.outbox("claude")
    path = Path(where.outbox("claude").file(MALFORMED, "note.txt"))
    path.write_text("ID: n1\nFrom: claude\nTo: gemini\nSubject: s\n\nx")
    (named,) = re.findall(r"`ai-bridge (restore claude/\S+)`", command("list", "--malformed").stdout)
    assert command(*named.split()).returncode == 0
    route(where, settings)
    assert _objects("show", "n1")[0]["state"] == UNREAD
    assert _objects("show", held)[0]["state"] == UNREAD


def test_an_agent_sees_its_own_and_a_person_all(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, bad = _set_aside(where, settings)
    assert _ids("list", "--held", "--malformed", "--agent", "claude") == ["note"]
    assert _ids("list", "--held", "--malformed", "--agent", "codex") == [held, bad]
    assert _ids("list", "--held", "--malformed", "--agent", "gemini") == [held]
    cards.change(where, "me", {"person": "yes"})
    monkeypatch.setenv("AI_BRIDGE_AGENT", "me")
    assert _ids("list", "--held", "--malformed") == [held, bad, "note"]
    assert _ids("list", "--held", "--malformed", "--agent", "me") == []
    monkeypatch.setenv("AI_BRIDGE_AGENT", "codex")
    assert _ids("list", "--held", "--malformed") == [held, bad]
    refused(command("list", "--held", "--agent", "gmini"), "no agent gmini (did you mean gemini?)")


@pytest.mark.parametrize("columns", [50, 120])
def test_what_was_set_aside_fits_the_terminal(where: Tree, settings: Settings, columns: int) -> None:
    held, _ = _set_aside(where, settings)
    shown = on_terminal(b"", "list", "--held", columns=columns, NO_COLOR="1")[1].rstrip("\0").splitlines()
    assert re.match(rf"{held[-4:]}  held  (just now|\d+ (s|min) ago)  codex → gemini  a request", shown[0])
    assert all(line.startswith("    ") and len(line) <= columns for line in shown[1:])
    assert "gemini holds mail from codex until a person" in shown[1]
    shown = on_terminal(b"", "list", "--malformed", columns=columns, NO_COLOR="1")[1].splitlines()
    assert shown[0].split()[:2] == ["abcd", "malformed"]
    assert ["note.txt", "malformed"] in [line.split() for line in shown]


# --- nothing to show --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "says", "code"),
    [
        (["read"], "nothing unread for gemini", 0),
        (["list"], "nothing awaits gemini", 0),
        (["history"], "no past messages found", 0),
        (["search", "*"], "no past messages found", 0),
        (["decisions"], "no decisions yet", 0),
        (["threads"], "no conversations yet", 0),
        (["list", "--held"], "nothing is set aside", 0),
        (["list", "--malformed", "--held"], "nothing is set aside", 0),
        (["wait", "--timeout", "0"], "no mail for gemini in 0 s", 3),
    ],
    ids=lambda one: one[0] if isinstance(one, list) else "",
)
def test_a_person_at_a_terminal_is_told_that_there_is_nothing(
    where: Tree, words: list[str], says: str, code: int
) -> None:
    quiet = command(*words, "--agent", "gemini")
    assert (quiet.returncode, quiet.stdout, quiet.stderr) == (code, "", "")
    ours, theirs = pty.openpty()
    done = subprocess.run(
        [*BY_ENTRY, *words, "--agent", "gemini"], stdout=subprocess.PIPE, stderr=theirs, timeout=60, check=False
    )
    os.close(theirs)
    assert (done.returncode, done.stdout) == (code, b"")
    assert os.read(ours, 1000).decode().strip() == says
    os.close(ours)
