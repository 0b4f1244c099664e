"""Rows of `scale` about mail on its way: the wake of a blocked reader, a router's pass, and full scans."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import common
from ground import Ground, Row, compared, post, row

from ai_bridge import settings
from ai_bridge.health import mail
from ai_bridge.inbox import fetch
from ai_bridge.mailboxes.outbox import READ, UNREAD
from ai_bridge.mailboxes.tree import Tree
from ai_bridge.router.route import Router
from ai_bridge.system import durable

# Long enough that the reader has acknowledged the last message, has looked at everything and is blocked again.
_PAUSE_S = 0.2
_START_S = 2.0
_SWEEPS = 6
_FEWER, _FEW = 100, 20
_FLAT = "ratio 1"


# --- the wake -------------------------------------------------------------------------------------------


def wake_with_a_router(ground: Ground) -> list[Row]:
    return _wakes("wake, a router at work", ground, common.router)


def wake_without_a_router(ground: Ground) -> list[Row]:
    return _wakes("wake, no router", ground, nullcontext)


def _wakes(what: str, ground: Ground, router: Callable[[Tree], AbstractContextManager[object]]) -> list[Row]:
    """Measure from a message's publishing to the return of the wait of a reader in another process."""
    readers: dict[Tree, subprocess.Popen[bytes]] = {}
    with ExitStack() as stack:
        stamps = stack.enter_context(_stamped_publishing())
        for where in (ground.many, ground.two):
            for left in fetch.fetch(where, common.READER, settings.load(where.path)):
                left.acknowledge()
            stack.enter_context(router(where))
            readers[where] = stack.enter_context(_reader(where))
        time.sleep(_START_S)
        times = ground.in_turn(ground.rounds, lambda where: _wake(where, readers[where], stamps))
    return [compared(what, percent, times, _FLAT) for percent in (50, 99)]


def _wake(where: Tree, reader: subprocess.Popen[bytes], stamps: list[int]) -> float:
    time.sleep(_PAUSE_S)
    post(where)
    assert reader.stdout is not None
    if not (line := reader.stdout.readline()):
        raise SystemExit("error: the reader ended")
    return (int(line) - stamps.pop()) / 1e9


@contextmanager
def _reader(where: Tree) -> Iterator[subprocess.Popen[bytes]]:
    words = [sys.executable, str(Path(__file__).with_name("readers.py")), "wait", where.path]
    with common.child(words, stdout=subprocess.PIPE) as process:
        yield process


@contextmanager
def _stamped_publishing() -> Iterator[list[int]]:
    """Have the instant before each publishing noted: the flush of the content is before it, the message after."""
    stamps: list[int] = []
    publish = durable.publish

    def stamped(temporary: str, final: str) -> None:
        stamps.append(time.monotonic_ns())
        publish(temporary, final)

    durable.publish = stamped
    try:
        yield stamps
    finally:
        durable.publish = publish


# --- the router -----------------------------------------------------------------------------------------


def router_pass(ground: Ground) -> list[Row]:
    """Measure a pass that finds one message: only where a wake hinted at it, and over everything."""
    rounds = min(ground.rounds, _FEWER)
    routers = {
        where: Router(where, set(where.agents()), settings.load(where.path)) for where in (ground.many, ground.two)
    }
    hinted = ground.in_turn(rounds, lambda where: _pass(routers[where], hinted=True))
    whole = ground.in_turn(rounds, lambda where: _pass(routers[where], hinted=False))
    return [
        compared("router's pass, where a wake hints", 50, hinted, _FLAT),
        compared("router's pass, a sweep", 50, whole),
    ]


def _pass(router: Router, hinted: bool) -> float:
    name = os.path.basename(post(router.mailboxes).paths[0])
    outbox = router.mailboxes.outbox(common.SENDER)
    router.refresh()
    taken = common.seconds(lambda: list(router.one_pass([outbox] if hinted else None)))
    os.rename(outbox.file(UNREAD, name), outbox.file(READ, name))
    return taken


def idle_router(ground: Ground) -> list[Row]:
    span_s = _SWEEPS * settings.load(ground.many.path).sweep_s
    with common.router(ground.many) as many, common.router(ground.two) as two:
        time.sleep(_START_S)
        before = [_processor_s(process.pid) for process in (many, two)]
        time.sleep(span_s)
        after = [_processor_s(process.pid) for process in (many, two)]
    first, second = [f"{100 * (end - begin) / span_s:.3f} %" for begin, end in zip(before, after, strict=True)]
    return [row("idle router, of a core", first, second, target="0.5 %")]


def _processor_s(pid: int) -> float:
    return sum(int(task.read_text().split()[0]) for task in Path(f"/proc/{pid}/task").glob("*/schedstat")) / 1e9


# --- looks at everything --------------------------------------------------------------------------------


def looks_at_everything(ground: Ground) -> list[Row]:
    """Measure what grows with the agents: a read, which asks every outbox, and the status of all."""
    without = ground.in_turn(_FEW, _read)
    with common.router(ground.many), common.router(ground.two):
        with_router = ground.in_turn(_FEW, _read)
        examined = ground.in_turn(_FEW, _status)
    return [
        compared("read, nothing unread, a router at work", 50, with_router),
        compared("read, nothing unread, no router", 50, without),
        compared("status of all agents", 50, examined),
    ]


def _read(where: Tree) -> float:
    return common.seconds(partial(fetch.fetch, where, common.READER, settings.load(where.path)))


def _status(where: Tree) -> float:
    return common.seconds(partial(mail.examine, where, settings.load(where.path), where.agents()))
