"""Odd entries, damaged files and races that once stopped or misled somebody: none stops another's mail."""

from __future__ import annotations

import errno
import os
import signal
import stat
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ai_bridge.archive.restore import put_back
from ai_bridge.errors import DiskError
from ai_bridge.health.finding import WRONG
from ai_bridge.health.mail import examine, worst_level
from ai_bridge.inbox import fetch
from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.outbox import DROPPED, MALFORMED, PROCESSING, READ, REASON, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from tests.support.checkout import ROOT
from tests.support.command import command, refused
from tests.support.mail import TEXT, post, route, states

EVERYONE = {"claude", "codex", "gemini"}


def _file_for_directory(state: str) -> Callable[[Outbox], None]:
    def spoil(outbox: Outbox) -> None:
        os.rmdir(outbox.directory(state))
        Path(outbox.directory(state)).write_text("not a directory")

    return spoil


def _old_directory_in_temporary(outbox: Outbox) -> None:
    path = Path(outbox.temporary, "old", "x")
    path.mkdir(parents=True)
    os.utime(path.parent, (time.time() - 300_000,) * 2)


SPOILED = {
    "a file named like an outbox": lambda outbox: Path(outbox.path, "..", "aaa-outbox").write_text("x"),
    ".unread is a file": _file_for_directory(UNREAD),
    ".processing is a file": _file_for_directory(PROCESSING),
    "an old directory in .tmp": _old_directory_in_temporary,
}


@pytest.mark.parametrize("spoil", SPOILED.values(), ids=SPOILED)
def test_one_spoiled_outbox_stops_nobody_elses_mail(
    where: Tree, settings: Settings, spoil: Callable[[Outbox], object]
) -> None:
    where.make(["codex"])
    spoil(where.outbox("codex"))
    id_ = post(where)
    route(where, settings, EVERYONE)
    assert [one.id for one in fetch.fetch(where, "gemini", settings)] == [id_]


def test_health_names_a_directory_that_cannot_be_listed(where: Tree, settings: Settings) -> None:
    _file_for_directory(UNREAD)(where.outbox("claude"))
    reports = examine(where, settings, ["claude"])
    assert worst_level(reports) == WRONG
    assert ".unread cannot be listed" in reports[0].findings[0].sentence


@pytest.mark.parametrize("name", ["evil\n² foo.txt", "\udcff.txt", "-rf.txt", "a" * 251 + ".txt", "ü" * 125 + ".txt"])
def test_a_claimed_file_of_any_name_is_counted_and_set_aside(where: Tree, settings: Settings, name: str) -> None:
    outbox = where.outbox("claude")
    Path(outbox.file(PROCESSING, name)).write_text("bad")
    verbs = []
    for _ in range(5):
        steps = list(recover(Router(where, EVERYONE, settings)))
        verbs += [step.verb for step in steps]
        for left in outbox.names(DROPPED):
            outbox.move("claim", left)
    assert verbs[:4] == ["release", "release", "release", "reject"]
    (kept,) = outbox.names(MALFORMED)
    assert Path(outbox.file(MALFORMED, kept) + REASON).exists()


def test_a_malformed_file_of_the_longest_name_is_refused(where: Tree, settings: Settings) -> None:
    name = "a" * 251 + ".txt"
    Path(where.outbox("claude").file(DROPPED, name)).write_text("bad")
    assert [step.verb for step in route(where, settings)] == ["reject", "deliver"]


def test_damaged_counts_of_releases_are_begun_anew(where: Tree, settings: Settings) -> None:
    router = Router(where, EVERYONE, settings)
    Path(where.outbox("claude").file(PROCESSING, "x.txt")).write_text("bad")
    list(recover(router))
    (counts,) = Path(where.state_file("released")).iterdir()
    counts.write_text("² damaged")
    assert list(recover(router)) == []


def test_what_one_success_gives_free_is_its_own(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A message that could not be given back is not forgotten when the next is delivered."""
    first, second = post(where, "1"), post(where, "2")
    router, real, refusals = Router(where, EVERYONE, settings), Outbox.move, iter([False, True, True])

    def refuse_deliver_and_release_once(self: Outbox, verb: str, name: str, new_name: str | None = None) -> bool:
        if next(refusals, False):
            raise OSError(5, "Input/output error")
        return real(self, verb, name, new_name)

    monkeypatch.setattr(Outbox, "move", refuse_deliver_and_release_once)
    verbs = [step.verb for _ in range(2) for step in router.one_pass()]
    assert sorted(verbs) == ["deliver", "deliver", "retry"]
    assert [one.id for one in unread.unread_for(where, "gemini")] == [first, second]


def test_a_message_read_before_and_there_again_is_dealt_with(where: Tree, settings: Settings) -> None:
    id_ = post(where, "again")
    outbox, name = where.outbox("claude"), f"{id_}.gemini.txt"
    route(where, settings)
    Path(outbox.file(READ, name)).write_bytes(Path(outbox.file(UNREAD, name)).read_bytes())
    assert unread.acknowledge(where, "gemini", [id_]) == [id_]
    assert states(where, "claude") == {READ: [name]}
    Path(outbox.file(UNREAD, name)).write_text("another message of that name")
    assert unread.acknowledge(where, "gemini", [id_]) == [id_]
    assert sorted(states(where, "claude")[READ]) == [name, f"{id_}.gemini~1.txt"]


def test_fanned_out_mail_keeps_its_place_in_the_order(where: Tree, settings: Settings) -> None:
    where.make(["codex"])
    for number, to in enumerate(("gemini, codex", "gemini")):
        path = Path(where.outbox("claude").file(DROPPED, f"m{number}.txt"))
        path.write_text(f"ID: m{number}\nFrom: claude\nTo: {to}\nSubject: s\n\nb")
        os.utime(path, (time.time() - 100 + number,) * 2)
    route(where, settings)
    assert [one.id for one in unread.unread_for(where, "gemini")] == ["m0", "m1"]


def test_a_reason_written_after_a_restore_is_kept(where: Tree, settings: Settings) -> None:
    outbox = where.outbox("claude")
    Path(outbox.file(DROPPED, "x.txt")).write_text("bad")
    route(where, settings)
    real = Outbox.move

    def move_and_be_rejected_at_once(self: Outbox, verb: str, name: str, new_name: str | None = None) -> bool:
        moved = real(self, verb, name, new_name)
        if verb == "restore malformed":
            route(where, settings)
        return moved

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(Outbox, "move", move_and_be_rejected_at_once)
        put_back(where, "x.txt")
    assert Path(outbox.file(MALFORMED, "x.txt") + REASON).exists()


def test_a_lock_whose_directory_was_removed_is_taken_anew(where: Tree) -> None:
    from ai_bridge.system.locks import Lock

    lock = Lock(where.lock_file("router", "claude"))
    assert lock.acquire("router")
    assert lock.is_in_place()
    os.unlink(lock.path)
    assert not lock.is_in_place()
    lock.release()


SLOW_MV = "#!/bin/sh\nfor last; do :; done\n/usr/bin/env -i PATH=/usr/bin:/bin mv \"$@\"\ntouch '{flag}'\nsleep 0.4\n"


def _slow_mv(tmp_path: Path) -> dict[str, str]:
    """Return an environment in which `mv` returns late: whatever comes in between comes in between."""
    tool = tmp_path / "bin" / "mv"
    tool.parent.mkdir()
    tool.write_text(SLOW_MV.format(flag=tmp_path / "moved"))
    tool.chmod(tool.stat().st_mode | stat.S_IXUSR)
    return {**os.environ, "PATH": f"{tool.parent}:{os.environ['PATH']}"}


def test_the_shell_interrupted_after_its_move_does_not_say_that_nothing_was_sent(
    where: Tree, tmp_path: Path, processes: list[subprocess.Popen[bytes]]
) -> None:
    words = [str(ROOT / "management/send.sh"), "gemini", "s", "--from", "claude", "--mailboxes", where.path]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen(words, env=_slow_mv(tmp_path), **pipes)
    processes.append(process)
    assert process.stdin
    process.stdin.write(b"body")
    process.stdin.close()
    while not (tmp_path / "moved").exists():
        time.sleep(0.005)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    assert process.stdout
    assert process.stdout.read().decode().strip() + ".gemini.txt" in states(where, "claude")[DROPPED]


def test_the_shell_does_not_call_a_move_failed_because_a_router_was_fast(
    where: Tree, settings: Settings, tmp_path: Path
) -> None:
    tool = tmp_path / "bin" / "mv"
    environment = _slow_mv(tmp_path)
    tool.write_text('#!/bin/sh\n/usr/bin/env -i PATH=/usr/bin:/bin mv "$@"\necho "mv: cannot stat" >&2\nexit 1\n')
    words = [str(ROOT / "management/send.sh"), "gemini", "s", "--from", "claude", "--mailboxes", where.path]
    done = subprocess.run(words, input=b"body", capture_output=True, env=environment, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


def test_the_command_a_notice_gives_works_for_any_name(where: Tree, settings: Settings) -> None:
    Path(where.outbox("claude").file(DROPPED, "-my 'note' *.txt")).write_text("bad")
    route(where, settings)
    (notice,) = [one.load().body for one in unread.unread_for(where, "claude")]
    line = next(line for line in notice.splitlines() if "ai-bridge restore" in line).partition("ai-bridge ")[2]
    done = subprocess.run(["sh", "-c", f"printf '%s\\n' {line}"], capture_output=True, text=True, check=True)
    refused(command(*done.stdout.splitlines(), AI_BRIDGE_MAILBOXES=where.path), "has not been repaired")
    Path(where.outbox("claude").file(MALFORMED, "-my 'note' *.txt")).write_text(TEXT.format(id="n1", to="gemini"))
    assert command(*done.stdout.splitlines(), AI_BRIDGE_MAILBOXES=where.path).returncode == 0
    assert states(where, "claude")[DROPPED] == ["-my 'note' *.txt"]


def test_a_reservation_without_its_message_is_no_hindrance(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a file system without hard links a router may die between reserving a name and moving."""
    id_ = post(where)
    monkeypatch.setattr(durable, "find_function", lambda name: None)
    monkeypatch.setattr(durable, "_rename_by_link", lambda source, target: False)
    Path(where.outbox("claude").file(UNREAD, f"{id_}.gemini.txt")).touch()
    assert [step.verb for step in route(where, settings)] == ["deliver"]
    assert unread.unread_for(where, "gemini")[0].load().body == "hello"


@pytest.mark.parametrize("state", [UNREAD, READ])
def test_a_message_takes_the_place_of_a_reservation_whose_maker_died(where: Tree, state: str) -> None:
    """Also on a file system that needs none: the mailboxes may have come from one that does."""
    id_ = post(where)
    name = f"{id_}.gemini.txt"
    Path(where.outbox("claude").file(state, name)).touch()
    assert command("router", "--once", AI_BRIDGE_MAILBOXES=where.path).returncode == 0
    assert name in states(where, "claude")[UNREAD]
    done = command("read", "--agent", "gemini", AI_BRIDGE_MAILBOXES=where.path)
    assert (done.returncode, done.stdout.count("hello")) == (0, 1), done.stderr
    assert states(where, "claude") == {READ: [name]}
    assert not os.path.exists(where.outbox("postmaster").path)


@pytest.mark.parametrize("state", [UNREAD, READ])
def test_only_an_empty_file_is_taken_for_a_reservation(where: Tree, settings: Settings, state: str) -> None:
    id_ = post(where)
    taken = Path(where.outbox("claude").file(state, f"{id_}.gemini.txt"))
    taken.write_text("something")
    assert [step.verb for step in route(where, settings)] == ["reject", "deliver"]
    assert taken.read_text() == "something"


# --- faults of our own ----------------------------------------------------------------------------------


def test_a_fault_over_one_file_stops_no_other(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    bad, good = post(where, "1"), post(where, "2")
    real = Router._deliver

    def faulty(self: Router, outbox: Outbox, name: str, *words: object) -> object:
        if name.startswith(bad):
            raise TypeError("a fault")
        return real(self, outbox, name, *words)  # type: ignore[arg-type]

    monkeypatch.setattr(Router, "_deliver", faulty)
    steps = list(Router(where, set(where.agents()), settings).one_pass())
    assert [(step.verb, step.why) for step in steps] == [
        ("retry", "a fault of the router: TypeError('a fault')"),
        ("deliver", ""),
    ]
    assert states(where, "claude") == {DROPPED: [f"{bad}.gemini.txt"], UNREAD: [f"{good}.gemini.txt"]}


@pytest.mark.parametrize("written_ns", [7 * 10**25, -(10**18), 253_402_300_800 * 10**9])
def test_no_time_of_a_file_stops_its_outbox(where: Tree, settings: Settings, written_ns: int) -> None:
    path = Path(where.outbox("claude").path, "note.gemini.txt")
    path.write_text("ID: note\nFrom: claude\nTo: gemini\nSubject: s\n\nhello")
    try:
        os.utime(path, ns=(written_ns, written_ns))
    except (OSError, OverflowError):
        pytest.skip("this file system has no such time")
    good = post(where, "2")
    route(where, settings)
    assert sorted(one.id for one in unread.unread_for(where, "gemini")) == sorted(["note", good])


def test_a_card_with_any_field_stops_no_mail_to_a_short_name(where: Tree, settings: Settings) -> None:
    where.make(["mini@a", "mini@b"])
    for folder in ("agents", "presence"):
        os.makedirs(os.path.join(where.path, folder), exist_ok=True)
    Path(where.path, "agents", "mini@a.md").write_text("---\ncontent: y\nhandler: z\n---\nt\n")
    Path(where.path, "presence", "other-abcdefgh.md").write_text("---\nhost: other\ncontent: y\n---\nt\n")
    Path(where.outbox("claude").path, "h.txt").write_text("ID: h-1\nFrom: claude\nTo: mini\nSubject: s\n\nx\n")
    good = post(where, "good")
    steps = route(where, settings)
    assert [step.verb for step in steps].count("reject") == 1
    assert [one.id for one in unread.unread_for(where, "gemini")] == [good]


def test_a_drop_that_a_router_elsewhere_took_before_the_answer_came_is_accepted(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So does sshfs: it makes the link, looks at the new name, and says that there is no such file."""
    publish = durable.publish

    def publish_too_late(temporary: str, final: str) -> None:
        kept = f"{temporary}.kept"
        os.link(temporary, kept)
        publish(temporary, final)
        route(where, settings)
        os.rename(kept, temporary)
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), temporary)

    with monkeypatch.context() as patch:
        patch.setattr(durable, "publish", publish_too_late)
        id_ = post(where)
    assert states(where, "claude") == {UNREAD: [f"{id_}.gemini.txt"]}
    assert os.listdir(where.outbox("claude").temporary) == []


def test_a_drop_that_is_nowhere_was_not_made(where: Tree, monkeypatch: pytest.MonkeyPatch) -> None:
    def lose(temporary: str, final: str) -> None:
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), temporary)

    monkeypatch.setattr(durable, "publish", lose)
    with pytest.raises(DiskError, match="it does not exist"):
        post(where)
    assert states(where, "claude") == {}
