"""The process dies before or after each single call that changes the disk: nothing is lost or half done."""

from __future__ import annotations

import os
import signal
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from ai_bridge.mailboxes import unread
from ai_bridge.mailboxes.compose import Draft
from ai_bridge.mailboxes.file_names import label
from ai_bridge.mailboxes.outbox import DROPPED, HELD, PROCESSING, STATES, Outbox
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.message.message import parse
from ai_bridge.router.recover import recover
from ai_bridge.router.route import Router
from ai_bridge.sending.allow import allow_mail
from ai_bridge.settings import Settings
from ai_bridge.system import durable
from tests.support.disk import ERRNOS, FaultyOs
from tests.support.mail import LIMIT, post, route, send, send_batch

pytestmark = pytest.mark.sweeps

Act = Callable[[Tree, Settings, int], object]
EVERYONE = {"claude", "gemini", "codex"}


def _tell(out: int, id_: str) -> None:
    os.write(out, f"{id_}\n".encode())


def _send(where: Tree, settings: Settings, out: int) -> None:
    _tell(out, send(where, "claude", Draft(["gemini"], "one"), LIMIT).id)


def _send_to_all(where: Tree, settings: Settings, out: int) -> None:
    _tell(out, send(where, "claude", Draft(["*"], "all"), LIMIT).id)


def _send_batch(where: Tree, settings: Settings, out: int) -> None:
    for sent in send_batch(where, "claude", [Draft(["gemini"], str(number)) for number in range(4)], LIMIT):
        _tell(out, sent.id)


def _pass(where: Tree, settings: Settings, out: int) -> None:
    list(Router(where, EVERYONE, settings).one_pass())


def _recover(where: Tree, settings: Settings, out: int) -> None:
    list(recover(Router(where, EVERYONE, settings)))


def _read(where: Tree, settings: Settings, out: int) -> None:
    for one in unread.unread_for(where, "gemini"):
        _tell(out, one.load().id)
        one.acknowledge()


def _nothing(where: Tree, settings: Settings) -> None:
    """Start from empty mailboxes."""


def _dropped(where: Tree, settings: Settings) -> None:
    for number in range(2):
        post(where, str(number))


def _hand_dropped(where: Tree, settings: Settings) -> None:
    head = "ID: {}\nFrom: claude\nTo: {}\nSubject: s\n\nbody"
    root = Path(where.outbox("claude").path)
    (root / "all.txt").write_text(head.format("hand-all", "*"))
    (root / "bad.txt").write_text(head.format("hand-bad", "nobody"))


def _claimed(where: Tree, settings: Settings) -> None:
    _dropped(where, settings)
    _hand_dropped(where, settings)
    for name in where.outbox("claude").names(DROPPED):
        where.outbox("claude").move("claim", name)


def _too_deep(where: Tree, settings: Settings) -> None:
    settings.pair_per_hour = 60
    _dropped(where, settings)
    text = "ID: hand-deep\nFrom: claude\nTo: gemini\nSubject: s\nHops: 99\n\nbody"
    Path(where.outbox("claude").path, "deep.txt").write_text(text)


def _held(where: Tree, settings: Settings) -> None:
    _too_deep(where, settings)
    route(where, settings)
    assert where.outbox("claude").names(HELD)


def _allow(where: Tree, settings: Settings, out: int) -> None:
    allow_mail(where, "claude", settings.max_hops)
    _pass(where, settings, out)


def _unread(where: Tree, settings: Settings) -> None:
    _dropped(where, settings)
    route(where, settings)


CASES: dict[str, tuple[Callable[[Tree, Settings], None], Act]] = {
    "send": (_nothing, _send),
    "send to all": (_nothing, _send_to_all),
    "send a batch": (_nothing, _send_batch),
    "pass": (_dropped, _pass),
    "fan out and reject": (_hand_dropped, _pass),
    "hold": (_too_deep, _pass),
    "allow": (_held, _allow),
    "recover": (_claimed, _recover),
    "read": (_unread, _read),
}


def _files(where: Tree) -> dict[tuple[str, str], list[str]]:
    """Return the states of each message by (ID, recipient), as its headers tell."""
    found: dict[tuple[str, str], list[str]] = {}
    for outbox in where.outboxes():
        for state in STATES:
            for name in outbox.names(state):
                message = parse(Path(outbox.file(state, name)).read_bytes())
                found.setdefault((message.id, message.get("To") or ""), []).append(state)
    return found


def _die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _run_and_die(act: Act, where: Tree, settings: Settings, call: int, after: bool) -> tuple[bool, list[str]]:
    """Act in a child that is killed at that call; returns whether it was, and the IDs it told before."""
    incoming, outgoing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            os.close(incoming)
            faulty = FaultyOs(at=call, after=after, act=_die)
            durable.find_function = _counted(faulty)
            durable.os = faulty  # type: ignore[assignment]
            act(where, settings, outgoing)
            code = 0
        finally:
            os._exit(code)
    os.close(outgoing)
    with os.fdopen(incoming) as told:
        ids = told.read().split()
    status = os.waitpid(child, 0)[1]
    assert os.WIFSIGNALED(status) or os.WEXITSTATUS(status) == 0
    return os.WIFSIGNALED(status), ids


def _counted(faulty: FaultyOs) -> Callable[[str], Callable[..., int] | None]:
    """Return a stand-in for `durable.find_function` whose functions are counted, too."""
    real = durable.find_function

    def counted(name: str) -> Callable[..., int] | None:
        found = real(name)
        return faulty.wrapped(name, found) if found is not None else None

    return counted


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.usefixtures("renaming")
@pytest.mark.parametrize("case", CASES)
def test_death_at_every_call(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, case: str, after: bool
) -> None:
    """With renameat2 a move is one call; with links it is two, and death may come between them."""
    prepare, act = CASES[case]
    call, died = 0, True
    while died:
        call += 1
        monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / f"state{call}"))
        where = Tree(str(tmp_path / str(call)))
        where.make(sorted(EVERYONE))
        prepare(where, settings)
        before = _files(where)
        died, told = _run_and_die(act, where, settings, call, after)
        acknowledged = [label(name)[0] for name in where.outbox("claude").names("read")]
        if act is _read:  # the next reader goes on where this one died
            _read(where, settings, os.open(os.devnull, os.O_WRONLY))
        elif act is _allow:  # and the person, who saw it end, says it again
            _allow(where, settings, -1)
        _check(where, settings, before, told if act is not _read else [])
        _check_told(told, acknowledged, act)
    assert call > 1


def _check(where: Tree, settings: Settings, before: dict[tuple[str, str], list[str]], told: list[str]) -> None:
    """After recovery everything accepted is in one place, whole, and nothing is on its way any more."""
    route(where, settings)
    after = _files(where)
    expected = {id_ for id_, _ in before} | set(told)
    found = {id_ for id_, _ in after}
    assert expected <= found
    assert all(len(states) == 1 for states in after.values())
    assert not [states for states in after.values() if states[0] in (DROPPED, PROCESSING)]
    names = [label(name) for box in where.outboxes() for name in box.names("unread")]
    assert len(names) == len(set(names))


def _check_told(told: list[str], acknowledged: list[str], act: Act) -> None:
    """What was acknowledged had been shown before."""
    if act is _read:
        assert set(acknowledged) <= set(told)


@pytest.mark.usefixtures("renaming")
@pytest.mark.parametrize("case", ["pass", "fan out and reject", "hold", "allow", "recover", "read"])
def test_an_error_at_every_call_delays_and_loses_nothing(
    tmp_path: Path, settings: Settings, monkeypatch: pytest.MonkeyPatch, case: str
) -> None:
    """Any call may fail once, with any error: the same router goes on with its next pass."""
    prepare, act = CASES[case]
    number, reached, quiet = 0, True, os.open(os.devnull, os.O_WRONLY)
    while reached:
        number += 1
        monkeypatch.setenv("AI_BRIDGE_STATE", str(tmp_path / f"state{number}"))
        where = Tree(str(tmp_path / str(number)))
        where.make(sorted(EVERYONE))
        prepare(where, settings)
        before = _files(where)
        faulty = FaultyOs(at=number, act=_fail_with(ERRNOS[number % len(ERRNOS)]))
        with monkeypatch.context() as patch, suppress(OSError):
            patch.setattr(durable, "find_function", _counted(faulty))
            patch.setattr(durable, "os", faulty)
            act(where, settings, quiet)
        if act is _read:
            _read(where, settings, quiet)
        elif act is _allow:
            _allow(where, settings, quiet)
        reached = len(faulty.calls) >= number
        _check(where, settings, before, [])
    os.close(quiet)
    assert number > 2


def _fail_with(number: int) -> Callable[[], None]:
    def fail() -> None:
        raise OSError(number, os.strerror(number))

    return fail


def test_a_router_that_could_not_give_a_message_back_does_so_at_its_next_pass(
    where: Tree, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    post(where)
    router = Router(where, {"claude", "gemini"}, settings)
    moves = iter([True, False, False])
    real = Outbox.move

    def refuse(self: Outbox, verb: str, name: str, new_name: str | None = None) -> bool:
        if not next(moves, True):
            raise OSError(28, "No space left on device")
        return real(self, verb, name, new_name)

    monkeypatch.setattr(Outbox, "move", refuse)
    assert [step.verb for step in router.one_pass()] == ["retry"]
    assert where.outbox("claude").names(PROCESSING)
    assert [step.verb for step in router.one_pass()] == ["deliver"]
