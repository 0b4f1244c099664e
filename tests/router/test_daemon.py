"""The router process: it serves until it is stopped, whatever dies, comes late, fails or goes away meanwhile."""

from __future__ import annotations

import errno
import logging
import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread, Timer
from types import ModuleType

import pytest

from ai_bridge import settings as settings_
from ai_bridge.errors import RouterRunning
from ai_bridge.health.mail import router_of
from ai_bridge.mailboxes import outbox as outbox_
from ai_bridge.mailboxes import tree as mailboxes_
from ai_bridge.mailboxes import wake as wake_
from ai_bridge.mailboxes.outbox import DROPPED, UNREAD, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.daemon import Daemon
from ai_bridge.router.route import Router
from ai_bridge.router.served import ALL
from ai_bridge.router.step import Step
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from ai_bridge.system.locks import Lock, holder
from tests.support.command import command
from tests.support.mail import post, states
from tests.support.wait import until

NEVER_S = 3600.0
SOON_S = 0.05
Serve = Callable[..., Daemon]


@pytest.fixture
def serve(where: Tree) -> Iterator[Serve]:
    """Run routers in threads: `serve(only, sweep_s=…)` returns one once it is ready."""
    running: list[tuple[Daemon, Thread]] = []

    def begin(only: str | None = None, **options: object) -> Daemon:
        given = {"settle_s": 0.0, "sweep_s": NEVER_S, **options}
        daemon = Daemon(where, settings_.load(where.path, given), only)
        thread = Thread(target=daemon.run)
        running.append((daemon, thread))
        thread.start()
        until(lambda: not thread.is_alive() or _ready(where, only or "gemini"))
        return daemon

    yield begin
    for daemon, thread in running:
        daemon.stop()
        thread.join(60)
        assert not thread.is_alive()


def _ready(where: Tree, agent: str) -> bool:
    found = router_of(where, agent)
    return found is not None and found.ready


def _delivered(where: Tree, id_: str, owner: str = "claude", to: str = "gemini") -> Callable[[], bool]:
    return lambda: f"{id_}.{to}.txt" in states(where, owner).get(UNREAD, [])


# --- serving ----------------------------------------------------------------------------------------------


def test_a_drop_wakes_the_router(where: Tree, serve: Serve) -> None:
    serve()
    for number in range(3):
        until(_delivered(where, post(where, str(number))))


def test_a_sweep_finds_what_woke_nobody(where: Tree, serve: Serve) -> None:
    serve(poll=True, poll_s=NEVER_S, sweep_s=SOON_S)
    until(_delivered(where, post(where, "x")))


def test_polling_finds_what_no_event_told(where: Tree, serve: Serve) -> None:
    serve(poll=True, poll_s=SOON_S)
    until(_delivered(where, post(where, "x")))


def test_new_agents_are_served_without_a_restart(where: Tree, serve: Serve) -> None:
    serve()
    where.make(["codex"])
    until(lambda: _ready(where, "codex"))
    until(_delivered(where, post(where, "x", to="codex"), to="codex"))
    until(_delivered(where, post(where, "y", sender="codex"), owner="codex"))


def test_one_agents_router_moves_only_its_mail(where: Tree, serve: Serve) -> None:
    serve("gemini")
    other = post(where, "x", to="claude", sender="gemini")
    until(_delivered(where, post(where, "y")))
    assert states(where, "gemini") == {DROPPED: [f"{other}.claude.txt"]}


def test_one_pass_moves_what_is_there_and_ends(where: Tree) -> None:
    id_ = post(where, "x")
    done = command("router", "--once", "--mailboxes", where.path)
    assert (done.returncode, done.stdout) == (0, "")
    assert f"INFO deliver claude/{id_}.gemini.txt\n" in done.stderr
    assert states(where, "claude") == {UNREAD: [f"{id_}.gemini.txt"]}


def test_a_router_of_all_takes_over_the_agent_whose_own_router_ended(where: Tree, serve: Serve) -> None:
    own = serve("gemini")
    serve(sweep_s=SOON_S)
    own.stop()
    until(lambda: (found := router_of(where, "gemini")) and found.serves == ALL and found.ready)
    until(_delivered(where, post(where, "x")))


def test_two_of_a_kind_are_kept_apart(where: Tree, settings: Settings, serve: Serve) -> None:
    serve()
    for only in (None, "gemini"):
        with pytest.raises(RouterRunning, match=rf"router, pid {os.getpid()}, since .*`ai-bridge stop`"):
            Daemon(where, settings, only).run()
        with pytest.raises(RouterRunning):
            Daemon(where, settings, only).run_once()
    until(_delivered(where, post(where, "still served")))


@pytest.mark.parametrize("text", ["garbage", f"{os.getppid()} router 2026-01-01T00:00:00Z ready {ALL}\n"])
def test_what_a_lock_file_says_keeps_no_router_from_starting(where: Tree, serve: Serve, text: str) -> None:
    for agent in where.agents():
        os.makedirs(os.path.dirname(where.lock_file("router", agent)), exist_ok=True)
        Path(where.lock_file("router", agent)).write_text(text)
    assert router_of(where, "gemini") is None
    serve()
    until(_delivered(where, post(where, "x")))


def test_a_reader_that_makes_the_pass_is_waited_for(where: Tree, serve: Serve) -> None:
    reader = Lock(where.lock_file("router", "gemini"))
    assert reader.acquire("reader", "gemini")
    letting_go = Timer(0.3, reader.release)
    letting_go.start()
    serve("gemini")
    letting_go.join()
    assert _ready(where, "gemini")


# --- ending -----------------------------------------------------------------------------------------------


def test_the_message_in_hand_is_finished_before_the_end(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"{post(where, str(number))}.gemini.txt" for number in range(3)]
    daemon = Daemon(where, settings)
    move = durable.move

    def move_and_be_told_to_end(source: str, target: str) -> bool:
        done = move(source, target)
        if "/.processing/" in target:
            daemon.stop()
        return done

    monkeypatch.setattr(durable, "move", move_and_be_told_to_end)
    daemon.run()
    assert states(where, "claude") == {UNREAD: names[:1], DROPPED: names[1:]}
    assert router_of(where, "gemini") is None


# --- trouble ----------------------------------------------------------------------------------------------


def test_mailboxes_that_went_away_and_came_back_are_served_again(
    where: Tree, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    serve(sweep_s=SOON_S)
    shutil.rmtree(where.path)
    until(lambda: f"{where.path} is not a mailboxes directory" in caplog.text)
    where.make(["claude", "gemini"])
    until(_delivered(where, post(where, "x")))


def test_an_error_of_the_disk_is_logged_and_the_move_tried_again(
    where: Tree, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    failing = [True]
    move = durable.move

    def move_on_a_full_disk(source: str, target: str) -> bool:
        if failing[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), source)
        return move(source, target)

    monkeypatch.setattr(durable, "move", move_on_a_full_disk)
    id_ = post(where, "x")
    serve(sweep_s=SOON_S)
    until(lambda: "the disk is full; free some space and try again" in caplog.text, 5)
    assert states(where, "claude") == {DROPPED: [f"{id_}.gemini.txt"]}
    failing[0] = False
    until(_delivered(where, id_))


class _FailingOs:
    """Passes everything on but the listing of one directory, as a share does that is lost for a while."""

    def __init__(self, directory: str) -> None:
        self.failing = directory
        self.refused = 0

    def __getattr__(self, name: str) -> object:
        return getattr(os, name)

    def listdir(self, path: str) -> list[str]:
        self._refuse(path)
        return os.listdir(path)

    def scandir(self, path: str) -> Iterator[os.DirEntry[str]]:
        self._refuse(path)
        return os.scandir(path)

    def _refuse(self, path: str) -> None:
        if path == self.failing:
            self.refused += 1
            raise OSError(errno.ESTALE, os.strerror(errno.ESTALE), path)


@pytest.mark.parametrize(("module", "part"), [(mailboxes_, ""), (outbox_, "claude-outbox")])
def test_a_directory_that_cannot_be_listed_for_a_while_ends_no_router(
    where: Tree, serve: Serve, monkeypatch: pytest.MonkeyPatch, module: ModuleType, part: str
) -> None:
    serve(sweep_s=SOON_S)
    share = _FailingOs(os.path.join(where.path, part).rstrip("/"))
    monkeypatch.setattr(module, "os", share)
    until(lambda: share.refused >= 5, 5)
    share.failing = ""
    until(_delivered(where, post(where, "x")))


def test_a_defect_over_a_file_is_logged_and_the_file_delivered_later(
    where: Tree, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    defects = [ZeroDivisionError("a defect")]
    move = durable.move

    def move_with_a_defect(source: str, target: str) -> bool:
        if ".unread" in target and defects:
            raise defects.pop()
        return move(source, target)

    monkeypatch.setattr(durable, "move", move_with_a_defect)
    id_ = post(where, "x")
    serve(sweep_s=SOON_S)
    until(_delivered(where, id_))
    assert "a fault of the router: ZeroDivisionError('a defect')" in caplog.text


def test_a_defect_in_a_pass_is_logged_and_ends_no_router(
    where: Tree, serve: Serve, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    defects = [ZeroDivisionError("a defect")]
    names = outbox_.Outbox.names

    def names_with_a_defect(outbox: outbox_.Outbox, state: str, recipient: str = "", **words: object) -> list[str]:
        if state == DROPPED and defects:
            raise defects.pop()
        return names(outbox, state, recipient, **words)  # type: ignore[arg-type]

    monkeypatch.setattr(outbox_.Outbox, "names", names_with_a_defect)
    id_ = post(where, "x")
    serve(sweep_s=SOON_S)
    until(lambda: not defects)  # the router met it, not this test's own look
    until(_delivered(where, id_))
    assert "the pass failed; its claims are released as if the router had died" in caplog.text
    assert "ZeroDivisionError: a defect" in caplog.text


def test_what_is_left_again_and_again_is_logged_once(
    where: Tree, serve: Serve, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    note = Path(where.outbox("claude").file(DROPPED, "note.txt"))
    with note.open("w") as file:
        file.write("ID: n1\nFrom: claude\nTo: gemini\nSubject: s\n\nx")
        file.flush()
        serve(sweep_s=SOON_S)
        for number in range(5):
            until(_delivered(where, post(where, str(number))))
    until(_delivered(where, "n1"))
    assert caplog.text.count("leave claude/note.txt: it is still being written") == 1


# --- hints ------------------------------------------------------------------------------------------------


def _hint(daemon: Daemon, where: Tree, owner: str) -> None:
    assert daemon._wake is not None
    daemon._wake.set(where.outbox(owner).path)


def test_where_a_wake_hints_the_router_looks(where: Tree, serve: Serve) -> None:
    daemon = serve(poll=True, poll_s=NEVER_S)
    id_ = post(where, "x")
    _hint(daemon, where, "claude")
    until(_delivered(where, id_))


def test_wrong_hints_without_end_keep_no_mail_from_being_delivered(
    where: Tree, serve: Serve, monkeypatch: pytest.MonkeyPatch
) -> None:
    daemon = serve(poll=True, poll_s=NEVER_S, sweep_s=SOON_S)
    one_pass = Router.one_pass
    passes: list[list[Outbox] | None] = []

    def hint_elsewhere(router: Router, outboxes: list[Outbox] | None = None) -> Iterator[Step]:
        _hint(daemon, where, "gemini")
        passes.append(outboxes)
        return one_pass(router, outboxes)

    monkeypatch.setattr(Router, "one_pass", hint_elsewhere)
    until(lambda: len(passes) > 3)
    until(_delivered(where, post(where, "x")))


def test_mail_for_one_whose_own_router_ended_waits_for_no_sweep(where: Tree, serve: Serve) -> None:
    own = serve("gemini")
    serve()
    until(lambda: _ready(where, "claude"))
    own.stop()
    until(lambda: holder(where.lock_file("router", "gemini")) is None)
    until(_delivered(where, post(where, "x")))


def test_what_a_wake_hints_at_during_a_sweep_comes_before_the_rest(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wake_, "_PART", 1)
    where.make(["aaa", "zed"])
    for sender in ("aaa", "claude", "zed"):
        post(where, "x", sender=sender)
    settings.put("poll", True, "here")
    daemon = Daemon(where, settings)
    owners: list[str] = []
    move = durable.move

    def hint_at_the_last(source: str, target: str) -> bool:
        if "/.unread/" in target:
            owners.append(os.path.basename(os.path.dirname(os.path.dirname(target))))
            _hint(daemon, where, "zed")
            if len(owners) == 3:
                daemon.stop()
        return move(source, target)

    monkeypatch.setattr(durable, "move", hint_at_the_last)
    daemon.run()
    assert owners == ["aaa-outbox", "zed-outbox", "claude-outbox"]
